"""A failure that nobody foresaw is one line and exit code 1, of whatever kind its exception is."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from grokscope.cli.main import DEBUG_VARIABLE, Commands


@pytest.mark.parametrize("kind", [RuntimeError, ImportError, EOFError, AssertionError, ValueError, KeyError])
def test_an_unforeseen_failure_is_one_line(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DEBUG_VARIABLE, raising=False)
    app = typer.Typer(cls=Commands)

    @app.command()
    def work() -> None:
        raise kind("two\nlines")

    @app.command()
    def rest() -> None:
        raise typer.Exit(3)

    done = CliRunner().invoke(app, ["work"])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert f"failed: {kind.__name__}" in done.stderr
    assert CliRunner().invoke(app, ["rest"]).exit_code == 3
    assert CliRunner().invoke(app, ["rest", "--nonsense"]).exit_code == 2
