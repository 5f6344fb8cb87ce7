"""grokscope: a terminal microscope for training runs."""
