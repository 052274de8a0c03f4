"""A validator loses power at every step it takes towards disk, key or chain, and starts
again. Steps as a first run counts them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from assay.protocol import signing
from assay.protocol.epochs import Phase
from assay.protocol.signing import signed_by
from assay.signing.record import SigningRecord
from assay.signing.witness import Witness
from tests.unit.validator.simulation.chain import DOMAIN
from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import SimNetwork, seat_key
from tests.unit.validator.simulation.power_cuts import STATEMENTS, WRITER
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


def outcomes(folder: Path, chosen: Callable[[list[str]], list[int]]) -> dict[str, Phase]:
    """How the epoch ended for each step chosen of those of an undisturbed run."""
    undisturbed = one_run(folder / "undisturbed", None)
    steps = list(undisturbed.wires[0].steps)
    assert len(steps) > 40
    assert {"before sign_seal", "after sign_seal", "after sign_report", "before put_commitment"} <= set(steps)
    # Forked: the workers take over what is loaded and remembered.
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("fork")) as pool:
        cuts = {at: pool.submit(cut_at, folder / str(at), at) for at in chosen(steps)}
        return {f"{at}: {steps[at]}": cut.result() for at, cut in cuts.items()}


def telling(steps: list[str]) -> list[int]:
    """The first and the last of each name, and all that have to do with signatures or the chain."""
    last = {name: at for at, name in enumerate(steps)}
    first = {name: at for at, name in reversed(list(enumerate(steps)))}
    near = {at for at, name in enumerate(steps) if name.split()[1] in (*STATEMENTS, *WRITER)}
    return sorted({*first.values(), *last.values()} | near)


def test_power_cut__at_each_kind_of_step__epoch_closes_and_nothing_is_signed_twice(folder):
    ended = outcomes(folder, telling)
    assert {at: phase.name for at, phase in ended.items() if phase != Phase.REPORTED} == {}
    assert any("before sign_report" in at for at in ended)


@pytest.mark.deep
def test_power_cut__at_every_step__epoch_closes_and_nothing_is_signed_twice(folder):
    ended = outcomes(folder, lambda steps: list(range(len(steps))))
    assert {at: phase.name for at, phase in ended.items() if phase != Phase.REPORTED} == {}


def test_signed_by__another_key__is_told_apart():
    # Guards the fixture above: a memory of recoveries must not make every signature good.
    digest = bytes(32)
    assert not signed_by(digest, seat_key(1).sign_digest(digest), seat_key(0).address)
