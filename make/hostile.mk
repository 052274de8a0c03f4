# A network that is attacked from all sides.
.PHONY: test-hostile test-deep-hostile test-deep-defences

test-hostile: build ## Every trick of the hostile network once (seconds)
	pytest -p no:ape_test tests/hostile -m 'not deep'

# With the machine to itself: an epoch in which honest daemons get no processor is void for that alone.
test-deep-hostile: build ## A seat, a device, a renter, strangers and a node attack a network: ASSAY_HOSTILE_SEED, _SECONDS
	pytest -p no:ape_test -s tests/hostile -m deep

test-deep-defences: build ## Take out defences of the daemons one by one; the tests that docs/why/security.md names must notice
	python tests/mutation/python_defences.py
