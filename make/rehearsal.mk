# What a public network will meet, on this machine.
.PHONY: hardhat rehearsal

HARDHAT := scripts/hardhat/node_modules/.installed

$(HARDHAT): scripts/hardhat/package.json scripts/hardhat/package-lock.json
	cd scripts/hardhat && npm ci --silent
	touch $@

hardhat: $(HARDHAT) ## Install a second implementation of a local chain: ape run devnet demo --node hardhat

# One after the other: each wants the machine to itself.
rehearsal: build $(HARDHAT) ## Rehearse a launch on both local chains: seats killed, a veto, a sunset, a second deployment
	ape run devnet rehearsal --node anvil $(REHEARSAL)
	ape run devnet rehearsal --node hardhat --epoch-seconds 36 $(REHEARSAL)
