"""Openings some time after their report, in virtual time: each is kept by some, whoever lies or never had it."""

from __future__ import annotations

import asyncio
from itertools import combinations

import pytest

from assay.protocol import quorum
from assay.protocol.epochs import Phase
from assay.protocol.keccak import keccak
from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import SimNetwork
from tests.unit.validator.simulation.virtual_time import run

pytestmark = pytest.mark.slow

WRONG = 9
SEATS = range(4)
PAIRS = [pytest.param(*pair, marks=() if pair == (1, 3) else pytest.mark.deep) for pair in combinations(SEATS, 2)]
Had = dict[int, dict[int, bytes]]  # seat -> device's number -> opening


def shared_out(tmp_path, liars=(), claims=True, missed=(), away=()) -> tuple[Had, SimNetwork]:
    """What each seat still serves of epoch 0 once openings were shared out. Liars keep nothing, and claim all or
    nothing; seats that missed them never had any; those away do not answer any more."""
    had: Had = {}

    async def share_out(network: SimNetwork) -> None:
        while network.phase(0) != Phase.REPORTED:  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        await asyncio.sleep(4)
        for seat in (*liars, *missed):
            node = network.nodes[seat]
            told = node.publication.epoch(0)
            assert told is not None and told["openings"]
            store = node.daemon.services.store
            for verdict in store.verdicts(0):
                if verdict.opening is not None and verdict.outcome == "valid":
                    store.let_go(0, network.chain.states[-1][0].rho, {verdict.device_id: verdict.opening})
            if seat in liars:
                lie = told if claims else {**told, "openings": {}}
                node.publication.epoch = lambda epoch, lie=lie: lie  # type: ignore[method-assign]
        for seat in away:
            await network.kill(seat)
        for seat in network.nodes:
            if seat not in liars:
                await network.nodes[seat].daemon.pruning.share_out(0)
        for seat, node in network.nodes.items():
            store, index = node.daemon.services.store, node.publication.epoch(0)
            served = {}
            for device in network.devices:
                digest = index["openings"].get("0x" + device.device.device_id.hex())
                found = None if digest is None else store.content(bytes.fromhex(digest[2:]))
                if found is not None:
                    assert keccak(found[1]) == bytes.fromhex(digest[2:])
                    served[device.number] = found[1]
                if seat not in liars and device.number != WRONG:
                    assert (digest is None) == (found is None)  # what is listed is there
                    assert (store.valid_opening(0, device.device.device_id) is None) == (found is None)
            had[seat] = served

    devices = [SimDevice(number) for number in range(1, WRONG)] + [SimDevice(WRONG, "wrong")]
    network = SimNetwork(tmp_path, devices=devices)
    run(network.run(2, share_out))  # of two, for the first to have time
    assert set(had) == set(SEATS) - set(away)
    return had, network


def holders(had: Had, number: int) -> set[int]:
    return {seat for seat, served in had.items() if number in served}


def test_openings__all_seats_well__each_is_kept_by_one_more_than_may_be_faulty_and_a_wrong_one_by_all(tmp_path):
    had, network = shared_out(tmp_path)
    for number in range(1, WRONG):
        assert len(holders(had, number)) == quorum.faults(len(SEATS)) + 1
    assert holders(had, WRONG) == set(SEATS)
    assert {len(served) for served in had.values()} != {WRONG}  # every seat has let some go
    lines = network.lines(0)
    assert {lines[number]["flags"] for number in range(1, WRONG)} == {1}


@pytest.mark.parametrize("claims", [True, False], ids=["claims-all", "claims-none"])
@pytest.mark.parametrize("liar", [0, *(pytest.param(seat, marks=pytest.mark.deep) for seat in SEATS[1:])])
def test_openings__one_seat_drops_its_own_and_says_what_it_likes__each_is_served_by_another(tmp_path, liar, claims):
    had, _ = shared_out(tmp_path, liars=(liar,), claims=claims)
    for number in range(1, WRONG):
        assert holders(had, number) - {liar}


@pytest.mark.parametrize(("liar", "missed"), PAIRS)
def test_openings__one_seat_lies_and_another_never_had_them__each_is_served_by_a_third(tmp_path, liar, missed):
    had, _ = shared_out(tmp_path, liars=(liar,), missed=(missed,))
    for number in range(1, WRONG):
        assert holders(had, number) - {liar, missed}


def test_openings__too_few_seats_answer__are_kept_and_looked_at_again(tmp_path):
    had, network = shared_out(tmp_path, away=(0, 1))
    for seat in (2, 3):
        assert set(had[seat]) == set(range(1, WRONG + 1))
        assert network.stores[seat].shared_out() == frozenset()
