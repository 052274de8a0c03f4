"""What may be done with a lease, before anything is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assay.chain.leases import Lease, LeaseStatus
from assay.renter.errors import BadInput
from assay.renter.lease_rights import require_endable, require_own, require_running

RENTER, PROVIDER, STRANGER = "0x" + "Aa" * 20, "0x" + "Bb" * 20, "0x" + "Cc" * 20
LEASE = Lease(
    7, RENTER, PROVIDER, bytes(32), "t", LeaseStatus.ACTIVE, 10**18, 0, 1000, 2000, 60, 5000, 1000, 0, 0, 0, 0
)  # fmt: skip


def test_own__other_wallet__is_named_with_the_owner() -> None:
    require_own(LEASE, RENTER.lower())
    with pytest.raises(BadInput, match=f"{RENTER}'s, this wallet is {STRANGER}"):
        require_own(LEASE, STRANGER)


@pytest.mark.parametrize(
    ("status", "now", "said"),
    [
        (LeaseStatus.PENDING, 1500, "assay rent --lease 7"), (LeaseStatus.ENDED, 1500, "is ended: a top-up"),
        (LeaseStatus.CANCELLED, 1500, "is cancelled"), (LeaseStatus.ACTIVE, 2000, "has run out"),
    ],
)  # fmt: skip
def test_running__lease_that_does_not__says_why(status: LeaseStatus, now: float, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        require_running(replace(LEASE, status=status), now, "a top-up")


def test_running__active_and_within_its_time__is_fine() -> None:
    require_running(LEASE, 1999, "a top-up")


@pytest.mark.parametrize("wallet", [RENTER, PROVIDER, None])
def test_endable__either_side_of_an_open_lease__is_fine(wallet: str | None) -> None:
    require_endable(LEASE, wallet)
    require_endable(replace(LEASE, status=LeaseStatus.PENDING), wallet)


def test_endable__over_or_a_strangers__is_refused() -> None:
    with pytest.raises(BadInput, match="cancelled already"):
        require_endable(replace(LEASE, status=LeaseStatus.CANCELLED), RENTER)
    with pytest.raises(BadInput, match="this wallet is"):
        require_endable(LEASE, STRANGER)
