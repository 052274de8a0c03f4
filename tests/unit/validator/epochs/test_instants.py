"""The two instants of an epoch: all devices are challenged at one, and asked for their memory at another, after the
work's deadline; a leader that names them otherwise is passed over."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from assay.proof.probe.layout import claimed_mib
from assay.protocol.epochs import Phase
from assay.protocol.leaves import Flag
from assay.protocol.messages import Gossip
from assay.validator.rules.instants import MAX_LAG_MS, Instant, chosen, earliest_probe_ms, plausible
from assay.wire import canonical
from assay.wire.gossip import InstantMessage, Purpose
from tests.unit.validator.simulation.byzantine import signed
from tests.unit.validator.simulation.chain import DOMAIN, PROFILE
from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import TIMING, SimNetwork
from tests.unit.validator.simulation.virtual_time import START, run

pytestmark = pytest.mark.slow

SEED = bytes(31) + b"\x02"
MEMORY_MIB = claimed_mib(PROFILE)


def instant(seat: int, at: int = 1_000, seed: bytes = SEED, purpose: Purpose = Purpose.WORK) -> Instant:
    return Instant(seat, seed, at, purpose)


def probe(seat: int, at: int = 9_000) -> Instant:
    return instant(seat, at, purpose=Purpose.MEMORY)


def test_instant__leader_of_first_turn__is_chosen_over_later_ones():
    assert chosen([instant(3), instant(2)], Purpose.WORK, SEED, 4, 2, 2) == instant(2)


def test_instant__leader_named_two__is_passed_over():
    assert chosen([instant(2), instant(2, 2_000), instant(3, 5)], Purpose.WORK, SEED, 4, 2, 1) == instant(3, 5)


def test_instant__leader_named_the_same_twice__is_chosen():
    assert chosen([instant(2), instant(2)], Purpose.WORK, SEED, 4, 2, 1) == instant(2)


def test_instant__leader_named_two_for_the_other_purpose__is_passed_over_in_both():
    named = [instant(2), instant(2, 2_000), probe(2), probe(3)]
    assert chosen(named, Purpose.MEMORY, SEED, 4, 2, 3) == probe(3)


def test_instant__of_each_purpose__is_chosen_for_its_own():
    named = [instant(2), probe(2)]
    assert chosen(named, Purpose.WORK, SEED, 4, 2, 0) == instant(2)
    assert chosen(named, Purpose.MEMORY, SEED, 4, 2, 0) == probe(2)


def test_instant__turn_not_begun__is_not_chosen():
    assert chosen([instant(3)], Purpose.WORK, SEED, 4, 2, 0) is None


def test_instant__for_another_seed__counts_for_nothing():
    assert chosen([instant(2, seed=bytes(32))], Purpose.WORK, SEED, 4, 2, 3) is None


def test_probe__named_before_the_work_is_due__is_passed_over():
    assert chosen([probe(2, 3_999), probe(3, 4_000)], Purpose.MEMORY, SEED, 4, 2, 1, 4_000) == probe(3, 4_000)


def test_probe__of_devices_with_several_deadlines__waits_for_the_longest():
    assert earliest_probe_ms(1_000, [3_000, 12_000, 8_000]) == 13_000


@pytest.mark.parametrize(("start", "fine"), [(1_000, True), (40_000, False), (9_001, False), (-30_000, False)])
def test_instant__far_from_now_or_after_the_close__is_not_plausible(start, fine):
    assert plausible(start, 1_000, 9_000) is fine


def instants(network: SimNetwork, purpose: Purpose) -> list[float]:
    """Those the network heard of, in seconds of the simulation's clock."""
    store = network.last.daemon.services.store
    found = [InstantMessage.parse(m.body) for m in store.messages(0, purpose.value)]
    return [message.content.start_ms / 1000 - START for message in found]


def test_probes__of_devices_that_commit_at_different_times__are_all_asked_at_one_instant_after_the_deadline(tmp_path):
    network = SimNetwork(tmp_path, devices=[SimDevice(1), SimDevice(2), SimDevice(3, "slow")])
    run(network.run(1))
    (challenged,), (probed,) = (instants(network, purpose) for purpose in Purpose)
    assert probed >= challenged + PROFILE.deadline_ms / 1000
    asked = [(time, number) for time, number, _ in network.sim_devices.probes if time < TIMING.start(1) - START]
    assert {number for _, number in asked} == {1, 2}  # the slow one is late: it was not to be had with the others
    assert all(abs(time - probed) < 0.01 for time, _ in asked)
    assert {n: line["memoryMiB"] for n, line in network.lines(0).items()} == {1: MEMORY_MIB, 2: MEMORY_MIB, 3: 0}


def test_probes__of_names_that_share_a_fast_card__show_the_memory_of_one_at_most(tmp_path):
    network = SimNetwork(tmp_path, devices=[SimDevice(1, "shares-a-card"), SimDevice(2, "shares-a-card")])
    run(network.run(1))
    lines = network.lines(0)
    assert {n: line["flags"] for n, line in lines.items()} == {1: 1, 2: 1}  # it did the work of both in time
    assert sum(line["memoryMiB"] > 0 for line in lines.values()) <= 1


def names(seat: int, purpose: Purpose, change_ms):
    """What a seat says in place of its instant to a peer: later by what `change_ms` gives for the peer's account."""

    def mutate(account: str, path: str, body: bytes) -> bytes:
        value = json.loads(body)
        own = SimNetwork.account_of(seat)
        if path != "/v1/instants" or value["seat"] != own or value["kind"] != purpose.value:
            return body
        value["content"]["startMs"] += change_ms(account)
        message = InstantMessage.model_validate(value)
        gossip = Gossip(message.epoch, message.set_id, purpose.value, canonical.content_hash(message.content.to_json()))
        value["signature"] = signed(seat, gossip.digest(DOMAIN))
        return json.dumps(value).encode()

    return mutate


def apart(account: str) -> int:
    """Half of the peers are told four seconds more."""
    return 4_000 * (int(account, 16) % 2)


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("liar", range(4))
def test_instant__leader_tells_half_of_the_seats_another__is_found_out_and_no_device_suffers(tmp_path, liar, purpose):
    network = SimNetwork(tmp_path, mutate={liar: names(liar, purpose, apart)})
    run(network.run(1))
    lines = network.lines(0)
    assert {line["flags"] for line in lines.values()} == {int(Flag.PASSED)}
    if purpose is Purpose.MEMORY:
        assert {line["memoryMiB"] for line in lines.values()} == {MEMORY_MIB}


@pytest.mark.parametrize("liar", range(4))
def test_probe__leader_names_it_before_the_work_is_due__the_next_one_does(tmp_path, liar):
    network = SimNetwork(tmp_path, mutate={liar: names(liar, Purpose.MEMORY, lambda account: -1_500)})
    run(network.run(1))
    assert {line["memoryMiB"] for line in network.lines(0).values()} == {MEMORY_MIB}
    challenged = min(instants(network, Purpose.WORK))
    assert min(time for time, _, _ in network.sim_devices.probes) > challenged + PROFILE.deadline_ms / 1000 - 0.001


@pytest.mark.parametrize("away", [1.0, 4.0])
def test_probe__of_a_seat_that_comes_back_after_the_instant__is_timed_by_the_others(tmp_path, away):
    async def restart(network):
        while not network.sim_devices.probes:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await network.kill(1)
        await asyncio.sleep(away)
        network.start(1)

    network = SimNetwork(tmp_path, devices=[SimDevice(1)])
    run(network.run(1, restart))
    assert network.phase(0) == Phase.REPORTED
    assert network.lines(0)[1]["memoryMiB"] == MEMORY_MIB


def test_probe__that_waits_for_a_seat_that_comes_back__is_not_timed_by_that_seat(tmp_path):
    """Its clock would start long after the instant, when a card may have made another window again."""

    async def restart(network):
        while not network.nodes[1].daemon.services.store.messages(0, Purpose.MEMORY.value):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await network.kill(1)
        while not network.sim_devices.probes:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(MAX_LAG_MS / 1000)
        network.start(1)

    leisurely = replace(TIMING, epoch_length=30, seal_by=22, draw_by=26, report_by=40)
    network = SimNetwork(tmp_path, devices=[SimDevice(1)], silent=frozenset({2}), timing=leisurely)
    run(network.run(1, restart))
    (_, _, elapsed_us), *_ = network.stores[1].lanes(0, network.chain.states[-1][0].epoch_seed)
    assert elapsed_us == 0
    assert network.lines(0)[1]["memoryMiB"] == 0


def test_probe__that_waits_for_a_seat_that_asks_late__is_not_in_time(tmp_path):
    """One seat never runs and one holds its nonce back until long after the instant: the walk begins with that."""
    network = SimNetwork(tmp_path, devices=[SimDevice(1)], silent=frozenset({3}))
    network.sim_devices.holds_back = {network.accounts[2].account: 3.0}
    run(network.run(1))
    line = network.lines(0)[1]
    assert (line["flags"], line["memoryMiB"]) == (1, 0)
