"""`python -m grokscope` is the `grokscope` command."""

from grokscope.cli.main import main

main()
