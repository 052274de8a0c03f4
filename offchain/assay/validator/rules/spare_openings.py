"""Who keeps an opening: for a while all who checked it, then those without whom it might be lost.

A seat lets a valid opening go once more seats before it, in the order that rho draws for the device, say that they hold
it than may be faulty. Of the honest seats that hold it, the first in that order keeps it whatever the others say: those
before it that claim to hold it are faulty, and there are no more than f of them. So any f seats may lie or be gone, and
any number may have missed the opening, without its being lost; where all is well the first f + 1 keep it.

Only what verified is let go: it proves no fault, and whoever missed it can have it of one who keeps it, of the
device, or by a demand. What failed is evidence, and all who have it keep it.
"""

from __future__ import annotations

from collections.abc import Collection

from assay.protocol import quorum
from assay.protocol.epochs import Timing
from assay.protocol.types import DeviceId, Rho
from assay.validator.rules.committees import drawn_order

MIN_HOLDERS = 2  # before a seat may let go: of fewer than four seats none may fail, and still a disk does


def holders_wanted(seats: int) -> int:
    """Seats before another in the order that must hold an opening for it to let go."""
    return max(MIN_HOLDERS, quorum.faults(seats) + 1)


def may_let_go(rho: Rho, device_id: DeviceId, seats: int, own: int, holders: Collection[int]) -> bool:
    """Whether enough of the seats before `own` are among the holders."""
    order = drawn_order(rho, device_id, seats, seats)
    before = order[: order.index(own)]
    return sum(seat in holders for seat in before) >= holders_wanted(seats)


def epochs_kept(timing: Timing) -> int:
    """Epochs after which nothing can be proven against one any more."""
    return timing.proof_window // timing.epoch_length + 2


def kept_by_all(timing: Timing, claim_delay: int, wished: int | None) -> int:
    """Epochs for which all keep what they checked: until whoever looks at each report has had the time for it that the
    guardian has for a veto, or as long as is wished."""
    claimable = -(-(timing.report_by + claim_delay) // timing.epoch_length) + 1
    return max(claimable, wished or 0)
