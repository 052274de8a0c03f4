# Contracts: tests through Ape, and deployments.
.PHONY: test-contracts check-deployment

test-contracts: build ## Contracts, deployed and used through Ape
	ape test tests/contracts

check-deployment: build ## Compare a deployment with its parameters: NETWORK=… (an Ape network or URL)
	ape run check_deployment --network $(or $(NETWORK),http://127.0.0.1:8545)
