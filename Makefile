# Everything runs in .venv, which is made on first use and re-used until pyproject.toml changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test check format clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed  ## Audit, sanitize and report on embedded real data, into out/demo
	@$(BIN)/irene demo

test: check  ## Run all checks and tests
	@$(BIN)/pytest -q

check: $(VENV)/tested  ## Run the linter and the type checker
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check .
	@$(BIN)/mypy --no-error-summary

format: $(VENV)/tested  ## Format the code
	@$(BIN)/ruff format .

clean:  ## Remove the environment and the outputs
	rm -rf $(VENV) out

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
