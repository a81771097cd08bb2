# The verbs of the project. Hooks and CI call the same ones.
RECIPE ?= cnn_digits
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup run ui test oracle check format hooks bench clean

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready  ## make .venv from requirements.lock, the databases, and DVC's local remote

.venv/.ready: requirements.lock infra/setup.sh
	@PYTHON="$(PYTHON)" sh infra/setup.sh

run: setup  ## train RECIPE (cnn_digits), examine, register and promote it
	@./miar run $(RECIPE)

ui: setup  ## start Prefect, MLflow and a worker, until Ctrl-C
	@exec ./miar ui

test: setup  ## all tests, each file in one of up to four processes, the slowest files first
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

oracle: .venv-oracle/.ready  ## hold parts against torchvision's and keras-hub's (fetches them, gigabytes)
	KERAS_BACKEND=torch .venv-oracle/bin/python -m pytest -c /dev/null --rootdir . tests/models/oracle_*.py

.venv-oracle/.ready: pyproject.toml infra/oracle.sh
	@PYTHON="$(PYTHON)" sh infra/oracle.sh

check: setup  ## format, lint, types, import rules, catalogue, dvc.yaml and deployments
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tasks check
	$(BIN)/python -m flows check

format: setup  ## let ruff put the code in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

hooks: setup  ## call `make check` before every commit
	git config core.hooksPath infra/hooks

bench: setup  ## measure the flow against a bare Keras script
	$(BIN)/python -m bench

clean:  ## remove caches, logs and test artifacts; data, registry and .venv stay
	rm -rf .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .prefect/logs test-artifacts
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
