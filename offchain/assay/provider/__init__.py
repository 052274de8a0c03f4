"""The provider's daemon: answers challenges, signs offers, serves leases, runs workloads."""
