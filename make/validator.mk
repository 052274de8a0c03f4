# Validators and the watcher: their tests, soak and measurements.
.PHONY: test-validator test-deep-validator bench-oracle

test-validator: setup ## Rules, epochs in virtual time, power cuts, fuzzing, processes of validators
	pytest -p no:ape_test tests/unit/validator tests/unit/watcher
	pytest -p no:ape_test tests/integration/validator -m "not deep"

test-deep-validator: setup ## Kill validators at every step; a soak of 100 epochs with faults from a seed
	ASSAY_FUZZ_EXAMPLES=400 pytest -p no:ape_test tests/integration/validator -m "deep or not deep"

bench-oracle: setup ## One validator against 10 to 10,000 devices, and committees: time, memory, gas
	python -m benchmarks.oracle.bench --page
	python -m benchmarks.oracle.committees --page
