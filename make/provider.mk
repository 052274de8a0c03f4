# The provider's daemon and the renter's library.
.PHONY: test-provider test-workloads test-deep-provider examples bench-renter bench-ssh bench-pods bench-endpoints bench-relay

test-provider: setup ## Unit tests of provider and renter
	pytest tests/unit/provider tests/unit/renter

test-workloads: setup ## Jobs in real containers and namespaces, TLS and SSH on real sockets
	pytest tests/integration/provider

examples: setup ## Run the example jobs on this machine, without a lease
	mkdir -p build/examples
	cd build/examples && for job in "fine_tune.py --base" fine_tune.py render_frames.py serve_model.py; do \
		python $(CURDIR)/examples/$$job || exit 1; done

# Volumes of leases whose grace has not passed.
UNMOUNTED := awk '$$2 ~ "$(CURDIR)/build/bench-renter/" {print $$2}' /proc/mounts | xargs -r umount

bench-renter: build ## From `assay rent` to a prompt, and how soon log lines arrive
	@$(UNMOUNTED)
	rm -rf build/bench-renter
	python -m benchmarks.renter.rent_to_prompt
	@$(UNMOUNTED)

bench-ssh: setup ## SFTP and rsync through a provider's SSH server, beside OpenSSH's own
	python -m benchmarks.provider.ssh_transfer

bench-pods: setup ## A pod's processor and disk beside its host's, and the daemon's own load with 16 pods
	python -m benchmarks.provider.pods

bench-endpoints: setup ## What a public port adds to a request
	python -m benchmarks.provider.endpoints

bench-relay: setup ## What a relay adds to a request, and how much goes through it
	python -m benchmarks.provider.relay

test-deep-provider: build ## Notebooks in a browser; pods rented and attacked; the examples and JupyterLab on leases
	pytest -p no:ape_test tests/integration/provider -m deep
	pytest -p no:ape_test tests/end_to_end -m deep
