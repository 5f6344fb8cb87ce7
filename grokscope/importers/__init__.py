"""Other people's checkpoints, brought into a run file."""

from grokscope.importers.folder import import_folder

__all__ = ["import_folder"]
