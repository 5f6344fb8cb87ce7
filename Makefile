# Set-up and every job; `make demo` and `make test` need nothing but Python 3.11+ and a package registry.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: docs man wheel demo test lint types unit torture bench pictures clean

demo: $(VENV)/.train
	$(BIN)/grokscope demo demo

test: lint unit

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

torture: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m torture

# Those that take hours, and the folder where their runs are, are left out: docs/findings.md and docs/branches.md.
TABLES := $(filter-out %/branches.py %/ceiling.py %/collapse.py,$(wildcard benchmarks/*.py))
bench: $(VENV)/.dev
	for script in $(TABLES); do echo "== $$script"; $(BIN)/python $$script; done

# The README's pictures, from a sample run.
PICTURE = $(BIN)/grokscope view sample_runs/mnist-wd0.h5 --size 120x40
pictures: $(VENV)/.train
	@mkdir -p docs/pictures
	$(PICTURE) --press "G" --screenshot docs/pictures/overview.svg
	$(PICTURE) --press "G 2" --screenshot docs/pictures/spectrum.svg
	$(PICTURE) --press "G 3" --screenshot docs/pictures/traps.svg
	$(PICTURE) --press "G 4" --screenshot docs/pictures/trajectories.svg
	$(PICTURE) --press "G 6" --screenshot docs/pictures/spectrogram.svg
	$(BIN)/grokscope view sample_runs/mnist-wd0.h5 sample_runs/mnist-wd001.h5 --size 80x24 --press "G t" \
		--screenshot docs/pictures/two-runs-80x24-light.svg

$(VENV)/.train: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[train]'
	@touch $@

$(VENV)/.dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.train

# `pip install dist/grokscope-*.whl` is the light viewer and analyser.
wheel: $(VENV)/.train
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

# The pages that are made from the program, the man page among them, and the site in site/.
docs: $(VENV)/.dev man
	$(BIN)/python -m mkdocs build --strict --quiet

man: $(VENV)/.train
	$(BIN)/python tools/manual.py

clean:
	rm -rf $(VENV) demo dist site .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
