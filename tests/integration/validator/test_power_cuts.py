"""A validator loses power at every step it takes towards disk, key or chain, and starts again. All steps, as a first
run counts them."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from assay.protocol import signing
from assay.protocol.signing import signed_by
from assay.signing.record import SigningRecord
from assay.signing.witness import Witness
from assay.validator.ports import Phase
from tests.unit.validator.simulation.chain import DOMAIN
from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import SimNetwork, seat_key
from tests.unit.validator.simulation.virtual_time import run

WORKERS = 2
MEMORY = Path("/dev/shm")


@pytest.fixture
def folder(tmp_path):
    """In memory where there is such a place: no power is really cut, so nothing needs to reach a disk."""
    if not MEMORY.is_dir():
        yield tmp_path
        return
    with TemporaryDirectory(dir=MEMORY, prefix="assay-power-cuts-") as name:
        yield Path(name)


@pytest.fixture(autouse=True)
def remembered_recoveries(monkeypatch):
    """Every node recovers the same signatures; once a process is enough."""
    monkeypatch.setattr(signing, "recover", lru_cache(maxsize=None)(signing.recover))


def one_run(folder: Path, cut_at: int | None) -> SimNetwork:
    network = SimNetwork(folder, devices=[SimDevice(1), SimDevice(2, "wrong")], cut_at=cut_at)
    run(network.run(1))
    return network


def assert_signed_once(network: SimNetwork, folder: Path) -> None:
    """The record holds one digest for each place; every signature on the chain is in it."""
    record = SigningRecord(
        folder / "node-0" / "signing.sqlite",
        seat_key(0).address,
        DOMAIN.separator,
        Witness(folder / "node-0" / "witness"),
    )
    places = [(s.kind, s.epoch, s.set_id, s.round, s.scope) for s in record.statements()]
    assert len(places) == len(set(places))
    record.close()


def cut_at(folder: Path, at: int) -> Phase:
    """How the epoch ended whose first validator lost power at this step; raises where it signed twice."""
    network = one_run(folder, at)
    assert_signed_once(network, folder)
    return network.phase(0)


def test_power_cut__at_every_step__epoch_closes_and_nothing_is_signed_twice(folder):
    undisturbed = one_run(folder / "undisturbed", None)
    steps = list(undisturbed.wires[0].steps)
    assert len(steps) > 40
    assert {"before sign_seal", "after sign_seal", "after sign_report", "before put_commitment"} <= set(steps)
    # Forked: the workers take over what is loaded and remembered.
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("fork")) as pool:
        cuts = {at: pool.submit(cut_at, folder / str(at), at) for at in range(len(steps))}
        failed = [(at, steps[at], cut.result().name) for at, cut in cuts.items() if cut.result() != Phase.REPORTED]
    assert failed == []


def test_signed_by__another_key__is_told_apart():
    # Guards the fixture above: a memory of recoveries must not make every signature good.
    digest = bytes(32)
    assert not signed_by(digest, seat_key(1).sign_digest(digest), seat_key(0).address)
