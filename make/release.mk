# What is published: RELEASE_KEY names an SSH key that signs, RELEASE_REPOSITORY and RELEASE_BUILDER who built from what.
.PHONY: release test-deep-release

release: setup market-assets ## Wheel, sdist, SBOM, licences, checksums, provenance in build/dist; SNAPSHOT=1 of any tree
	python -m scripts._release.build build/dist $(if $(SNAPSHOT),--snapshot)

test-deep-release: build ## The wheel, installed where nothing else is, runs the demo: ASSAY_WHEEL_PYTHON names another Python
	pytest -p no:ape_test tests/release -m deep
