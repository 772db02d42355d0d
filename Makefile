# labelops: `make demo` shows it, `make test` proves it, `make help` lists the rest.
#
# Needs Python 3.11 to 3.13, make, and a package index for the first run; no root, no Docker.
# Everything installed goes into .venv, from the locks in requirements/; Label Studio goes into
# an environment of its own in the user's cache folder (LABELOPS_LABEL_STUDIO_ENV names another).

PYTHON ?= python3
VENV ?= .venv
# Arguments for the demo, e.g. make demo ARGS="tickets" or ARGS="--label-studio".
ARGS ?=
PYTEST_ARGS ?=

BIN := $(VENV)/bin
# A stamp says which lock is installed, so that a second run installs nothing.
BASE := $(VENV)/installed-base
DEV := $(VENV)/installed-dev
# Prefect's database is made once a machine, as part of installing.
PREPARED := $(VENV)/prepared-prefect
SOURCES := pyproject.toml setup.py requirements/install.py
UV_COMPILE = uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--no-emit-index-url --no-annotate --no-header pyproject.toml --group build
LOCK_HEADER = \# Exact versions for Python 3.11 to 3.13, every file by its digest, no address of an index.\n\# Written by `make lock` from pyproject.toml.\n

# Two workers on two cores: more threads in each would only wait for one another.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# In the order of their names: else files of few tests, which are the long journeys, come last,
# and one worker waits for the other.
PARALLEL = $(ONE_THREAD) $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-main test-server label-studio \
	lint types imports doctest docs bench lock clean

help:  ## list what there is to make
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: $(BASE) $(PREPARED)  ## install what is pinned, then run the whole journey (about a minute); ARGS="tickets"
	@$(BIN)/labelops demo $(ARGS)

$(PREPARED): $(BASE)
	@$(BIN)/labelops demo --prepare
	@touch $@

test: test-main test-server  ## every test, a real Label Studio and Prefect included

test-fast: $(DEV)  ## tests without servers and long runs (≤ 60 s)
	@$(PARALLEL) --hypothesis-profile fast \
		-m "not slow and not server" $(PYTEST_ARGS)

test-main: $(DEV)  ## tests without servers, long runs included
	@$(PARALLEL) -m "not server" $(PYTEST_ARGS)

# One process, one after the other: a Label Studio is started once, and timed runs are alone.
test-server: label-studio  ## tests with servers in other processes, and timed runs
	@$(BIN)/python -m pytest -q -m server $(PYTEST_ARGS)

label-studio: $(DEV)  ## install Label Studio apart, where it is not yet
	@$(BIN)/python -c "import sys; \
		from labelops.adapters.label_studio_server import ensure_installed; \
		ensure_installed(progress=lambda said: print(said, file=sys.stderr, flush=True))"

lint: $(DEV)  ## ruff: lint and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(DEV)  ## mypy --strict
	@$(BIN)/mypy --strict labelops flows

imports: $(DEV)  ## layers: imports go down only
	@$(BIN)/lint-imports

doctest: $(DEV)  ## the examples in the documentation of functions
	@$(BIN)/python -m pytest -q --doctest-modules labelops flows $(PYTEST_ARGS)

docs: $(DEV)  ## write the reference: commands from their --help, settings from their docstrings
	@$(BIN)/python docs/build_reference.py

bench: $(DEV)  ## the benchmarks, each a table with time and memory
	@set -e; for name in ingest collect journey; do \
		$(BIN)/python -m benchmarks.$$name $(ARGS); \
	done

lock:  ## resolve the locks anew (needs uv)
	@$(UV_COMPILE) --group dev --output-file requirements/dev.txt >/dev/null
	@$(UV_COMPILE) --constraint requirements/dev.txt --output-file requirements/base.txt >/dev/null
	@for lock in base dev; do \
		printf '$(LOCK_HEADER)' | cat - requirements/$$lock.txt > requirements/$$lock.new && \
		mv requirements/$$lock.new requirements/$$lock.txt || exit 1; \
	done

clean:  ## remove what was made here
	rm -rf $(VENV) build dist *.egg-info demo
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BASE): requirements/base.txt $(SOURCES)
	@$(PYTHON) requirements/install.py $(VENV) requirements/base.txt
	@touch $@

$(DEV): requirements/dev.txt $(SOURCES)
	@$(PYTHON) requirements/install.py $(VENV) requirements/dev.txt
	@touch $(BASE) $@
