"""What happened in a demo, gathered from the chain and the daemons' answers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from assay.devnet.ledger import TransactionRecord
from assay.devnet.market_pages import MarketPages


@dataclass(frozen=True)
class DeviceResult:
    """One device's line in a report. Score in giga-operations a second, flags by name."""

    device_id: str
    provider: str
    address: str
    flags: list[str]
    score_gops: int
    uptime_bps: int


@dataclass(frozen=True)
class SlashResult:
    """A fault proven on-chain, and what became of the stake once it had been held. Amounts in
    base units of the network token."""

    provider: str
    address: str
    device_id: str
    kind: str
    element: dict[str, int]
    amount: int
    held_seconds: int
    bounty: int
    burned: int
    reporter: str
    tx: str


@dataclass(frozen=True)
class LeaseResult:
    """The money of one lease, in base units of its token, and what its job printed. `operator` signed the offer and
    started it on a bond out of the provider's credit; `paid_to` is where rent and bond went."""

    lease_id: int
    devices: int
    provider: str
    operator: str
    paid_to: str
    token: str
    decimals: int
    rate: int
    seconds: int
    deposit: int
    streamed: int
    claimed: int
    fee: int
    refunded: int
    bond: int
    bond_returned: int
    job_status: int
    job_output: str


@dataclass(frozen=True)
class StakeChange:
    """A whole stake, active and pending, before and after, and what its account has earned by the newest
    report; base units of the network token."""

    name: str
    address: str
    before: int
    after: int
    earned: int


@dataclass(frozen=True)
class GasRow:
    """Gas of all transactions of one name."""

    name: str
    count: int
    lowest: int
    middle: int
    highest: int


@dataclass(frozen=True)
class DemoOutcome:
    """Everything the demo shows at its end and writes to demo.json."""

    epoch: int
    devices: list[DeviceResult]
    transactions: list[TransactionRecord]
    stakes: list[StakeChange]
    slash: SlashResult
    lease: LeaseResult
    pages: MarketPages
    wall_seconds: float

    def gas(self) -> list[GasRow]:
        """Gas by name of transaction, ascending name; failed transactions are left out."""
        by_name: dict[str, list[int]] = {}
        for one in self.transactions:
            if one.succeeded:
                by_name.setdefault(one.name, []).append(one.gas)
        return [GasRow(name, len(gas), min(gas), int(median(gas)), max(gas)) for name, gas in sorted(by_name.items())]

    def write(self, path: Path) -> None:
        """Write as JSON, keys in camel case."""
        document = {
            "epoch": self.epoch,
            "devices": [_camel(asdict(device)) for device in self.devices],
            "transactions": [
                {"name": t.name, "gas": t.gas, "block": t.block, "tx": t.hash, "succeeded": t.succeeded}
                for t in self.transactions
            ],
            "stakes": [_camel(asdict(stake)) for stake in self.stakes],
            "slash": _camel(asdict(self.slash)),
            "lease": _camel(asdict(self.lease)),
            "pages": asdict(self.pages),
            "wallSeconds": round(self.wall_seconds, 1),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2) + "\n")


def _camel(fields: dict[str, object]) -> dict[str, object]:
    renamed = {}
    for name, value in fields.items():
        first, *rest = name.split("_")
        renamed[first + "".join(word.capitalize() for word in rest)] = value
    return renamed
