"""Listings and leases as JSON, for programs, and as lines of a table, for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from assay.chain.leases import Lease
from assay.cli.output import OutputFormat
from assay.protocol.hexadecimal import to_hex
from assay.renter.money import show_amount
from assay.renter.search import Listing
from assay.renter.wallet import Done


def listing_json(listing: Listing) -> dict[str, Any]:
    """A listing for programs; the price in whole tokens an hour."""
    leaf, offer = listing.measured.leaf, listing.signed.offer
    return {
        "deviceId": to_hex(listing.device.device_id),
        "provider": offer.provider,
        "endpoint": listing.device.endpoint,
        "profile": leaf.profile,
        "epoch": leaf.epoch,
        "scoreGops": leaf.score_gops,
        "memoryMiB": leaf.memory_mib,
        "uptimeBps": leaf.uptime_bps,
        "pricePerHour": price_text(listing),
        "token": offer.token,
        "rate": str(offer.rate),
        "minDuration": offer.min_duration,
        "maxDuration": offer.max_duration,
        "roundTripMs": round(listing.signed.round_trip_ms, 1),
    }


def price_text(listing: Listing) -> str:
    """Whole tokens an hour, to the token's last digit."""
    return format(listing.price.quantize(Decimal(1).scaleb(-listing.decimals)), "f")


def lease_json(lease: Lease, streamed: int, decimals: int) -> dict[str, Any]:
    """A lease for programs: amounts in base units as decimal text, and in whole tokens beside."""
    amounts = {
        "deposit": lease.deposit,
        "streamed": streamed,
        "claimed": lease.claimed,
        "refunded": lease.refunded,
        "bond": lease.bond,
    }
    return {
        "leaseId": lease.lease_id,
        "status": lease.status.name.lower(),
        "deviceId": to_hex(lease.device_id),
        "renter": lease.renter,
        "provider": lease.provider,
        "token": lease.token,
        "decimals": decimals,
        "rate": str(lease.rate),
        "start": lease.start,
        "stop": lease.stop,
        **{name: str(value) for name, value in amounts.items()},
        "tokens": {name: show_amount(value, decimals) for name, value in amounts.items()},
    }


def transactions_json(done: Sequence[Done]) -> list[dict[str, Any]]:
    """Transactions for programs."""
    return [{"name": one.name, "hash": one.hash or None, "gas": one.gas_used} for one in done]


def show_listings(found: Sequence[Listing], output: OutputFormat) -> None:
    """Prints what a search found."""
    rows = [listing_json(listing) for listing in found]
    if output is OutputFormat.json:
        sys.stdout.write(json.dumps({"devices": rows}) + "\n")
        return
    columns = {
        "deviceId": "device",
        "scoreGops": "score, gops",
        "memoryMiB": "memory, MiB",
        "uptimeBps": "uptime, %",
        "pricePerHour": "price an hour",
        "roundTripMs": "round trip, ms",
        "endpoint": "endpoint",
    }
    _table(columns, [{**row, "uptimeBps": row["uptimeBps"] / 100} for row in rows])


def _table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in columns.values():
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(str(row[name]) for name in columns))
    Console(soft_wrap=True).print(table)
