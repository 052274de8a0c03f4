"""How much one validator can bear: time, memory and gas against the number of devices."""
