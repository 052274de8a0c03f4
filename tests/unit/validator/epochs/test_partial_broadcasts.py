"""A seat that tells some seats what it keeps from others, in virtual time: what n - f honest seats hold between them is
enough to close an epoch, whoever of them holds it."""

from __future__ import annotations

import json
from collections.abc import Collection
from itertools import combinations

import pytest

from assay.protocol.leaves import batch_tree
from assay.protocol.messages import Observations
from assay.validator.peers.admission import MAX_BATCHES_A_SEAT
from assay.validator.peers.gossip import Gossiper
from assay.wire.gossip import BatchMessage
from tests.unit.validator.simulation.byzantine import signed
from tests.unit.validator.simulation.chain import DOMAIN
from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import SimNetwork, seat_key
from tests.unit.validator.simulation.outcomes import LEADER, assert_led, assert_right
from tests.unit.validator.simulation.virtual_time import run

pytestmark = pytest.mark.slow

LIAR = LEADER
OTHERS = (0, 1, 2)  # in the order of their rounds
SUBSETS = [told for size in range(3) for told in combinations(OTHERS, size)]
BATCHES, INVENTORIES, INSTANTS = "/v1/observations", "/v1/inventories", "/v1/instants"
SEALS, REPORTS = "/v1/seal-proposals", "/v1/report-proposals"
DOWNLOADS = ("/v1/content/", "/v1/epochs/")


def network_of(tmp_path, told: Collection[int], sent: Collection[str], answered: Collection[str]) -> SimNetwork:
    """Of what it sends under these paths, and answers under these, only `told` seats get anything."""
    accounts = {seat_key(i).address for i in told}

    def mutate(account: str, path: str, body: bytes) -> bytes | None:
        return None if path in sent and account not in accounts else body

    def ignores(asker: str, path: str) -> bool:
        return path.startswith(tuple(answered)) and asker not in accounts

    devices = [SimDevice(1), SimDevice(2, "wrong")]
    return SimNetwork(tmp_path, devices=devices, mutate={LIAR: mutate}, ignores={LIAR: ignores})


KEPT_BACK = {
    "batch": ((BATCHES,), (REPORTS,)),
    "batch and downloads": ((BATCHES,), (REPORTS, *DOWNLOADS)),
    "report": ((BATCHES, REPORTS), (REPORTS, *DOWNLOADS)),
    "seal": ((SEALS,), (SEALS, *DOWNLOADS)),
    "inventory": ((INVENTORIES,), (SEALS, *DOWNLOADS)),
    "instant": ((INSTANTS,), ()),
    "everything": ((BATCHES, INVENTORIES, INSTANTS, SEALS, REPORTS), ("/v1/",)),
}


# Those that once were void, and the rest.
QUICK = {("batch and downloads", (0,)), ("batch and downloads", (2,)), ("report", (2,))}
CASES = [
    pytest.param(what, told, marks=() if (what, told) in QUICK else pytest.mark.deep, id=f"{what}-{told}")
    for what in KEPT_BACK
    for told in SUBSETS
]


@pytest.mark.parametrize(("what", "told"), CASES)
def test_epoch__one_of_four_tells_some_seats_only__closes_with_the_right_result(tmp_path, what, told):
    network = network_of(tmp_path, told, *KEPT_BACK[what])
    run(network.run(1))
    assert_led(network)
    assert_right(network)
    assert set(network.lines(0)) == {1, 2}


@pytest.mark.deep
@pytest.mark.parametrize("liars", [(0, 1), (2, 5), (3, 6)], ids=str)
def test_epoch__two_of_seven_tell_one_seat_each__closes_with_the_right_result(tmp_path, liars):
    """What each honest seat may not leave out, no single one of them was told."""
    honest = [i for i in range(7) if i not in liars]

    def tells(told: int):
        return lambda account, path, body: None if path == BATCHES and account != seat_key(told).address else body

    def ignores(told: int):
        return lambda asker, path: path.startswith((REPORTS, *DOWNLOADS)) and asker != seat_key(told).address

    network = SimNetwork(
        tmp_path,
        seats=7,
        devices=[SimDevice(1), SimDevice(2, "wrong")],
        mutate={liar: tells(told) for liar, told in zip(liars, honest, strict=False)},
        ignores={liar: ignores(told) for liar, told in zip(liars, honest, strict=False)},
    )
    run(network.run(1))
    assert_right(network)


class Equivocator:
    """Tells each seat as many other batches as it keeps of one seat, all different from those that it tells others."""

    def __init__(self) -> None:
        self.told: dict[str, int] = {}

    def __call__(self, account: str, path: str, body: bytes) -> bytes | None:
        if path != BATCHES:
            return None if path == REPORTS else body
        if self.told.get(account, 0) == MAX_BATCHES_A_SEAT:
            return None
        self.told[account] = self.told.get(account, 0) + 1
        value = json.loads(body)
        for line in value["leaves"]:
            line["elapsedUs"] = int(account, 16) % 10**6 + self.told[account]
        message = BatchMessage.model_validate(value)
        root = batch_tree(message.leaves).root
        statement = Observations(message.epoch, message.set_id, message.rho, root)
        value["signature"] = signed(LIAR, statement.digest(DOMAIN))
        return json.dumps(value).encode()


def test_epoch__one_of_four_tells_each_seat_as_many_batches_as_it_keeps__closes_with_the_right_result(
    tmp_path, monkeypatch
):
    """Each report must name one that is new to everybody but its leader, who has no room for more."""
    liar, honest = Equivocator(), Gossiper.tell

    async def many_times(self, accounts, path, message, deadline):
        times = MAX_BATCHES_A_SEAT if path == BATCHES and message.seat == seat_key(LIAR).address else 1
        for _ in range(times):
            await honest(self, accounts, path, message, deadline)

    monkeypatch.setattr(Gossiper, "tell", many_times)
    network = SimNetwork(tmp_path, mutate={LIAR: liar}, ignores={LIAR: lambda asker, path: path == REPORTS})
    run(network.run(1))
    assert_led(network)
    assert set(liar.told.values()) == {MAX_BATCHES_A_SEAT}
    assert_right(network)
