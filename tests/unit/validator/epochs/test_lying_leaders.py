"""Whatever a leader proposes, an honest validator signs nothing that a contract would slash it for, and the epoch
closes under another leader."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from assay.protocol.hexadecimal import to_hex
from assay.protocol.leaves import sealed_tree
from assay.wire.gossip import ReportProposal, SealProposal
from tests.cases import deep_but
from tests.unit.validator.simulation.byzantine import signed
from tests.unit.validator.simulation.chain import DOMAIN
from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import SimNetwork, seat_key
from tests.unit.validator.simulation.outcomes import assert_right
from tests.unit.validator.simulation.virtual_time import run

pytestmark = pytest.mark.slow

SEAL, REPORT = "/v1/seal-proposals", "/v1/report-proposals"
KINDS = {SEAL: SealProposal, REPORT: ReportProposal}
DEVICES = (SimDevice(1), SimDevice(2), SimDevice(3, "wrong"))


@pytest.fixture(scope="module")
def leaders(tmp_path_factory) -> dict[str, int]:
    """Who leads the first round of sealing and of reporting: virtual time makes it the same in every run."""
    shown: dict[str, str] = {}

    def note(account: str, path: str, body: bytes) -> bytes:
        if path in KINDS:
            shown.setdefault(path, json.loads(body)["seat"])
        return body

    network = SimNetwork(tmp_path_factory.mktemp("honest"), devices=list(DEVICES), mutate=dict.fromkeys(range(4), note))
    run(network.run(1))
    accounts = [seat_key(i).address for i in range(4)]
    return {path: accounts.index(seat) for path, seat in shown.items()}


def reseal(value: dict) -> None:
    """The root and the count of the lines that are named."""
    leaves = SealProposal.model_validate(value).leaves
    value.update(sealRoot=to_hex(sealed_tree(leaves).root), count=len(leaves))


def device_did_not_sign(value: dict) -> None:
    """What a bad seal is: a line whose device signature is another device's."""
    value["leaves"][0].update({part: value["leaves"][1][part] for part in ("r", "vs")})
    reseal(value)


def result_is_exchanged(value: dict) -> None:
    value["leaves"][0]["resultRoot"] = "0x" + "77" * 32
    reseal(value)


def device_is_not_enrolled(value: dict) -> None:
    value["leaves"][-1]["deviceId"] = "0x" + "ff" * 32
    reseal(value)


def device_stands_twice(value: dict) -> None:
    """The tree itself refuses lines that do not ascend; the root is somebody's invention."""
    value["leaves"].insert(0, value["leaves"][0])
    value["commitments"].insert(0, value["commitments"][0])
    value["count"] = len(value["leaves"])


def root_is_of_other_lines(value: dict) -> None:
    value["sealRoot"] = "0x" + "77" * 32


def count_is_of_other_lines(value: dict) -> None:
    value["count"] += 1


def seal_is_of_another_seed(value: dict) -> None:
    value["epochSeed"] = "0x" + "77" * 32


def round_has_not_begun(value: dict) -> None:
    """The first of the later rounds that the same seat leads: who signs it may sign no earlier one."""
    value["round"] += 4


def commitments_are_nowhere(value: dict) -> None:
    """For seats that hold them the lines are good all the same."""
    value["commitments"] = ["0x" + "77" * 32] * len(value["commitments"])


def unsealed_device_passes(value: dict) -> None:
    """The root of device lines that nobody's batches make: an unsealed pass could stand in it."""
    value["devicesRoot"] = "0x" + "77" * 32


def reward_is_shrunk(value: dict) -> None:
    value["rewardsRoot"] = "0x" + "77" * 32


def total_is_raised(value: dict) -> None:
    value["rewardsTotal"] = str(int(value["rewardsTotal"]) + 1)


def data_are_elsewhere(value: dict) -> None:
    value["dataHash"] = "0x" + "77" * 32


def report_is_of_another_draw(value: dict) -> None:
    value["rho"] = "0x" + "77" * 32


def batch_is_named_twice(value: dict) -> None:
    value["batches"][1] = value["batches"][0]


def batch_is_of_another_seat(value: dict) -> None:
    first, second = value["batches"][:2]
    first["digest"], second["digest"] = second["digest"], first["digest"]
    first["content"], second["content"] = second["content"], first["content"]


def fewer_batches_than_a_quorum(value: dict) -> None:
    value["batches"] = value["batches"][:2]


LIES: list[tuple[str, Callable[[dict], None]]] = [
    *((SEAL, lie) for lie in (
        device_did_not_sign, result_is_exchanged, device_is_not_enrolled, device_stands_twice, root_is_of_other_lines,
        count_is_of_other_lines, seal_is_of_another_seed, round_has_not_begun,
    )),
    *((REPORT, lie) for lie in (
        unsealed_device_passes, reward_is_shrunk, total_is_raised, data_are_elsewhere, report_is_of_another_draw,
        round_has_not_begun, batch_is_named_twice, batch_is_of_another_seat, fewer_batches_than_a_quorum,
    )),
]  # fmt: skip
EVERY_RUN = [
    (SEAL, result_is_exchanged),
    (SEAL, round_has_not_begun),
    (REPORT, reward_is_shrunk),
    (REPORT, batch_is_named_twice),
]


class Liar:
    """Changes each of its proposals and signs what came of it, so that it is its own word."""

    def __init__(self, seat: int, path: str, lie: Callable[[dict], None]) -> None:
        self.seat, self.path, self.lie = seat, path, lie
        self.proposed: set[bytes] = set()

    def __call__(self, account: str, path: str, body: bytes) -> bytes:
        value = json.loads(body)
        if path != self.path or value["seat"] != seat_key(self.seat).address:
            return body
        self.lie(value)
        digest = KINDS[path].model_validate(value).message().digest(DOMAIN)
        value["signature"] = signed(self.seat, digest)
        self.proposed.add(digest)
        return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("path", "lie"), deep_but(EVERY_RUN, LIES), ids=lambda part: getattr(part, "__name__", part).split("/")[-1]
)
def test_leader__lies_in_what_it_proposes__nobody_else_signs_it_and_the_epoch_closes(tmp_path, leaders, path, lie):
    liar = Liar(leaders[path], path, lie)
    network = SimNetwork(tmp_path, devices=list(DEVICES), mutate={liar.seat: liar})
    run(network.run(1))  # which looks through all that was signed for what contracts slash
    assert liar.proposed
    said = {message.digest(DOMAIN) for seat in range(4) if seat != liar.seat for message in network.said[seat]}
    # A report that names other batches for the same roots is the leader's honest one: nobody may sign for the naming.
    if lie not in (batch_is_named_twice, batch_is_of_another_seat, fewer_batches_than_a_quorum):
        assert not said & liar.proposed
    assert_right(network)
    assert set(network.lines(0)) == {1, 2, 3}


def test_leader__names_commitments_that_nobody_has__lines_held_here_are_signed_all_the_same(tmp_path, leaders):
    liar = Liar(leaders[SEAL], SEAL, commitments_are_nowhere)
    network = SimNetwork(tmp_path, devices=list(DEVICES), mutate={liar.seat: liar})
    run(network.run(1))
    assert liar.proposed
    assert_right(network)
