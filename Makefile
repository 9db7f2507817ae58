# Bare `make` lists what it can do.
PYTHON ?= python3.11
DATA ?= digits
SEEDS ?= 10000
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench
MUTATION_STAMP := $(VENV)/.installed-mutation
AUDIT_STAMP := $(VENV)/.installed-audit
DOCS_STAMP := $(VENV)/.installed-docs
BROWSER_STAMP := $(VENV)/.installed-browser
MUTATED := build/mutated
MNIST ?= openml:mnist_784
AESOP ?= aesop.txt
CIFAR ?= cifar10
FASHION ?=
BENCH ?= --workers 1
MINUTES ?= 30
INPUTS ?= 100000

.DEFAULT_GOAL := help
.PHONY: $(shell grep -ohE '^[a-z-]+:' $(firstword $(MAKEFILE_LIST)) | tr -d :)

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */  make \1\t/' | expand -t 34

install: $(STAMP)  ## virtual environment in .venv with everything in it
$(STAMP): pyproject.toml constraints.txt ffstream/sweep.c
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(STAMP)  ## stream digits to a service that learns while it answers (DATA=FOLDER for MNIST)
	$(BIN)/ffstream demo --data $(DATA)

serve: $(STAMP)  ## the service, left running, on http://127.0.0.1:8000 (DATA=FOLDER for MNIST)
	$(BIN)/ffstream serve --like $(DATA)

$(DOCS_STAMP): $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

docs: $(DOCS_STAMP)  ## the site, in build/docs; a broken link or reference fails
	$(BIN)/sphinx-build -q -W --keep-going -c docs . build/docs
	@echo "build/docs/index.html"

$(BROWSER_STAMP): $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[browser]'
	touch $@

test-page: $(BROWSER_STAMP)  ## the live page in a real browser (needs Chromium: apt-get install chromium)
	$(BIN)/pytest tests/page

screenshots: $(BROWSER_STAMP)  ## pictures of the live page, in docs
	$(BIN)/python examples/page_screenshots.py docs

lint: $(STAMP)  ## style, types and the arrow of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint  ## everything that must hold, two files at a time
	$(BIN)/pytest -n 2 --dist loadfile

coverage: $(STAMP)  ## lines and branches of the stream that tests of its own, the service's and the laws' do not reach
	$(BIN)/coverage run -m pytest tests/stream tests/gateway tests/test_laws.py::test_journal tests/test_teaching.py
	$(BIN)/coverage report

$(MUTATION_STAMP): $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mutation]'
	touch $@

mutate: $(MUTATION_STAMP)  ## 1,400 small changes of the stream, and which of them no test notices (an hour; goes on where it was)
	mkdir -p $(MUTATED)
	cp -rp ffstream tests pyproject.toml $(MUTATED)
	cd $(MUTATED) && $(CURDIR)/$(BIN)/mutmut run --max-children 1
	cd $(MUTATED) && $(CURDIR)/$(BIN)/mutmut results

fuzz: $(STAMP)  ## 100,000 broken and strange inputs for the readers of bodies, messages and texts (INPUTS=n)
	INPUTS=$(INPUTS) $(BIN)/pytest tests/gateway/test_fuzz.py --timeout 0

schema: $(STAMP)  ## requests of all kinds that the OpenAPI document describes, and none may fail (INPUTS=n)
	INPUTS=$(INPUTS) $(BIN)/pytest tests/gateway/test_schema.py --timeout 0

$(AUDIT_STAMP): $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[audit]'
	touch $@

audit: $(AUDIT_STAMP)  ## known vulnerabilities of what is installed (asks PyPI)
	$(BIN)/pip-audit --skip-editable

licences: $(AUDIT_STAMP)  ## licences of what is installed
	$(BIN)/pip-licenses --from=mixed --order=license

soak: $(STAMP)  ## simulated lives of the stream with seeded faults (SEEDS=n, START=first; a failing seed is printed)
	$(BIN)/python -m tests.simulation $(SEEDS) $(if $(START),--start $(START))

$(BENCH_STAMP): $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	touch $@

bench-one-pass: $(BENCH_STAMP)  ## one pass over MNIST beside tuned competitors (MNIST=FOLDER, BENCH='--workers 2 --fresh')
	$(BIN)/python -m benchmarks.one_pass --data $(MNIST) $(BENCH)

bench-phase-length: $(BENCH_STAMP)  ## accuracy against the length of wake and sleep
	$(BIN)/python -m benchmarks.phase_length --data $(MNIST) $(BENCH)

bench-sleep-deprivation: $(BENCH_STAMP)  ## what is lost without sleep, and what comes back with it
	$(BIN)/python -m benchmarks.sleep_deprivation --data $(MNIST) $(BENCH)

bench-mnist-supervised: $(BENCH_STAMP)  ## the paper's section 3.3, 4x2000, hours; resumes from its checkpoints
	$(BIN)/python -m benchmarks.mnist_supervised --data $(MNIST) $(BENCH)

bench-aesop: $(BENCH_STAMP)  ## the paper's section 4.1: the next character, with negatives that the network generates (AESOP=FILE, a text)
	$(BIN)/python -m benchmarks.aesop --data $(AESOP) $(BENCH)

bench-mnist-unsupervised: $(BENCH_STAMP)  ## the paper's section 3.2, 4x2000, hours; resumes from its checkpoints
	$(BIN)/python -m benchmarks.mnist_unsupervised --data $(MNIST) $(BENCH)

bench-one-shot: $(BENCH_STAMP)  ## two digits known from one example each, by an exact step (DATA=FOLDER for MNIST)
	$(BIN)/python -m benchmarks.one_shot --data $(DATA) $(BENCH)

bench-fast-weights: $(BENCH_STAMP)  ## the paper's section 9: fast weights beside ten characters (AESOP=FILE, a text; half an hour)
	$(BIN)/python -m benchmarks.fast_weights --data $(AESOP) $(BENCH)

results: $(BENCH_STAMP)  ## the table of the paper's systems and its plots, from what is recorded; measures nothing
	$(BIN)/python -m benchmarks.paper

bench-mnist-local: $(BENCH_STAMP)  ## the same with local receptive fields, hours; resumes from its checkpoints
	$(BIN)/python -m benchmarks.mnist_local --data $(MNIST) $(BENCH)

bench-cifar: $(BENCH_STAMP)  ## the paper's section 4, CIFAR-10 (CIFAR=FOLDER), many hours; resumes from its checkpoints
	$(BIN)/python -m benchmarks.cifar --data $(CIFAR) $(BENCH)

PICTURES = $(if $(FASHION),$(FASHION) --of fashion-mnist,$(if $(filter command,$(origin CIFAR)),$(CIFAR) --of cifar-10,$(MNIST)))
bench-convolutional: $(BENCH_STAMP)  ## convolutional nets, Forward-Forward and backpropagation (MNIST=, FASHION= or CIFAR=FOLDER), resumes
	$(BIN)/python -m benchmarks.convolutional --data $(PICTURES) $(BENCH)

bench-black-box: $(BENCH_STAMP)  ## layers that learn through boxes nobody knows, beside backpropagation (DATA=FOLDER for MNIST, BENCH=--slow)
	$(BIN)/python -m benchmarks.black_box --data $(DATA) $(BENCH)

bench-mortal: $(BENCH_STAMP)  ## what an instance of analog hardware has learned, passed on to another (DATA=FOLDER for MNIST)
	$(BIN)/python -m benchmarks.mortal --data $(DATA) $(BENCH)

bench-drift: $(BENCH_STAMP)  ## a stream that changes, beside backpropagation and River (MNIST=FOLDER; an hour)
	$(BIN)/python -m benchmarks.drift --data $(MNIST) $(BENCH)

bench-goodness: $(BENCH_STAMP)  ## the paper's section 9: goodness and activation functions (MNIST=FOLDER; half an hour)
	$(BIN)/python -m benchmarks.goodness --data $(MNIST) $(BENCH)

bench-blocks: $(BENCH_STAMP)  ## the paper's section 5.3: blocks of units that decide for themselves (MNIST=FOLDER; half an hour)
	$(BIN)/python -m benchmarks.blocks --data $(MNIST) $(BENCH)

bench-novelty: $(STAMP)  ## digits that were never seen, told without labels, beside scikit-learn (MNIST=FOLDER; half an hour)
	$(BIN)/python -m benchmarks.novelty --data $(MNIST)

bench-tabular: $(BENCH_STAMP)  ## tables row after row, beside River's best and backpropagation (half an hour)
	$(BIN)/python -m benchmarks.tabular $(BENCH)

bench-mnist-recurrent: $(BENCH_STAMP)  ## the paper's section 3.4, MNIST as a video; resumes from its checkpoints
	$(BIN)/python -m benchmarks.mnist_recurrent --data $(MNIST) $(BENCH)

bench-video: $(STAMP)  ## ticks a second of recurrent actors, and whether all of them work at every tick (a few minutes)
	$(BIN)/python -m benchmarks.video --data $(MNIST)

bench-recovery: $(STAMP)  ## real kills of every process of a service under load, and how long a recovery takes (12 minutes)
	$(BIN)/python -m benchmarks.recovery

bench-snapshots: $(STAMP)  ## what automatic snapshots cost (MNIST=FOLDER; ten minutes)
	$(BIN)/python -m benchmarks.snapshots --data $(MNIST)

bench-overload: $(STAMP)  ## ten times more frames than can be learned, for two minutes, and the proof that it does not show (5 minutes)
	$(BIN)/python -m benchmarks.overload

bench-latency: $(STAMP)  ## how long /classify takes while all that can be learned is learned (three minutes)
	$(BIN)/python -m benchmarks.latency

bench-readers: $(STAMP)  ## what readers do for /classify: questions a second and p99, idle and under load (ten minutes)
	$(BIN)/python -m benchmarks.readers

bench-ingest: $(STAMP)  ## frames accepted a second, in every format, beside an application that only reads them (two minutes)
	$(BIN)/python -m benchmarks.ingest

bench-start: $(STAMP)  ## seconds until a service answers, is ready, and has learned a frame (a minute or two)
	$(BIN)/python -m benchmarks.start

bench-throughput: $(STAMP)  ## frames learned a second beside backpropagation and others (MNIST=FOLDER; a quarter of an hour a precision)
	$(BIN)/python -m benchmarks.throughput --data $(MNIST)

bench-roofline: $(STAMP)  ## what an update takes beside the least that it could (MNIST=FOLDER; ten minutes)
	$(BIN)/python -m benchmarks.roofline --data $(MNIST)

bench-depth: $(STAMP)  ## speed and memory of 1 to 16 layers (MNIST=FOLDER; ten minutes)
	$(BIN)/python -m benchmarks.depth --data $(MNIST)

bench-soak: $(STAMP)  ## mixed load on a service, and what of it grows (MINUTES=30)
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES)

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage *.egg-info services/*.egg-info
