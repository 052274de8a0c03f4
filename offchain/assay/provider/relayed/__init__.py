"""The way in through a relay, for a host without a public address: this daemon reaches out, and takes what comes."""
