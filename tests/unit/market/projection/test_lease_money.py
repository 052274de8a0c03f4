"""What the sides of a lease are due, worked out as the escrow does it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.market.projection.lease_money import (
    ACTIVE,
    CANCELLED,
    ENDED,
    PENDING,
    EscrowTerms,
    attested_downtime,
    due,
    epoch_overlap,
    network_forfeit,
    slash_share,
)
from assay.protocol.rates import RATE_UNIT, cost

TERMS = EscrowTerms(holdback=500, max_downtime=60, forfeit_hold=2_000)
START, MINIMUM, RATE = 1_000, 600, 1_000 * RATE_UNIT


def lease(**changes: Any) -> dict[str, Any]:
    """A lease of a thousand base units a second, begun at 1,000, for an hour, at least ten minutes."""
    return {
        "status": ACTIVE, "rate": RATE, "start": START, "stop": START + 3_600, "min_duration": MINIMUM,
        "device_ids": (b"1" * 32, b"2" * 32), "deposit": 3_600_000, "bond": cost(RATE, MINIMUM), "claimed": 0, "fee": 0,
        "refunded": 0, "downtime_credit": 0, "downtime": 0, "forfeited": 0, "slash_forfeit": 0, "slashed_devices": 0,
        "forfeit_settled": False, "forfeit_forgiven": False, "bond_returned": 0, "free_from": 0, "left_early": False,
        "released_at": 0, "released_downtime": 0, **changes,
    }  # fmt: skip


PAID: dict[str, Any] = {"claimed": 400_000, "fee": 8_000}


@pytest.mark.parametrize(
    ("changes", "now", "streamed", "refundable", "claimable"),
    [
        ({"status": PENDING, "start": 0, "stop": 0}, 1_500, 0, 0, 0),
        ({"status": CANCELLED, "start": 0, "stop": 0}, 1_500, 0, 3_600_000, 0),
        ({"status": CANCELLED, "start": 0, "stop": 0, "refunded": 3_600_000}, 1_500, 0, 0, 0),
        ({}, 1_500, 500_000, 0, 0),
        ({}, 1_501, 501_000, 0, 1_000),
        (PAID, 2_500, 1_500_000, 0, 592_000),
        (PAID | {"downtime_credit": 592_000}, 2_500, 1_500_000, 592_000, 0),
        ({}, START + 3_599, 3_599_000, 0, 3_099_000),
        # Over at its stop, whether anybody ended it or not.
        ({}, START + 3_600, 3_600_000, 0, 3_100_000),
        ({"stop": START + 60}, START + 700, 60_000, 3_540_000, 60_000),
        ({"status": ENDED, "stop": START + 60, "forfeited": 540_000}, START + 60, 60_000, 4_080_000, 0),
    ],
)
def test_due__of_the_stream_and_the_deposit__is_what_the_escrow_pays(
    changes: dict[str, Any], now: int, streamed: int, refundable: int, claimable: int
) -> None:
    found = due(lease(**changes), TERMS, now)
    assert (found.streamed, found.refundable, found.claimable) == (streamed, refundable, claimable)


@pytest.mark.parametrize(
    ("changes", "free"),
    [
        ({}, False),
        ({"downtime": 60}, False),
        ({"downtime": 61}, True),
        ({"slashed_devices": 1}, True),
        ({"free_from": 1_900}, True),
        ({"free_from": 1_900, "status": ENDED}, False),
    ],
)
def test_renter__with_downtime_a_slash_or_a_notice__is_free(changes: dict[str, Any], free: bool) -> None:
    assert due(lease(**changes), TERMS, 1_500).free is free


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, False),
        ({"left_early": True}, True),
        ({"left_early": True, "released_at": 1_300, "released_downtime": 60}, True),
        # Letting the renter go is no way out of a bond that downtime has forfeited: as if it had not left.
        ({"left_early": True, "released_at": 1_300, "released_downtime": 61}, False),
    ],
)
def test_left_early__of_a_renter_that_was_let_go__is_what_the_escrow_says(changes: dict[str, Any], left: bool) -> None:
    assert due(lease(**changes), TERMS, 1_500).left_early is left


BOND = cost(RATE, MINIMUM)


@pytest.mark.parametrize(
    ("changes", "now", "forfeit"),
    [
        ({"downtime": 60}, 1_300, 0),
        # 300 seconds run, 61 of them down: 361 of the minimum were not served.
        ({"downtime": 61}, 1_300, 361_000),
        ({"downtime": 61}, 1_600, 61_000),
        ({"downtime": 61}, 1_661, 0),
        # A notice that runs out sooner is all that the provider owes.
        ({"downtime": 61, "free_from": 1_400}, 1_300, 161_000),
        # Who left early pays to the minimum; released before more downtime came up, what was served is what was owed.
        ({"downtime": 61, "left_early": True, "stop": 1_600}, 1_500, 161_000),
        ({"downtime": 61, "left_early": True, "released_at": 1_300, "stop": 1_300}, 1_500, 61_000),
        (
            {"downtime": 61, "left_early": True, "released_at": 1_300, "released_downtime": 61, "stop": 1_300},
            1_500,
            361_000,
        ),
        ({"slash_forfeit": 150_000}, 1_500, 150_000),
        ({"slash_forfeit": 150_000, "downtime": 61}, 1_300, 361_000),
        # What the renter got of it before is not forfeited again.
        ({"downtime": 61, "forfeited": 300_000, "status": ENDED, "stop": 1_300}, 1_300, 61_000),
    ],
)
def test_forfeit__to_the_network__is_for_the_time_not_served(changes: dict[str, Any], now: int, forfeit: int) -> None:
    row = lease(**changes)
    assert network_forfeit(row, TERMS, now) == forfeit
    assert due(row, TERMS, now).forfeitable == forfeit
    assert due(row | {"forfeit_settled": True}, TERMS, now).forfeitable == 0
    assert due(row | {"forfeit_forgiven": True}, TERMS, now).forfeitable == 0


@pytest.mark.parametrize(
    ("changes", "bond"),
    [
        ({}, BOND),
        ({"forfeited": 100_000}, BOND - 100_000),
        ({"slash_forfeit": 150_000}, BOND - 150_000),
        ({"slash_forfeit": 150_000, "forfeit_forgiven": True}, BOND),
        ({"slash_forfeit": 150_000, "forfeit_settled": True}, BOND - 150_000),
        ({"slash_forfeit": 150_000, "forfeit_forgiven": True, "bond_returned": BOND - 150_000}, 150_000),
        ({"bond_returned": BOND}, 0),
    ],
)
def test_bond__once_the_holdback_is_over__is_returned_less_all_forfeits(changes: dict[str, Any], bond: int) -> None:
    row = lease(status=ENDED, stop=START + 700, **changes)
    assert due(row, TERMS, START + 700 + 499).bond_returnable == 0
    assert due(row, TERMS, START + 700 + 500).bond_returnable == bond


def test_slash_share__of_a_node__is_the_device_s_part_of_what_is_not_served() -> None:
    assert slash_share(lease(), 1_300) == 300_000 // 2
    assert slash_share(lease(free_from=1_400), 1_300) == 100_000 // 2
    assert slash_share(lease(), 1_600) == 0


@given(
    st.integers(1, 2**90),
    st.integers(1, 5_000),
    st.integers(0, 6_000),
    st.integers(0, 500),
    st.booleans(),
    st.integers(1, 16),
    st.integers(0, 9_000),
)
def test_money__of_any_lease__is_neither_made_nor_lost(
    rate: int, minimum: int, ran: int, down: int, slashed: bool, devices: int, now: int
) -> None:
    stop = START + ran
    row = lease(
        rate=rate,
        min_duration=minimum,
        stop=stop,
        deposit=cost(rate, max(ran, minimum, 60)),
        bond=cost(rate, minimum),
        downtime=min(down, ran),
        device_ids=tuple(n.to_bytes(32, "big") for n in range(devices)),
    )
    if slashed:
        row |= {"slashed_devices": 1, "slash_forfeit": slash_share(row, min(START + now, stop))}
    at = stop + TERMS.holdback + now
    found = due(row, TERMS, at)
    assert 0 <= found.forfeitable <= row["bond"]
    assert found.bond_returnable + found.forfeitable == row["bond"]
    assert found.refundable + found.claimable == row["deposit"]


@pytest.mark.parametrize(
    ("epoch", "uptime", "seconds"),
    [(9, 0, 0), (10, 0, 10), (10, 5_000, 5), (11, 9_999, 0), (11, 9_000, 10), (14, 0, 60), (15, 0, 0), (11, 10_000, 0)],
)
def test_downtime__of_an_epoch__counts_for_what_it_has_in_common_with_the_lease(
    epoch: int, uptime: int, seconds: int
) -> None:
    row = lease(start=1_090, stop=1_460)
    assert attested_downtime(epoch_overlap(row, 0, 100, epoch), uptime) == seconds
