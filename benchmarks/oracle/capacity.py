# ruff: noqa: E501  (text of a page)
"""From what one run measured to the largest network that a validator with two cores serves in an hour's epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assay.protocol.profile import NAMED

EPOCH_S = 3_600.0
# Of an epoch: challenges run from the opening's close (5 %) to 40 %, openings from the draw (65 %) to 90 %.
CHALLENGE_WINDOW_S = 0.35 * EPOCH_S
OPENINGS_WINDOW_S = 0.25 * EPOCH_S
CORES = 2
LINE_GBIT = 1
TRANSACTIONS = ("openEpoch", "seal", "draw", "report")
GAS_SIZES = ("10", "1,000", "100,000")


@dataclass(frozen=True)
class Costs:
    """Processor milliseconds a device, but for `recover_ms`, which is a signature's."""

    challenge_ms: float
    opening_ms: float  # beyond the arithmetic: HTTP, store, signatures; one thread of Python
    verify_ms: float  # the arithmetic of a datacenter opening; any core
    recover_ms: float


@dataclass(frozen=True)
class Capacity:
    """Devices in an hour's epoch, each limit alone."""

    challenged: int
    verified: int
    opening_bytes: int

    @property
    def carried(self) -> int:
        """Openings that a line of `LINE_GBIT` carries in their window."""
        return int(OPENINGS_WINDOW_S * LINE_GBIT * 1e9 / 8 / self.opening_bytes)

    @property
    def megabits(self) -> float:
        """Needed for so many openings in their window, Mbit/s."""
        return self.verified * self.opening_bytes * 8 / OPENINGS_WINDOW_S / 1e6


def capacity(costs: Costs, seats: int) -> Capacity:
    """What one validator of `seats` can challenge, and of how many it can verify the openings."""
    challenge = costs.challenge_ms + (seats - 1) * costs.recover_ms
    verify = max(costs.opening_ms, (costs.opening_ms + costs.verify_ms) / CORES)
    p = NAMED["datacenter"]
    opening_bytes = 32 * p.T + p.k * (4 * p.N + 32 * (p.M.bit_length() - 1))
    return Capacity(int(1_000 * CHALLENGE_WINDOW_S / challenge), int(1_000 * OPENINGS_WINDOW_S / verify), opening_bytes)


def gas_an_epoch(snapshot: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Gas of an epoch's transactions by number of devices, from the measured snapshot (seven seats)."""
    return {size: {name: snapshot[f"{name}, {size} devices"] for name in TRANSACTIONS} for size in GAS_SIZES}


def arithmetic(costs: Costs, seats: int) -> str:
    """The capacity with its arithmetic, for people."""
    found = capacity(costs, seats)
    verify = max(costs.opening_ms, (costs.opening_ms + costs.verify_ms) / CORES)
    o, v = costs.opening_ms, costs.verify_ms
    return (
        f"- Openings, of which the window is 25 % of the hour: {OPENINGS_WINDOW_S:.0f} s / max({o:.2f}, ({o:.2f} + "
        f"{v:.2f}) / {CORES}) ms = {OPENINGS_WINDOW_S:.0f} s / {verify:.2f} ms = **{found.verified:,} devices** verified by "
        f"one validator. {o:.2f} ms is one thread's work beside the arithmetic, {v:.2f} ms the arithmetic of a "
        "`datacenter` opening of 256 rows, which any core does.\n"
        f"- The same on the wire: an opening is {found.opening_bytes / (1 << 20):.2f} MiB, so that {LINE_GBIT} Gbit/s carries "
        f"**{found.carried:,}** in that window; so many as above need {found.megabits:,.0f} Mbit/s.\n"
        f"- Challenges, window 35 %: {CHALLENGE_WINDOW_S:.0f} s / ({costs.challenge_ms:.2f} + {seats - 1} × "
        f"{costs.recover_ms:.3f}) ms = **{found.challenged:,} devices** with {seats} seats: every commitment carries the "
        "seats' challenges, and each signature is recovered.\n"
    )
