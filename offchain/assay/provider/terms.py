"""The provider's terms, in a file that the running daemon reads at each question: a new price holds at once."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from assay.provider.errors import ProviderError
from assay.provider.offers import Price

BPS = 10_000


@dataclass(frozen=True)
class Discount:
    """For quotes of `seconds` or more: that many hundredths of a percent off."""

    seconds: int
    bps: int


@dataclass(frozen=True)
class Terms:
    """Prices by device (0x-hex), whether offers are made at all, which nonces are to be cancelled, and discounts."""

    prices: dict[str, Price] = field(default_factory=dict)
    draining: bool = False
    nonce_floors: dict[str, int] = field(default_factory=dict)
    discounts: tuple[Discount, ...] = ()

    def with_price(self, device: str, price: Price) -> Terms:
        """The same with another price."""
        return replace(self, prices={**self.prices, device: price})

    def token_for(self, device: str, given: str | None) -> str:
        """`given`, else the token of the device's price, else of another's. Raises ProviderError without any."""
        prices = [self.prices[device]] if device in self.prices else list(self.prices.values())
        tokens = [given] if given else [price.token for price in prices]
        if not tokens:
            raise ProviderError("in which token? name its address with --token or ASSAY_TOKEN")
        return tokens[-1]

    def with_floor(self, device: str, nonce: int) -> Terms:
        """The same with all offers below a nonce cancelled."""
        return replace(self, nonce_floors={**self.nonce_floors, device: nonce})

    def quote(self, price: Price, seconds: int) -> Price:
        """The price for a lease of that length, the largest fitting discount taken off, rounded down."""
        bps = max((d.bps for d in self.discounts if seconds >= d.seconds), default=0)
        return replace(price, rate=max(1, price.rate * (BPS - bps) // BPS))


class TermsFile:
    """Terms as JSON; written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "terms.json"

    def read(self) -> Terms:
        """The terms; empty where there is no file. Raises ProviderError for a damaged one."""
        try:
            data = json.loads(self.path.read_text())
            return Terms(
                prices={device: Price(**price) for device, price in data["prices"].items()},
                draining=bool(data["draining"]),
                nonce_floors={device: int(floor) for device, floor in data["nonce_floors"].items()},
                discounts=tuple(Discount(**discount) for discount in data["discounts"]),
            )
        except FileNotFoundError:
            return Terms()
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ProviderError(f"{self.path}: damaged ({error}); move it away and set prices anew") from error

    def write(self, terms: Terms) -> None:
        """Replaces the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        with partial.open("w") as file:
            json.dump(asdict(terms), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path)
