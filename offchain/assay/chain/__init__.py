"""The chain as the daemons see it: a deployment, fixed blocks, typed readers, one sender a key."""
