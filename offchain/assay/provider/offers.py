"""What the devices cost: offers that the provider signs and serves, and that cost no gas to change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from assay.protocol.messages import Offer
from assay.protocol.signing import Domain
from assay.provider.errors import ProviderError

ANYONE = "0x0000000000000000000000000000000000000000"
RATE_UNIT = 10**18
HOUR_S = 3600


@dataclass(frozen=True)
class Price:
    """Terms of one device. `rate` is base units × 10¹⁸ a second; durations and `valid_for` seconds."""

    token: str
    rate: int
    min_duration: int = 60
    max_duration: int = 30 * 24 * HOUR_S
    valid_for: int = 900

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1 << 128:
            raise ProviderError(f"rate {self.rate}: must be above zero and fit 128 bits")
        if not 0 < self.min_duration <= self.max_duration < 1 << 40:
            raise ProviderError(f"durations {self.min_duration} to {self.max_duration}: must ascend from 1")


def rate_of(price_per_hour: Decimal, decimals: int) -> int:
    """Base units × 10¹⁸ a second of a price in whole tokens an hour, rounded down: nobody pays more
    than the price. Raises ProviderError."""
    if not price_per_hour.is_finite() or price_per_hour <= 0:
        raise ProviderError(f"price {price_per_hour} an hour: must be above zero")
    # A Fraction, for decimal arithmetic would round what has more than 28 digits.
    return int(Fraction(price_per_hour) * 10**decimals * RATE_UNIT / HOUR_S)


class OfferBook:
    """Signs offers of one provider. `sign` makes compact signatures (64 bytes) with the provider's key."""

    def __init__(
        self, provider: str, domain: Domain, sign: Callable[[bytes], bytes], clock: Callable[[], float]
    ) -> None:
        self._provider = provider
        self._domain = domain
        self._sign = sign
        self._clock = clock

    def offer(self, device_id: bytes, price: Price, nonce: int, renter: str = ANYONE) -> dict[str, Any]:
        """An offer as JSON with its signature. It stays the same for a while, so that it can be cached.

        `nonce` is at least the device's floor on the chain; raising the floor cancels all below it.
        """
        half = max(price.valid_for // 2, 1)
        valid_until = (int(self._clock()) // half + 2) * half
        offer = Offer(
            provider=self._provider,
            device_id=device_id,
            token=price.token,
            rate=price.rate,
            min_duration=price.min_duration,
            max_duration=price.max_duration,
            valid_until=valid_until,
            nonce=nonce,
            renter=renter,
        )
        return {**offer.to_json(), "signature": "0x" + self._sign(offer.digest(self._domain)).hex()}
