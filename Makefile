# Everything happens in .venv; nothing is installed outside this folder, and no server is needed.
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))
BIN := .venv/bin
ROWS ?= 50000
FORMAT ?= csv
ROUNDS ?= 3
TOOLS ?=
KILLS ?= 100
JOBS ?= 2
DEMO ?= demo
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help demo test test-all lint format bench bench-match chaos docs clean
.DEFAULT_GOAL := help

help:  ## list what make can do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

# ---- set-up, done again only when its inputs change

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Treaty needs Python 3.11 or newer: install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 2; }
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	@touch $@

.venv/installed-dev: .venv/installed
	$(PIP) --editable '.[dev]'
	@touch $@

# The peers of the benchmark have requirements of their own, some of which contradict ours.
.venv-peers/installed: bench/requirements.txt | $(BIN)/python
	test -x .venv-peers/bin/python || $(BIN)/python -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --requirement bench/requirements.txt
	@touch $@

# ---- what people do

demo: .venv/installed  ## make a project in ./demo, run it, and show what happened
	@$(BIN)/treaty demo $(DEMO)

test: .venv/installed-dev  ## the default tests
	$(BIN)/pytest -n $(JOBS) --dist loadfile --durations 20 -m "not slow" tests

test-all: .venv/installed-dev  ## every test, slow ones and a hundred kills included
	TREATY_KILLS=$(KILLS) $(BIN)/pytest -n $(JOBS) --dist loadfile tests

lint: .venv/installed-dev  ## style, types, layers
	$(BIN)/ruff check src tests bench docs
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed-dev  ## write the code in the one style
	$(BIN)/ruff check --fix src tests bench docs
	$(BIN)/ruff format src tests bench docs

bench: .venv/installed-dev .venv-peers/installed  ## measure beside other tools: make bench ROWS=1000000 FORMAT=jsonl ROUNDS=1 TOOLS=treaty,duckdb
	$(BIN)/python bench/run.py --rows $(ROWS) --format $(FORMAT) --rounds $(ROUNDS) $(if $(TOOLS),--tools $(TOOLS))

.venv-match/installed: bench/matching/requirements.txt | $(BIN)/python
	test -x .venv-match/bin/python || $(BIN)/python -m venv .venv-match
	.venv-match/bin/python -m pip install --quiet --disable-pip-version-check --requirement bench/matching/requirements.txt
	@touch $@

bench-match: .venv/installed-dev .venv-match/installed  ## score the matcher beside valentine's, and write docs/matching-scores.md
	$(BIN)/python -m bench.matching.run

chaos: .venv/installed-dev  ## a hundred kills: make chaos KILLS=1000
	TREATY_KILLS=$(KILLS) $(BIN)/pytest tests/chaos

docs: .venv/installed-dev  ## write the parts of the manual that are made from declarations
	$(BIN)/python docs/generate.py

clean:  ## remove what make made (projects and their state stay)
	rm -rf .venv .venv-peers .venv-match .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis bench/work
