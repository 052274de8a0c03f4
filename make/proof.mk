# Proof of compute: tests and measurements. Included by the Makefile.
.PHONY: test-proof bench-cpu bench-verify bench-gpu adversary-report

test-proof: setup ## Tests of the proof of compute
	pytest tests/unit/proof

bench-cpu: setup ## The cpu engine beside numpy's matmul
	$(BIN)/python -m benchmarks.proof.cpu

bench-verify: setup ## Verification: time a device, 1 to 1,000 devices
	$(BIN)/python -m benchmarks.proof.verify

bench-gpu: setup ## On a machine with a card: check the GPU engines, then measure them
	$(BIN)/python -m benchmarks.proof.gpu

adversary-report: setup ## Play every attack and renew the table of docs/why/adversaries.md
	assay adversary report --trials 1000 --write docs/why/adversaries.md
