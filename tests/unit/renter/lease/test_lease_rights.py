"""What may be done with a lease, before anything is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from assay.chain.contracts.leases import LeaseStatus
from assay.renter.errors import BadInput
from assay.renter.lease.lease_rights import (
    require_endable,
    require_leavable,
    require_own,
    require_refunder,
    require_running,
)
from tests.unit.renter.leased import LEASE, PROVIDER, RENTER, STRANGER


def test_own__other_wallet__is_named_with_the_owner() -> None:
    require_own(LEASE, RENTER.lower())
    with pytest.raises(BadInput, match=f"{RENTER}'s, this wallet is {STRANGER}"):
        require_own(LEASE, STRANGER)


def test_refunder__neither_renter_nor_named__is_told_how_it_would_be() -> None:
    require_refunder(LEASE, RENTER.lower(), False)
    require_refunder(LEASE, STRANGER, True)
    with pytest.raises(BadInput, match=f"assay refunder add {STRANGER}"):
        require_refunder(LEASE, STRANGER, False)


@pytest.mark.parametrize(
    ("changes", "now", "said"),
    [
        ({"status": LeaseStatus.PENDING}, 1500, "assay rent --lease 7"),
        ({"status": LeaseStatus.ENDED}, 1500, "is ended: a top-up"),
        ({"status": LeaseStatus.CANCELLED}, 1500, "is cancelled"),
        ({}, 2000, "has run out"),
        ({"left_early": True}, 1500, "was left early"),
    ],
)
def test_running__lease_that_does_not__says_why(changes: dict[str, Any], now: float, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        require_running(replace(LEASE, **changes), now, "a top-up")


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


def test_leavable__left_early__only_once_something_has_freed_it() -> None:
    left = replace(LEASE, left_early=True)
    require_leavable(LEASE, False, "noon")
    require_leavable(left, True, "noon")
    with pytest.raises(BadInput, match="until noon; `assay keep 7`"):
        require_leavable(left, False, "noon")
