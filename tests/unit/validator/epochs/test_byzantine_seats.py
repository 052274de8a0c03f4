"""Whole epochs with seats that lie: they close with the right result, or nobody else signs."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from assay.proof.probe.layout import claimed_mib
from assay.protocol import signing
from assay.protocol.epochs import Phase
from assay.protocol.hexadecimal import parse_bytes32, to_hex
from assay.protocol.leaves import sealed_tree
from assay.protocol.messages import Seal
from assay.wire.leaves import sealed_leaf
from tests.cases import deep_but
from tests.unit.validator.simulation.byzantine import (
    BYZANTINE,
    drops_a_batch,
    keeps_proposals_from,
    shows_two_proposals,
    signed,
    stalls_when_it_leads,
)
from tests.unit.validator.simulation.chain import DOMAIN, PROFILE
from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import SimNetwork, seat_key
from tests.unit.validator.simulation.outcomes import LEADER, assert_led, assert_right
from tests.unit.validator.simulation.virtual_time import run

pytestmark = pytest.mark.slow


def test_epoch__leader_seals_nothing_although_devices_answered__nobody_else_signs(tmp_path):
    def seals_nothing(account: str, path: str, body: bytes) -> bytes:
        value = json.loads(body)
        if path == "/v1/seal-proposals" and value["seat"] == seat_key(LEADER).address:
            seal = Seal(0, value["setId"], value["round"], parse_bytes32(value["epochSeed"]), bytes(32), 0)
            value.update(
                leaves=[],
                commitments=[],
                lanes=[],
                sealRoot=to_hex(bytes(32)),
                count=0,
                signature=signed(LEADER, seal.digest(DOMAIN)),
            )
        return json.dumps(value).encode()

    network = SimNetwork(tmp_path, mutate={LEADER: seals_nothing})
    run(network.run(1))
    assert_led(network)
    assert_right(network)
    assert set(network.lines(0)) == {1, 2}


def test_epoch__leader_leaves_out_the_probes__nobody_else_signs(tmp_path):
    def without_lanes(account: str, path: str, body: bytes) -> bytes:
        value = json.loads(body)
        if path == "/v1/seal-proposals" and value["seat"] == seat_key(LEADER).address:
            value["leaves"] = [{**leaf, "laneRoot": to_hex(bytes(32))} for leaf in value["leaves"]]
            leaves = [sealed_leaf(leaf) for leaf in value["leaves"]]
            root = sealed_tree(leaves).root
            seal = Seal(0, value["setId"], value["round"], parse_bytes32(value["epochSeed"]), root, len(leaves))
            value.update(
                sealRoot=to_hex(root),
                lanes=[to_hex(bytes(32))] * len(leaves),
                signature=signed(LEADER, seal.digest(DOMAIN)),
            )
        return json.dumps(value).encode()

    network = SimNetwork(tmp_path, devices=[SimDevice(1)], mutate={LEADER: without_lanes})
    run(network.run(1))
    assert_led(network)
    assert_right(network)
    assert network.lines(0)[1]["memoryMiB"] == claimed_mib(PROFILE)


# What only a leader can tell.
LEADING = [shows_two_proposals, drops_a_batch, stalls_when_it_leads]


@pytest.mark.parametrize(
    ("kind", "liar"),
    deep_but(
        ((kind, LEADER if kind in LEADING else 0) for kind in BYZANTINE),
        ((kind, liar) for kind in BYZANTINE for liar in range(4)),
    ),
)
def test_epoch__one_byzantine_of_four__closes_with_the_right_result(tmp_path, kind, liar):
    network = SimNetwork(
        tmp_path, devices=[SimDevice(1), SimDevice(2), SimDevice(3, "wrong")], mutate={liar: kind(liar)}
    )
    run(network.run(1))
    assert_led(network)
    assert_right(network)
    assert set(network.lines(0)) == {1, 2, 3}


def test_epoch__leader_shows_two_proposals__both_are_served_with_its_signatures(tmp_path):
    network = SimNetwork(tmp_path, mutate={LEADER: shows_two_proposals(LEADER)})
    run(network.run(1))
    assert_led(network)
    account, found = seat_key(LEADER).address, set()
    for i in range(4):
        index = network.publications[i].epoch(0)
        statements = [s for s in index["statements"] if (s["kind"], s["seat"]) == ("seal", account)]
        for statement in statements:
            seal = Seal(
                0,
                1,
                statement["round"],
                parse_bytes32(statement["epochSeed"]),
                parse_bytes32(statement["sealRoot"]),
                statement["count"],
            )
            signature = bytes.fromhex(statement["signature"][2:])
            assert signing.signed_by(seal.digest(DOMAIN), signature, account)
            found.add((statement["round"], statement["sealRoot"]))
    assert max(Counter(round_ for round_, _ in found).values()) == 2


def test_epoch__seat_is_not_shown_the_proposals__signs_late_what_was_accepted_and_is_paid(tmp_path):
    left_out = []
    for seat in (2, 3):  # one of the two at least is not the leader
        network = SimNetwork(
            tmp_path / str(seat), mutate={i: keeps_proposals_from(seat) for i in range(4) if i != seat}
        )
        run(network.run(1))
        assert network.phase(0) == Phase.REPORTED
        mined = [name for name, _, sender in network.chain.mined if sender == seat_key(seat).address]
        state = network.chain.states[-1][0]
        assert (state.seal_signers, state.report_signers) == (15, 15)
        drawn = network.chain.states[network.chain.happened["draw", 0]][0]
        assert drawn.seal_signers == 15  # in time to count
        if "seal" not in mined:
            assert mined.count("addSignatures") == 2  # to the seal and to the report
            left_out.append(seat)
    assert left_out


def test_epoch__seat_passes_on_garbage_for_openings__devices_are_asked_and_pass(tmp_path):
    network = SimNetwork(tmp_path, devices=[SimDevice(i) for i in range(1, 9)])
    network.lies_about_openings = {network.accounts[0].account}
    run(network.run(1))
    assert_right(network)
    assert {line["flags"] for line in network.lines(0).values()} == {1}
    assert sum(network.sim_devices.downloads[number, "sampled"] for number in range(1, 9)) > 8
