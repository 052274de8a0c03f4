"""A launch rehearsed on one machine: what a public network must survive, drill after drill."""
