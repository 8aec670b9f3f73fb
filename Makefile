# Two commands for a fresh machine: `make demo` and `make test`. Each sets up .venv by itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test lint types clean

help:
	@echo "make demo   set up $(VENV) and find insects on the sample photos"
	@echo "make test   set up $(VENV), lint, type check and run every test"
	@echo "make clean  remove $(VENV) and results/"

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Name another with: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable ".[test]"
	@touch $(READY)

demo: $(READY)
	$(BIN)/agri-clip detect data/samples --prompts data/prompts/greenhouse.yaml --out results/demo

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

test: lint types
	$(BIN)/python -m pytest --numprocesses 2

clean:
	rm -rf $(VENV) results
