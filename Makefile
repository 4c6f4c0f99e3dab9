# Everything runs in .venv, which is made on first use and re-used until pyproject.toml changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SPREAD := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test coverage quick docs examples lowest check format clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed  ## Audit, sanitize and report on embedded real data, into out/demo
	@$(BIN)/irene demo

test: check  ## Run all checks and tests
	@$(BIN)/pytest -q $(SPREAD)

coverage: check  ## The same, and fail where less than nine lines in ten run
	@$(BIN)/pytest -q $(SPREAD) --cov --cov-report=

quick: $(VENV)/tested  ## Run the linter and the quick tests
	@$(BIN)/ruff check -q .
	@$(BIN)/pytest -q $(SPREAD) -m 'not slow and not browser and not data'

docs: $(VENV)/tested  ## Build the manual into out/site; a link that leads nowhere fails
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

examples: $(VENV)/tested  ## Run the examples, and hold them against what is kept of them
	@$(BIN)/python examples/run.py

lowest:  ## Run the quick tests with the lowest declared versions, in .venv-lowest
	@$(PYTHON) -m venv .venv-lowest
	@$(PYTHON) .ci/lowest.py > .venv-lowest/constraints.txt
	@echo "Installing the lowest declared versions, an older PyTorch among them, into .venv-lowest ..."
	@.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint .venv-lowest/constraints.txt --editable '.[test]'
	@.venv-lowest/bin/pytest -q $(SPREAD) -m 'not slow and not browser and not data'

check: $(VENV)/tested  ## Run the linter and the type checker
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check .
	@$(BIN)/mypy --no-error-summary

format: $(VENV)/tested  ## Format the code, and count it for CONTRIBUTING.md
	@$(BIN)/ruff format .
	@$(BIN)/python benchmarks/house.py --write

clean:  ## Remove the environment and the outputs
	rm -rf $(VENV) .venv-lowest out

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "irene needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing irene and PyTorch into $(VENV); this takes minutes, once ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/tested: pyproject.toml | $(VENV)/bin/python
	@echo "Installing irene, PyTorch and the test tools into $(VENV); this takes minutes, once ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(VENV)/installed
