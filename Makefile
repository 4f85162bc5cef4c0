# The two commands: `make demo` and `make test`. Everything else serves them.
# PYTHON names the interpreter for the virtual environment (3.11 to 3.13).
SHELL := /bin/bash
PYTHON ?= $(shell bash scripts/find-python)
VENV := .venv
# One process of tests for each core, four at most: each has its own servers.
WORKERS ?= -n logical --maxprocesses 4 --dist worksteal
BIN := $(VENV)/bin

.PHONY: install system demo test check bench train clean

install: $(VENV)/.installed

system:
	@bash scripts/system-packages

$(VENV)/.installed: pyproject.toml constraints.txt scripts/system-packages
	@bash scripts/system-packages
	@bash scripts/make-venv "$(PYTHON)" $(VENV)
	@touch $@

demo: install
	@$(BIN)/sortie demo

test: check
	@$(BIN)/python -m pytest $(WORKERS)

check: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy contracts hardware models vision edge hub store_sim auditor sortie tests benchmarks
	@$(BIN)/lint-imports

bench: install
	@$(BIN)/sortie bench edge
	@$(BIN)/sortie bench hub
	@$(BIN)/sortie bench parcels
	@$(BIN)/sortie bench sim
	@$(BIN)/sortie bench torture

train: install
	@$(BIN)/python -m pip install --quiet -c constraints.txt -c constraints-train.txt -e '.[train]'
	@$(BIN)/sortie train all

clean:
	rm -rf $(VENV) build var runs *.egg-info
