# What a public network will meet, on this machine.
.PHONY: hardhat

HARDHAT := scripts/hardhat/node_modules/.installed

$(HARDHAT): scripts/hardhat/package.json scripts/hardhat/package-lock.json
	cd scripts/hardhat && npm ci --silent
	touch $@

hardhat: $(HARDHAT) ## Install a second implementation of a local chain: ape run devnet demo --node hardhat
