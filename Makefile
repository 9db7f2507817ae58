# Bare `make` lists what it can do.
PYTHON ?= python3.11
DATA ?= digits
SEEDS ?= 10000
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo serve test soak lint clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */  make \1\t/' | expand -t 18

install: $(STAMP)  ## virtual environment in .venv with everything in it
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(STAMP)  ## stream digits to a service that learns while it answers (DATA=FOLDER for MNIST)
	$(BIN)/ffstream demo --data $(DATA)

serve: $(STAMP)  ## the service, left running, on http://127.0.0.1:8000 (DATA=FOLDER for MNIST)
	$(BIN)/ffstream serve --like $(DATA)

lint: $(STAMP)  ## style, types and the arrow of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint  ## everything that must hold
	$(BIN)/pytest

soak: $(STAMP)  ## simulated lives of the stream with seeded faults (SEEDS=n, START=first; a failing seed is printed)
	$(BIN)/python -m tests.simulation $(SEEDS) $(if $(START),--start $(START))

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache *.egg-info services/*.egg-info
