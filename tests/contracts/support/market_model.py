"""What must come of a lease and of a bond credit, in plain Python: the market machine holds the escrow against it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from .lettings import SCALE, Letting

PENDING, ACTIVE, ENDED, CANCELLED = 1, 2, 3, 4
FEE_FLOOR = 10_000
FEE_BPS = 200
DAY = 86_400


def rounded_up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def fee_of(amount: int) -> int:
    return min(max(rounded_up(amount * FEE_BPS, 10_000), FEE_FLOOR), amount)


class Forfeit(Enum):
    """What became of the network's part of a bond."""

    OPEN = "open"
    FORGIVEN = "forgiven"
    SETTLED = "settled"
    PAID_BACK = "paid back"


@dataclass
class Terms:
    """Of the escrow: seconds."""

    holdback: int
    max_downtime: int
    forfeit_hold: int


@dataclass
class Lease:
    """One lease; times in seconds, money in base units."""

    terms: Terms
    letting: Letting
    rate: int
    minimum: int
    maximum: int
    notice: int
    deposit: int
    cancelled: bool = False
    start: int = 0
    set_stop: int = 0  # by a side; else the money's end is the lease's
    left_early: bool = False
    provider_left: bool = False
    notice_at: int = 0
    slashed: bool = False
    slash_part: int = 0
    down: dict[int, int] = field(default_factory=dict)  # seconds by epoch
    down_money: int = 0
    claimed: int = 0
    refunded: int = 0
    returned: int = 0  # to the provider, of the bond
    bond_back: bool = False
    forfeit: Forfeit = Forfeit.OPEN
    settled: int = 0
    last_streamed: int = 0

    @property
    def number(self) -> int:
        return self.letting.lease_id

    @property
    def stop(self) -> int:
        if not self.start:
            return 0
        return self.set_stop or self.start + min(self.deposit * SCALE // self.rate, self.maximum)

    @property
    def bond(self) -> int:
        return rounded_up(self.rate * self.minimum, SCALE) if self.start else 0

    @property
    def downtime(self) -> int:
        return sum(self.down.values())

    @property
    def dark(self) -> bool:
        """Down for longer than a renter must bear."""
        return self.downtime > self.terms.max_downtime

    @property
    def free(self) -> bool:
        """The renter may leave for nothing."""
        return self.dark or self.slashed or self.notice_at != 0

    def status(self, now: int) -> int:
        if self.cancelled:
            return CANCELLED
        if not self.start:
            return PENDING
        return ACTIVE if now < self.stop else ENDED

    def served(self, now: int) -> int:
        return max(0, min(now, self.stop) - self.start) if self.start else 0

    def streamed(self, now: int) -> int:
        return self.rate * self.served(now) // SCALE

    def unclaimed(self, now: int) -> int:
        return max(0, self.streamed(now) - self.claimed - self.down_money)

    def claimable(self, now: int) -> int:
        return self.unclaimed(now - self.terms.holdback)

    def refundable(self, now: int) -> int:
        if self.cancelled:
            return self.deposit - self.refunded
        due = self.down_money + self.renters_part - self.refunded
        return due + (self.deposit - self.streamed(now) if self.status(now) == ENDED else 0)

    # --- the bond ---------------------------------------------------------------------------------------------

    def part(self, seconds: int) -> int:
        """Of the bond, for so many seconds of the minimum."""
        return rounded_up(self.bond * seconds, self.minimum) if seconds > 0 else 0

    @property
    def obliged(self) -> int:
        """Seconds that the bond stands for: the minimum, unless the renter was let go or notice ran out before."""
        limits = [self.minimum]
        if self.left_early:
            limits.append(self.set_stop - self.start)
        if self.notice_at:
            limits.append(self.notice_at + self.notice - self.start)
        return min(limits)

    @property
    def renters_part(self) -> int:
        if not self.provider_left:
            return 0
        return max(0, self.part(self.minimum - (self.set_stop - self.start)) - self.slash_part)

    def dark_part(self, now: int) -> int:
        return self.part(self.obliged - (self.served(now) - self.downtime)) if self.dark else 0

    def networks_part(self, now: int) -> int:
        return max(self.slash_part, self.dark_part(now) - self.renters_part)

    def open_forfeit(self, now: int) -> int:
        return self.networks_part(now) if self.forfeit is Forfeit.OPEN else 0

    def bond_due(self, now: int) -> int:
        """What of the bond the provider could have, once it is free."""
        due = 0 if self.bond_back else self.bond - self.renters_part - self.networks_part(now)
        return due + (self.networks_part(now) if self.forfeit is Forfeit.FORGIVEN else 0)

    @property
    def bond_free_at(self) -> int:
        return self.stop + self.terms.holdback

    @property
    def forfeit_free_at(self) -> int:
        return self.bond_free_at + self.terms.forfeit_hold

    @property
    def held(self) -> int:
        return self.deposit + self.bond - self.claimed - self.refunded - self.returned - self.settled

    # --- what may happen to it --------------------------------------------------------------------------------

    def end_by_renter(self, now: int) -> None:
        if not self.left_early and now < self.start + self.minimum and not self.free:
            self.set_stop, self.left_early = self.start + self.minimum, True
        else:
            self.set_stop, self.left_early = now, False

    def end_by_provider(self, now: int) -> None:
        noticed = self.notice_at != 0 and now >= self.notice_at + self.notice
        self.provider_left = now < self.start + self.minimum and not noticed and not self.dark
        self.set_stop = now

    def release(self, now: int) -> None:
        self.set_stop = now
        if self.dark:
            self.left_early = False

    def lost_to_renter_or_dark(self, now: int) -> int:
        """What an operator must not cause."""
        return self.renters_part + self.dark_part(now)

    def slash_one_device(self, now: int) -> None:
        self.slash_part += self.part(self.obliged - self.served(now)) // len(self.letting.devices)
        self.slashed = True

    def refund_of(self, epoch: int, opens: int, closes: int, uptime_bps: int, now: int) -> tuple[int, int] | None:
        """(seconds, money) that a report of an epoch brings now; None where it brings nothing."""
        since, until = max(opens, self.start), min(closes, self.stop)
        if since >= until or now < until or now > since + self.terms.holdback or epoch in self.down:
            return None
        seconds = (until - since) * (10_000 - uptime_bps) // 10_000
        return (seconds, min(self.rate * seconds // SCALE, self.unclaimed(now))) if seconds else None


@dataclass
class BondCredit:
    """What operators may take bonds from. What was taken comes back to the limit evenly over a day."""

    amount: int = 0
    per_day: int = 0
    whole_at: int = 0

    def left(self, now: int) -> int:
        return self.per_day * (DAY - max(0, self.whole_at - now)) // DAY

    def take(self, amount: int, now: int) -> None:
        if amount:
            self.whole_at = max(now, self.whole_at) + rounded_up(amount * DAY, self.per_day)
            self.amount -= amount
