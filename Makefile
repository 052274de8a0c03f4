# Every target sets up what it needs; nothing is fetched from anywhere but PyPI and npm.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
COMPILED := .build/.compiled
WARMED := .build/.warmed
BIN := $(VENV)/bin
UV_VERSION := 0.13.9

export SOLCX_BINARY_PATH := $(CURDIR)/scripts/solc
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$(PATH)
# Numba's default threads spin against BLAS.
export NUMBA_THREADING_LAYER := workqueue
export OMP_WAIT_POLICY := passive
export APE_TELEMETRY := 0
unexport PYTHONDONTWRITEBYTECODE

# Ctrl-C and failures leave no half-written target.
.DELETE_ON_ERROR:
.PHONY: beside-it units-beside slow-units-beside providers-beside pages-beside test-quick quick-units lint-python lint-contracts test-providers test-daemons test-market-service test-deep-units help setup build lint format demo devnet test test-packages test-unit test-integration test-end-to-end test-deep lock clean

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

# The contracts and the proof kernels are compiled once, side by side; both caches make every later start quick.
build: setup market-assets ## Compile the contracts and the proof kernels
	@# Ape looks at each contract's own file; what it imports may have changed under it, so all are compiled anew.
	@# The copies of imports that it leaves hide the folders that a directory lists behind them.
	@stale() { [ ! -e "$$1" ] || \
	  [ -n "$$(find "$${@:2}" -type f -not -path '*/.cache/*' -not -path '*/__pycache__/*' -newer "$$1" -print -quit)" ]; }; \
	contracts() { if stale $(COMPILED) contracts ape-config.yaml package-lock.json; then ape compile --force && rm -rf contracts/.cache && touch $(COMPILED); fi; }; \
	kernels() { if stale $(WARMED) offchain/assay/proof requirements.lock; then python -m assay.proof.warm_up && touch $(WARMED); fi; }; \
	mkdir -p .build; contracts & compiling=$$!; kernels; wait $$compiling

demo: build ## Watch the whole market do its job on a local chain
	ape run devnet demo

devnet: build ## Leave a local network running
	ape run devnet up

lint: lint-python lint-contracts docs check-manifests ## Check types and style of everything, and the documents' links

lint-python: setup
	ruff check offchain scripts tests benchmarks
	ruff format --check offchain scripts tests benchmarks
	mypy

lint-contracts: setup
	NODE_PATH=$(CURDIR)/scripts/solhint solhint --disc --noPoster --max-warnings 0 'contracts/**/*.sol'
	prettier --check 'contracts/**/*.sol'

format: setup ## Put everything into its format
	ruff check --fix offchain scripts tests benchmarks
	ruff format offchain scripts tests benchmarks
	prettier --write 'contracts/**/*.sol'

SIDE_BY_SIDE := $(MAKE) --no-print-directory --jobs --output-sync=target

# For two cores: what waits for clocks, containers and chains beside what reckons, which gives way to it.
test: build test-packages ## Run every test
	$(SIDE_BY_SIDE) test-end-to-end beside-it contracts-beside units-beside
	$(SIDE_BY_SIDE) test-daemons providers-beside pages-beside slow-units-beside

# One after the other: Forge's two share a folder. The hostile tricks wait for each other more than they reckon.
beside-it:
	nice -n 19 $(MAKE) --no-print-directory lint
	nice -n 19 $(MAKE) --no-print-directory test-forge
	nice -n 19 $(MAKE) --no-print-directory check-gas
	nice -n 19 $(MAKE) --no-print-directory test-hostile

contracts-beside: build
	nice -n 19 $(MAKE) --no-print-directory test-contracts

test-quick: setup ## ruff, mypy and the units that take no time
	$(SIDE_BY_SIDE) quick-units lint-python

# What a lease and the market run on where they run for real; without root the tests that need it say so and are skipped.
DEBIAN_PACKAGES := podman runc catatonit nftables iproute2 busybox-static bubblewrap openssh-client openssh-sftp-server rsync tmux \
  docker-registry postgresql chromium caddy curl

test-packages:
	@present=$$(dpkg-query -W -f '$${Package} $${Status}\n' $(DEBIAN_PACKAGES) 2>/dev/null | grep -c ' installed$$' || true); \
	if [ "$$present" = "$(words $(DEBIAN_PACKAGES))" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $(DEBIAN_PACKAGES) > /dev/null; \
	else echo "tests that need one of $(DEBIAN_PACKAGES) are skipped where it is missing"; fi

test-deep: build test-deep-units test-forge-deep test-deep-contracts test-deep-validator test-deep-market test-deep-provider test-deep-hostile test-deep-defences test-deep-release ## Long fuzzing and soaks

# Validators in virtual time sync every signature, and would wait for a disk: their files are in memory where it is large
# enough and programs may run from it.
MEMORY := $(shell [ -w /dev/shm ] && [ "$$(df -Pk /dev/shm | awk 'NR == 2 {print $$4}')" -gt 2000000 ] && \
  ! grep -q ' /dev/shm [^ ]* [^ ]*noexec' /proc/mounts && echo /dev/shm)
UNITS := $(if $(MEMORY),env PYTEST_DEBUG_TEMPROOT=$(MEMORY)) pytest -p no:ape_test -p no:schemathesis -n 2 --dist worksteal tests/unit

test-unit: setup ## Tests without clock, socket or chain
	$(UNITS) -m 'not deep'

units-beside: setup
	nice -n 19 $(UNITS) -m 'not deep and not slow'

slow-units-beside: setup
	nice -n 19 $(UNITS) -m 'slow and not deep'

providers-beside: setup
	nice -n 5 $(MAKE) --no-print-directory test-providers

pages-beside: build
	nice -n 10 $(MAKE) --no-print-directory test-market-service

quick-units: setup
	$(UNITS) -m 'not deep and not slow'

test-deep-units: setup ## All of them over new examples, with those that take minutes
	ASSAY_RANDOM_EXAMPLES=1 $(UNITS) -m 'deep or not deep'

test-integration: test-providers test-daemons test-market-service ## Single parts against a real chain and real processes

test-providers: setup
	pytest -p no:ape_test tests/integration/provider -m 'not deep'

# Apart from the others: Playwright keeps an event loop running to the end of its process.
test-market-service: build
	pytest -p no:ape_test tests/integration/market_service -m 'not deep'

# One file a process: most of these wait for a chain in real time while others reckon in virtual time.
test-daemons: build
	pytest -p no:ape_test -n 2 --dist loadfile tests/integration/network tests/integration/chain tests/integration/validator -m 'not deep'

test-end-to-end: build ## The whole market as a user meets it
	pytest -p no:ape_test tests/end_to_end

-include make/*.mk

lock: ## Resolve the lock files anew
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip compile pyproject.toml --extra distributed --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --quiet --output-file requirements.lock
	npm install --package-lock-only

clean: ## Remove what was built, not what was installed
	rm -rf build .build .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
