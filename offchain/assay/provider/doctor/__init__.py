"""Everything that a rental will need, looked at one by one."""
