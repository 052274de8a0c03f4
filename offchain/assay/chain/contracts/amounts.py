"""Amounts as people read them."""

from __future__ import annotations


def show_amount(base_units: int, decimals: int) -> str:
    """Whole tokens as decimal text, without trailing zeros."""
    whole, fraction = divmod(base_units, 10**decimals)
    digits = str(fraction).rjust(decimals, "0").rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)
