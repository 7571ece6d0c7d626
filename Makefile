# Shopgraph: `make help` lists what this file can do.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=

# Two halves of the tests share the cores: threads that wait in a loop would take them away.
export OMP_WAIT_POLICY ?= PASSIVE

.DEFAULT_GOAL := help
.PHONY: help install demo up test servers others unit integration chromium browser lint format types contracts check bench explore clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# One stamp stands for the whole environment: it is made again when the requirements change.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Shopgraph needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,evaluate,demo,explore,dev]'
	@touch $@

install: $(VENV)/.installed  ## make the virtual environment with everything in it

demo: install  ## real data to recommendations, from nothing (ARGS=--once ends by itself)
	$(BIN)/shopgraph demo $(ARGS)

up: install  ## run all processes in the foreground until Ctrl-C
	$(BIN)/shopgraph up $(ARGS)

test: install chromium  ## all tests: unit, contract, and on a real Neo4j, Valkey and Chromium
	@$(MAKE) --no-print-directory -j 2 servers others

# Both halves of the tests, for `test` alone, which has made what they need: with prerequisites of
# their own they were seen to run one after the other. Under ARGS one may be left with none (code 5).
NONE_LEFT = $(if $(ARGS),|| test $$? -eq 5)
PYTEST = REQUIRE_SERVICES=1 $(BIN)/python -m pytest $(ARGS)
servers:
	$(PYTEST) tests/browser tests/clients tests/integration -o cache_dir=.pytest_cache/servers $(NONE_LEFT)

# Shown when they have ended, as the other half is shown while it goes on. Whoever starts, kills and
# restores servers of their own needs none of those that the other half empties again and again.
others:
	@mkdir -p build
	@{ $(PYTEST) tests/unit tests/contract -o cache_dir=.pytest_cache/serverless $(NONE_LEFT); } \
		>build/others.txt 2>&1; first=$$?; \
	{ $(PYTEST) tests/outages -o cache_dir=.pytest_cache/outages $(NONE_LEFT); } \
		>>build/others.txt 2>&1; second=$$?; \
	cat build/others.txt; exit $$((first + second))

unit: install  ## the tests that need no server
	$(BIN)/python -m pytest tests/unit tests/contract $(ARGS)

integration: install  ## the tests on real servers
	$(PYTEST) tests/integration tests/outages

# Says in one sentence how to get a browser where it may not install one; those tests are skipped then.
chromium:
	@tests/browser/get_chromium.sh

browser: install chromium  ## the tracker in a real Chromium
	$(BIN)/python -m pytest tests/browser $(ARGS)

lint: install  ## style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: install  ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: install  ## mypy --strict
	$(BIN)/mypy

contracts: install  ## who may import whom
	$(BIN)/lint-imports

check: lint types contracts test  ## all that must be quiet before a change lands

bench: install  ## print the speed of this machine beside the numbers to hold
	$(BIN)/shopgraph benchmark $(ARGS)

explore: install  ## where to look at the graph in Neo4j Browser
	$(BIN)/shopgraph explore

clean:  ## remove the environment and what the tools cached (the data folder stays)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build *.egg-info
