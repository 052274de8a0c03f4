# Every target sets up what it needs; nothing is fetched from anywhere but PyPI and npm.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9

export SOLCX_BINARY_PATH := $(CURDIR)/scripts/solc
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$(PATH)
# Numba's default threads spin against BLAS.
export NUMBA_THREADING_LAYER := workqueue
export OMP_WAIT_POLICY := passive
export APE_TELEMETRY := 0
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup lock

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

node_modules/.installed: package.json package-lock.json .npmrc
	npm ci --silent
	touch $@

setup: $(VENV)/.installed node_modules/.installed ## Fill .venv and node_modules

lock: ## Resolve the lock files anew
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --quiet --output-file requirements.lock
	npm install --package-lock-only
