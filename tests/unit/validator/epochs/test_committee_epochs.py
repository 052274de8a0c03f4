"""Whole epochs in which each device is checked by a committee only."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.protocol.epochs import Phase
from assay.protocol.keccak import keccak
from assay.protocol.leaves import Flag, ObservationLeaf, SealedLeaf
from assay.protocol.profile import NAMED
from assay.protocol.types import NO_ROOT
from assay.validator.rules import committees, reports
from assay.validator.rules.values import Batch
from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import SimNetwork
from tests.unit.validator.simulation.virtual_time import run

pytestmark = pytest.mark.slow

SEATS, SIZE = 7, 5


@pytest.fixture
def committees_of_five(monkeypatch):
    with small_committees(monkeypatch):
        assert committees.committee_size(SEATS, 1) == SIZE
        yield


class small_committees:
    """Committees from the first device on, of the least size."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def __enter__(self) -> None:
        self._patch.setattr(committees, "CHECKED_BY_ALL", 0)
        self._patch.setattr(committees, "ALLOWED_FAILURES", Fraction(10**6))
        committees.committee_size.cache_clear()

    def __exit__(self, *_: object) -> None:
        self._patch.undo()
        committees.committee_size.cache_clear()


@pytest.mark.parametrize("silent", [pytest.param(frozenset(), marks=pytest.mark.deep), frozenset({0, 4})])
def test_epoch__of_committees__closes_with_the_right_result_and_the_work_is_shared(
    tmp_path, committees_of_five, silent
):
    devices = [SimDevice(i, "wrong" if i % 3 == 0 else "") for i in range(1, 7)]
    network = SimNetwork(tmp_path, seats=SEATS, devices=devices, silent=silent)
    asked: dict[str, int] = {}
    openings = network.sim_devices.opening

    async def counted(device, body, max_bytes, timeout_s):
        asked[device.device_id] = asked.get(device.device_id, 0) + 1
        return await openings(device, body, max_bytes, timeout_s)

    network.sim_devices.opening = counted
    run(network.run(1))
    assert network.phase(0) is Phase.REPORTED
    flags = {number: line["flags"] for number, line in network.lines(0).items()}
    assert flags == {i: 8 if i % 3 == 0 else 1 for i in range(1, 7)}
    # Each member asks for the sampled and for its secret rows.
    assert all(count <= 2 * SIZE for count in asked.values())
    assert sum(asked.values()) < 2 * SEATS * len(devices)


@given(st.lists(st.sampled_from([1, 8, 32, 64, None]), min_size=SEATS, max_size=SEATS), st.randoms())
@settings(max_examples=100, deadline=None)
def test_report__of_committees__is_the_same_for_any_order_of_batches(flags, chance):
    with pytest.MonkeyPatch.context() as patch, small_committees(patch):
        device, root, rho = keccak(b"device"), keccak(b"root"), keccak(b"rho")
        sealed = [SealedLeaf(device, NO_ROOT, NO_ROOT, root, NO_ROOT, NO_ROOT, NO_ROOT)]
        batches = [
            Batch(s, keccak(bytes([s])), () if f is None else (ObservationLeaf(device, root, 1_000 + s, f, 10_000),))
            for s, f in enumerate(flags)
        ]
        mixed = batches[:]
        chance.shuffle(mixed)
        made = [
            reports.device_leaves(1, sealed, order, lambda _: NAMED["micro"], SEATS, rho) for order in (batches, mixed)
        ]
        assert made[0] == made[1]
        members = committees.committee(rho, device, SEATS, SIZE)
        said = [flags[s] for s in members if flags[s] is not None]
        passed = said.count(1) >= committees.threshold(len(said))
        assert bool(made[0][0].flags & Flag.PASSED) == passed
