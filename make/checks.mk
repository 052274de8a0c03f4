# What the project stands on and hands out, checked with tools that nothing else needs.
.PHONY: audit check-manifests test-python

CHECKS := build/checks/venv

$(CHECKS)/.installed: scripts/_checks/requirements.lock | $(VENV)/.installed
	$(BIN)/uv venv --quiet --clear $(CHECKS)
	$(BIN)/uv pip install --quiet --python $(CHECKS)/bin/python --require-hashes -r $<
	touch $@

audit: setup $(CHECKS)/.installed ## Ask PyPI and npm for known vulnerabilities of locked packages; STRICT=1 fails where they do not answer
	python -m scripts._checks.audit $(CHECKS)/bin/pip-audit $(if $(STRICT),--strict)

# The oldest version whose fields they use, and the newest that the validator knows.
check-manifests: $(CHECKS)/.installed ## Hold ops/kubernetes to Kubernetes' own schemas
	$(CHECKS)/bin/kubernetes-validate --strict --quiet --kubernetes-version 1.29 --kubernetes-version 1.37 ops/kubernetes/*.yml

# Another interpreter, by name or path: its own environment with the same lock.
OTHER := build/python/$(notdir $(PYTHON))

test-python: setup ## The units on another Python: PYTHON=python3.12
	$(BIN)/uv venv --quiet --clear --no-project --python $(PYTHON) $(OTHER)
	$(BIN)/uv pip install --quiet --python $(OTHER)/bin/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(OTHER)/bin/python --no-deps --no-build-isolation --editable .
	PATH=$(CURDIR)/$(OTHER)/bin:$$PATH NUMBA_CACHE_DIR=$(CURDIR)/$(OTHER)/numba $(UNITS) -m 'not deep'
