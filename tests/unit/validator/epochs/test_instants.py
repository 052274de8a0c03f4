"""The two instants of an epoch: all devices are challenged at one, and asked for their memory at another, after the
work's deadline, whatever a leader names."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Collection
from dataclasses import replace
from itertools import product

import pytest

from assay.proof.probe.layout import claimed_mib
from assay.protocol.epochs import Phase
from assay.protocol.hexadecimal import parse_signature
from assay.protocol.leaves import Flag, batch_tree
from assay.protocol.messages import Gossip, Observations
from assay.validator.errors import Refused
from assay.validator.rules.instants import MAX_LAG_MS, Instant, chosen, earliest_probe_ms, is_earlier
from assay.wire import canonical
from assay.wire.gossip import BatchMessage, InstantBody, InstantMessage, Purpose
from tests.cases import deep_but
from tests.unit.validator.simulation.byzantine import signed
from tests.unit.validator.simulation.chain import DOMAIN, PROFILE
from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import TIMING, SimNetwork
from tests.unit.validator.simulation.outcomes import LEADER, assert_led
from tests.unit.validator.simulation.virtual_time import START, run

pytestmark = pytest.mark.slow

SEED = bytes(31) + b"\x02"
MEMORY_MIB = claimed_mib(PROFILE)


def instant(seat: int, at: int = 1_000, seed: bytes = SEED, purpose: Purpose = Purpose.WORK) -> Instant:
    return Instant(seat, seed, at, purpose)


def probe(seat: int, at: int = 9_000) -> Instant:
    return instant(seat, at, purpose=Purpose.MEMORY)


def now_at(instants, turn: int, purpose: Purpose = Purpose.WORK, now_ms: int = 0) -> Instant | None:
    return chosen(instants, purpose, SEED, 4, 2, turn, now_ms)


def test_instant__several_named__earliest_is_chosen_whoever_named_it():
    assert now_at([instant(3, 900), instant(2)], 2) == instant(3, 900)
    assert now_at([instant(2), instant(2, 2_000)], 1) == instant(2)


def test_instant__of_two_at_once__is_the_same_for_all():
    assert now_at([instant(3), instant(2)], 2) == now_at([instant(2), instant(3)], 2)


def test_instant__that_lies_in_the_past__begins_when_it_is_heard_of():
    heard = Instant(2, SEED, 500, heard_ms=1_200)
    assert heard.begins_ms == 1_200 and instant(2).begins_ms == 1_000
    assert now_at([heard, instant(3)], 1) == instant(3)


def test_instant__of_each_purpose__is_chosen_for_its_own():
    named = [instant(2), probe(2)]
    assert now_at(named, 0) == instant(2)
    assert now_at(named, 0, Purpose.MEMORY) == probe(2)


def test_instant__turn_not_begun__is_not_chosen():
    assert now_at([instant(3)], 0) is None
    assert now_at([instant(3)], 1) == instant(3)


def test_probe__turn_not_begun__is_chosen():
    assert now_at([probe(3)], 0, Purpose.MEMORY) == probe(3)


def test_instant__for_another_seed__counts_for_nothing():
    assert now_at([instant(2, seed=bytes(32))], 3) is None


def test_instant__too_far_ahead__is_chosen_once_it_is_near():
    far = instant(2, 40_000)
    assert now_at([far], 3) is None
    assert now_at([far], 3, now_ms=10_000) == far


@pytest.mark.parametrize(
    ("known", "new", "is_taken"),
    [
        ([], instant(2), True),
        ([instant(3)], instant(2), True),
        ([probe(2, 100)], instant(2), True),
        ([instant(2)], instant(2), False),
        ([instant(2)], instant(2, 1_001), False),
        ([instant(2)], instant(2, 751), False),
        ([instant(2)], instant(2, 750), True),
        ([instant(2)], Instant(2, SEED, 0, heard_ms=1_000), False),  # the first has begun: nothing is earlier any more
    ],
)
def test_instant__of_a_seat_that_named_one__is_taken_only_where_it_is_earlier(known, new, is_taken):
    assert is_earlier(known, new) is is_taken


def test_probe__of_devices_with_several_deadlines__waits_for_the_longest():
    assert earliest_probe_ms(1_000, [3_000, 12_000, 8_000]) == 13_000


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
    assert {number for _, number in asked} == {1, 2}  # the slow one is late: it could not be fetched with the others
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


@pytest.mark.parametrize(("liar", "purpose"), deep_but(((3, one) for one in Purpose), product(range(4), Purpose)))
def test_instant__leader_tells_half_of_the_seats_another__no_device_suffers(tmp_path, liar, purpose):
    network = SimNetwork(tmp_path, mutate={liar: names(liar, purpose, apart)})
    run(network.run(1))
    lines = network.lines(0)
    assert {line["flags"] for line in lines.values()} == {int(Flag.PASSED)}
    if purpose is Purpose.MEMORY:
        assert {line["memoryMiB"] for line in lines.values()} == {MEMORY_MIB}


@pytest.mark.parametrize("liar", deep_but([3], range(4)))
def test_probe__leader_names_it_before_the_work_is_due__begins_when_it_is(tmp_path, liar):
    network = SimNetwork(tmp_path, mutate={liar: names(liar, Purpose.MEMORY, lambda account: -1_500)})
    run(network.run(1))
    assert {line["memoryMiB"] for line in network.lines(0).values()} == {MEMORY_MIB}
    challenged = min(instants(network, Purpose.WORK))
    assert min(time for time, _, _ in network.sim_devices.probes) > challenged + PROFILE.deadline_ms / 1000 - 0.001


@pytest.mark.parametrize("away", deep_but([4.0], [1.0, 4.0]))
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


LIAR = LEADER


def swears_late(account: str, path: str, body: bytes) -> bytes:
    """The liar's batch says that every device took a minute."""
    if path != "/v1/observations":
        return body
    value = json.loads(body)
    for line in value["leaves"]:
        line["elapsedUs"] = 60_000_000
    message = BatchMessage.model_validate(value)
    statement = Observations(message.epoch, message.set_id, message.rho, batch_tree(message.leaves).root)
    value["signature"] = signed(LIAR, statement.digest(DOMAIN))
    return json.dumps(value).encode()


def shown(network: SimNetwork, start_ms: int, purpose: Purpose) -> InstantMessage:
    """An instant in the liar's name."""
    body = InstantBody(epoch_seed=network.chain.states[-1][0].epoch_seed, start_ms=start_ms)
    gossip = Gossip(0, 1, purpose.value, canonical.content_hash(body.to_json()))
    signature = parse_signature(signed(LIAR, gossip.digest(DOMAIN)))
    account = SimNetwork.account_of(LIAR)
    return InstantMessage(kind=purpose, epoch=0, set_id=1, seat=account, content=body, signature=signature)


def attacked(tmp_path, told: Collection[int], before_s: float, shift_ms: int, purpose: Purpose) -> SimNetwork:
    """The leader shows some seats another instant so long before the one that it named, gives no device its nonce, and
    swears that all were late."""

    async def attack(network: SimNetwork) -> None:
        def named() -> list[Instant]:
            run_ = network.nodes[LIAR].daemon.run_of(0)
            known = [] if run_ is None or run_.record is None else run_.record.instants
            return [instant for instant in known if instant.seat == LIAR and instant.purpose is purpose]

        while not named():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        start_ms = named()[0].start_ms
        await asyncio.sleep(max(0.0, start_ms / 1000 - before_s - START - asyncio.get_running_loop().time()))
        for seat in told:
            with contextlib.suppress(Refused):  # where commitments are closed by then
                network.nodes[seat].inbox.instant(shown(network, start_ms + shift_ms, purpose))

    network = SimNetwork(tmp_path, mutate={LIAR: swears_late})
    network.sim_devices.deaf = {SimNetwork.account_of(LIAR)}
    run(network.run(1, attack))
    assert_led(network)
    return network


HONEST = tuple(seat for seat in range(4) if seat != LIAR)
AWAY_S = 0.2  # above what a message takes, sent on once
TOLD = [(0,), (1,), (2,), (0, 1), (1, 2)]
SHOWN = list(product(TOLD, [1.95, 1.03, 1.001, 0.03, -0.1], [4_000, -400, -3_000], Purpose))
# Those that once made all devices late, or left them without an answer.
LATE = [((1,), 1.03, 4_000, Purpose.WORK), ((2,), 1.001, -400, Purpose.WORK), ((1, 2), 1.001, -3_000, Purpose.MEMORY)]


@pytest.mark.parametrize(
    ("told", "before_s", "shift_ms", "purpose"),
    deep_but(LATE, SHOWN),
)
def test_instant__leader_shows_some_seats_another_in_the_last_moment__no_device_suffers(
    tmp_path, told, before_s, shift_ms, purpose
):
    network = attacked(tmp_path, told, before_s, shift_ms, purpose)
    lines = network.lines(0)
    assert {line["flags"] for line in lines.values()} == {int(Flag.PASSED)}
    assert {line["memoryMiB"] for line in lines.values()} == {MEMORY_MIB}
    honest, of_epoch = {SimNetwork.account_of(seat) for seat in HONEST}, TIMING.start(1) - START
    for asked in (network.sim_devices.challenges, network.sim_devices.probes):
        times = {seat: time for time, _, seat in reversed(asked) if seat in honest and time < of_epoch}
        assert set(times) == honest
        assert max(times.values()) - min(times.values()) < AWAY_S


def test_instant__after_commitments_close__is_refused(tmp_path):
    refusals: list[str] = []

    async def show(network: SimNetwork) -> None:
        run_ = network.nodes[0].daemon.run_of
        while (known := run_(0)) is None or known.record is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        closes_ms = int(known.record.context.deadlines.commit_by * 1000)
        with pytest.raises(Refused, match="after commitments close") as refused:
            network.nodes[0].inbox.instant(shown(network, closes_ms + 1, Purpose.WORK))
        refusals.append(refused.value.reason)

    network = SimNetwork(tmp_path)
    run(network.run(1, show))
    assert refusals
    assert {line["flags"] for line in network.lines(0).values()} == {int(Flag.PASSED)}
