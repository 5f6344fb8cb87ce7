"""What the fuzzer has found, once: each was mended with all of its kind, and is tried again by every test run."""

from __future__ import annotations

from tests.fuzz.case import IMPORT, LAYERS, Case

FOUND = (
    Case("folder", "strange_file", 23, "info {path}"),  # a table that is /dev/zero: memory ran out
    Case("npz", "zeroed_block", 26, "plot {path} accuracy"),  # a header that is no Python: NumPy's own error
    Case("run", "other_shape", 59, "info {path}"),  # fewer rows of one dataset than of another
    Case("run", "header_flips", 213, "export {path}"),  # a damaged checkpoint's metrics
    Case("run", "zeroed_block", 1037, "export {path}"),  # attributes through which HDF5 walks for ever
    Case("run", "more", 707, "train -o {path} --resume --steps 60"),  # a name that clears the terminal
    Case("table", "of_trainer", 3237, "report {path} --json"),  # a history whose rows are none
    Case("beside", "beside", 3022, "analyze -j 1 {path}"),  # a loop of links in the spectra's place
    Case("beside", "beside", 8563, "analyze -j 1 {path}"),  # a link there, to another file, which was replaced
    Case("pt", "pickled", 4974, "info {path} --json"),  # an infinite step
    Case("run", "other_shape", 8234, "plot {path} spectrogram --json"),  # predictions without their axis
    Case("npz", "bad_name", 8725, "analyze -j 1 {path}"),  # a layer called "."
    Case("run", "renamed", 840, "train -o {path} --resume --steps 60"),  # a layer that the configuration has not
    Case("run", "linked", 589, "plot {path} spectrogram --json"),  # a group in a dataset's place
    Case("run", "other_steps", 7984, "train -o {path} --resume --steps 60"),  # steps that no training would reach
    Case("run", "missing", 773, "branch {path} --at 22 -o {out}.h5 --steps 60"),  # no place for training states
    Case("safetensors", "inserted_block", 1913, IMPORT),  # numbers that had moved, and more than the header says
    Case("folder", "odd_name", 4032, IMPORT),  # a name of bytes that are no text, in a note
    Case("pt", "bad_name", 6587, LAYERS),  # a layer's name that clears the terminal
    Case("spectra", "no_numbers", 173, LAYERS),  # a tail of 0 eigenvalues where nothing is measured
)
