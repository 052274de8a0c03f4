"""The provider's terms, in a file that the running daemon reads at each question: a new price holds at once."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from assay.protocol.encoding import EncodingError
from assay.protocol.hexadecimal import parse_bytes32, to_hex
from assay.protocol.leases import check_device_ids
from assay.protocol.types import DeviceId
from assay.provider.errors import ProviderError
from assay.provider.offers.offers import Price

BPS = 10_000


@dataclass(frozen=True)
class Discount:
    """For quotes of `seconds` or more: that many hundredths of a percent off."""

    seconds: int
    bps: int


@dataclass(frozen=True)
class Node:
    """Devices (0x-hex, ascending) that are leased together or not at all, at the price of all of them."""

    devices: tuple[str, ...]
    price: Price

    def __post_init__(self) -> None:
        try:
            check_device_ids(self.device_ids)
        except EncodingError as error:
            raise ProviderError(f"a node: {error}") from None

    @property
    def device_ids(self) -> tuple[DeviceId, ...]:
        """Its devices, 32 bytes each, ascending."""
        return tuple(DeviceId(parse_bytes32(device, "device")) for device in self.devices)


@dataclass(frozen=True)
class ProviderTerms:
    """Prices by device (0x-hex), nodes by name, whether offers are made at all, which nonces are to be cancelled,
    discounts, and what a running daemon is asked to do about leases: give notice, release, end.
    """

    prices: dict[str, Price] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    draining: bool = False
    nonce_floors: dict[str, int] = field(default_factory=dict)
    discounts: tuple[Discount, ...] = ()
    notices: tuple[int, ...] = ()
    releases: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()

    def with_price(self, device: str, price: Price) -> ProviderTerms:
        """The same with another price."""
        return replace(self, prices={**self.prices, device: price})

    def with_node(self, name: str, node: Node) -> ProviderTerms:
        """The same with a node more, or another one of that name."""
        return replace(self, nodes={**self.nodes, name: node})

    def without_node(self, name: str) -> ProviderTerms:
        """The same without a node. Raises ProviderError for a name that none has."""
        if name not in self.nodes:
            raise ProviderError(f"no node {name!r}: there are {', '.join(sorted(self.nodes)) or 'none'}")
        return replace(self, nodes={known: node for known, node in self.nodes.items() if known != name})

    def token_for(self, device: str, given: str | None) -> str:
        """`given`, else the token of the device's price, else of another's. Raises ProviderError without any."""
        prices = [self.prices[device]] if device in self.prices else list(self.prices.values())
        tokens = [given] if given else [price.token for price in prices]
        if not tokens:
            raise ProviderError("in which token? name its address with --token or ASSAY_TOKEN")
        return tokens[-1]

    def with_floors(self, floors: Mapping[str, int]) -> ProviderTerms:
        """The same with all offers for these devices below their nonces cancelled."""
        return replace(self, nonce_floors={**self.nonce_floors, **floors})

    def with_order(self, kind: Literal["notices", "releases", "ends"], lease_id: int) -> ProviderTerms:
        """The same with something for the daemon to do about a lease."""
        orders: tuple[int, ...] = getattr(self, kind)
        changes: dict[str, Any] = {kind: tuple(sorted({*orders, lease_id}))}
        return replace(self, **changes)

    def tokens(self) -> list[str]:
        """Every token that something is priced in."""
        return sorted({price.token for price in (*self.prices.values(), *(node.price for node in self.nodes.values()))})

    def quote(self, price: Price, seconds: int) -> Price:
        """The price for a lease of that length, the largest fitting discount taken off, rounded down."""
        bps = max((d.bps for d in self.discounts if seconds >= d.seconds), default=0)
        return replace(price, rate=max(1, price.rate * (BPS - bps) // BPS))


class TermsFile:
    """Terms as JSON; written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "terms.json"

    def read(self) -> ProviderTerms:
        """The terms; empty where there is no file. Raises ProviderError for a damaged one."""
        try:
            return _terms(json.loads(self.path.read_text()))
        except FileNotFoundError:
            return ProviderTerms()
        except (OSError, ValueError, TypeError, KeyError, AttributeError, ProviderError) as error:
            raise ProviderError(f"{self.path}: damaged ({error}); move it away and set prices again") from error

    def write(self, terms: ProviderTerms) -> None:
        """Replaces the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        with partial.open("w") as file:
            json.dump(asdict(terms), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path)


def _terms(data: Any) -> ProviderTerms:
    """Terms of a file's content; what it leaves out is as without a file. A name that is none is not passed over:
    whoever mistyped it would believe that it holds.
    """
    if unknown := set(dict(data)) - {one.name for one in fields(ProviderTerms)}:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    return ProviderTerms(
        prices={device: Price(**price) for device, price in data.get("prices", {}).items()},
        nodes={
            name: Node(tuple(_device(device) for device in node["devices"]), Price(**node["price"]))
            for name, node in data.get("nodes", {}).items()
        },
        draining=bool(data.get("draining", False)),
        nonce_floors={device: int(floor) for device, floor in data.get("nonce_floors", {}).items()},
        discounts=tuple(Discount(**discount) for discount in data.get("discounts", [])),
        notices=tuple(int(lease_id) for lease_id in data.get("notices", [])),
        releases=tuple(int(lease_id) for lease_id in data.get("releases", [])),
        ends=tuple(int(lease_id) for lease_id in data.get("ends", [])),
    )


def _device(text: str) -> str:
    return to_hex(parse_bytes32(text, "device"))
