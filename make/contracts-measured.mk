# Attacks on the contracts, and what they cost.
.PHONY: test-forge test-forge-deep bench-gas check-gas update-gas mutation mutation-defences coverage-contracts test-deep-contracts

MUTANTS ?= 60
MUTATION_SEED ?= 1

test-forge: setup ## Threats, framing and short invariants of the contracts
	forge test

test-forge-deep: setup ## The same with 5,000 fuzz runs and 1,000 invariant runs of depth 100
	FOUNDRY_PROFILE=deep forge test

check-gas: setup ## Show every change of gas against snapshots/gas.json
	rm -f build/forge/gas.csv
	mkdir -p build/forge
	FOUNDRY_PROFILE=gas forge test -j1 --silent
	python benchmarks/gas_table.py check

update-gas: setup ## Accept the gas that was measured as snapshots/gas.json
	rm -f build/forge/gas.csv
	mkdir -p build/forge
	FOUNDRY_PROFILE=gas forge test -j1 --silent
	python benchmarks/gas_table.py update

benchmarks/peers/node_modules/.installed: benchmarks/peers/package.json benchmarks/peers/package-lock.json
	cd benchmarks/peers && npm ci --silent --ignore-scripts
	touch $@

bench-gas: setup benchmarks/peers/node_modules/.installed ## Gas of every operation beside its peers: benchmarks/gas.json
	rm -f build/forge/gas.csv
	mkdir -p build/forge
	FOUNDRY_PROFILE=peers forge test -j1 --silent
	python benchmarks/gas_table.py bench

mutation: setup ## Mutate the contracts and count what the Forge tests kill
	python tests/mutation/run.py --sample $(MUTANTS) --seed $(MUTATION_SEED)

mutation-defences: setup ## Take out each defence that docs/reference/testing.md names; its test must notice
	python tests/mutation/run.py --defences

# Artifacts of its own: it compiles through the other pipeline.
coverage-contracts: setup ## Lines and branches that the Forge tests reach
	mkdir -p build/coverage
	FOUNDRY_PROFILE=coverage FOUNDRY_OUT=build/coverage/out FOUNDRY_CACHE_PATH=build/coverage/cache forge coverage --ir-minimum \
	  --report summary --report lcov --report-file build/coverage/lcov.info \
	  --no-match-coverage '(tests|node_modules|contracts/test)'

test-deep-contracts: build ## Through Ape: the market in any order, hundreds of times; deployments to their own networks
	ape test tests/contracts -m deep

build/analysis/venv/.installed: tests/analysis/requirements.lock
	$(PYTHON) -m venv build/analysis/venv
	build/analysis/venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

# Its own environment: it does not resolve together with Ape.
.PHONY: slither halmos
slither: setup build/analysis/venv/.installed ## Static analysis of the contracts; docs/why/security.md answers the findings
	tests/analysis/slither.sh --fail-none

halmos: setup build/analysis/venv/.installed ## Proofs of the stream and of the packed dot product
	build/analysis/venv/bin/python tests/analysis/integer_proofs.py
	tests/analysis/halmos.sh
