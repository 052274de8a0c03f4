"""The renter's library: search, lease, verify, run. The command line uses nothing else."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.renter.lease.rented import Rented
    from assay.renter.market.search import Order, Wanted
    from assay.renter.money.amounts import deposit_for, parse_amount, show_amount
    from assay.renter.money.wallet import Minima
    from assay.renter.renter import Renter
    from assay.renter.settings import RenterSettings
    from assay.renter.sync import SyncRenter

__all__ = [
    "Minima", "Order", "Placement", "Rented", "Renter", "RenterSettings", "SyncRenter", "Wanted", "deposit_for",
    "parse_amount", "show_amount",
]  # fmt: skip

_HOMES = {
    "Minima": "money.wallet",
    "Order": "market.search",
    "Placement": "market.placement",
    "Rented": "lease.rented",
    "Renter": "renter",
    "RenterSettings": "settings",
    "SyncRenter": "sync",
    "Wanted": "market.search",
    "deposit_for": "money.amounts",
    "parse_amount": "money.amounts",
    "show_amount": "money.amounts",
}


def __getattr__(name: str) -> Any:
    """Imported when first asked for: the command line must not wait for what it does not use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
