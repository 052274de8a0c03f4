"""Cheating provers, each a real implementation of one attack. No honest component imports them."""
