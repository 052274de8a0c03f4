"""What devices and nodes cost: offers that are signed and served here, and that cost no gas to change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from assay.protocol.hexadecimal import ZERO_ADDRESS
from assay.protocol.messages import Offer
from assay.protocol.rates import HOUR_S, exact_rate
from assay.protocol.signing import Domain
from assay.protocol.types import DeviceId
from assay.provider.errors import ProviderError
from assay.wire.leases import SignedOffer

MIN_NOTICE_S = 60


@dataclass(frozen=True)
class Price:
    """Terms of one offer. `rate` is base units × 10¹⁸ a second, of a node for all its devices together; durations,
    `notice` (0 for none) and `valid_for` seconds.
    """

    token: str
    rate: int
    min_duration: int = 60
    max_duration: int = 30 * 24 * HOUR_S
    valid_for: int = 900
    notice: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1 << 128:
            raise ProviderError(f"rate {self.rate}: must be above zero and fit 128 bits")
        if not 0 < self.min_duration <= self.max_duration < 1 << 32:
            raise ProviderError(f"durations {self.min_duration} to {self.max_duration}: must ascend from 1")
        if self.notice and not MIN_NOTICE_S <= self.notice < 1 << 32:
            raise ProviderError(f"notice of {self.notice} s: none, or at least {MIN_NOTICE_S} s")


def rate_of(price_per_hour: Decimal, decimals: int) -> int:
    """Base units × 10¹⁸ a second of a price in whole tokens an hour, rounded down: nobody pays more
    than the price. Raises ProviderError."""
    if not price_per_hour.is_finite() or price_per_hour <= 0:
        raise ProviderError(f"price {price_per_hour} an hour: must be above zero")
    return int(exact_rate(price_per_hour, decimals))


class OfferMaker:
    """Signs offers of one provider. `sign` makes compact signatures (64 bytes) with the key at hand: the provider's,
    where `operator` is zero, else that operator's.
    """

    def __init__(
        self,
        provider: str,
        operator: str,
        domain: Domain,
        sign: Callable[[bytes], bytes],
        clock: Callable[[], float],
    ) -> None:
        self._provider = provider
        self._operator = operator
        self._domain = domain
        self._sign = sign
        self._clock = clock

    def offer(
        self, device_ids: tuple[DeviceId, ...], price: Price, nonce: int, renter: str = ZERO_ADDRESS
    ) -> dict[str, Any]:
        """An offer as JSON with its signature. It stays the same for a while, so that it can be cached.

        `device_ids` strictly ascend; `nonce` is at least the floor of each of them on the chain: raising any one of
        them cancels the offers below it.
        """
        half = max(price.valid_for // 2, 1)
        valid_until = (int(self._clock()) // half + 2) * half
        offer = Offer(
            provider=self._provider,
            operator=self._operator,
            device_ids=device_ids,
            token=price.token,
            rate=price.rate,
            min_duration=price.min_duration,
            max_duration=price.max_duration,
            valid_until=valid_until,
            nonce=nonce,
            renter=renter,
            notice=price.notice,
        )
        return SignedOffer(offer, self._sign(offer.digest(self._domain))).to_json()
