"""Whole epochs through kills, restores and reorganisations: nothing slashable is signed, and the next one works."""

from __future__ import annotations

import asyncio
import shutil
from itertools import product

import pytest

from assay.protocol.epochs import Phase
from tests.cases import deep_but
from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import SimNetwork
from tests.unit.validator.simulation.virtual_time import run

pytestmark = pytest.mark.slow


# In each phase and between them.
MOMENTS = [6.5, 8.5, 10.0, 11.5, 13.0, 14.5, 16.0, 18.0, 20.0, 22.0]


@pytest.mark.parametrize("at", deep_but([13.0], MOMENTS))
def test_epoch__each_node_killed_and_restarted_at_a_moment__no_double_signature_and_closes(tmp_path, at):
    async def restart(network):
        await asyncio.sleep(at)
        for i in range(4):
            await network.kill(i)
            network.start(i)
            await asyncio.sleep(0.3)

    network = SimNetwork(tmp_path)
    run(network.run(2, restart))
    assert network.phase(1) == Phase.REPORTED
    assert network.phase(0) in (Phase.REPORTED, Phase.VOID)


# What was final, a little below it and far below: deep runs try all of them at every moment.
@pytest.mark.parametrize(
    ("at", "depth"),
    deep_but([(15.0, 9), (24.0, 9)], product((7.5, 10.0, 13.0, 15.0, 17.5, 20.0, 24.0), (1, 4, 9))),
)
def test_epoch__chain_reorganised__nothing_slashable_is_signed_and_the_next_epoch_works(tmp_path, at, depth):
    async def reorganise(network):
        await asyncio.sleep(at)
        network.chain.reorganise(depth)

    network = SimNetwork(tmp_path, devices=[SimDevice(1), SimDevice(2, "wrong")])
    run(network.run(2, reorganise))
    assert network.phase(1) == Phase.REPORTED
    assert {n: line["flags"] for n, line in network.lines(1).items()} == {1: 1, 2: 8}


@pytest.mark.parametrize("at", deep_but([18.0], [9.0, 14.0, 18.0, 22.0]))
def test_epoch__database_lost_in_mid_epoch__sits_out_and_signs_nothing_twice(tmp_path, at):
    async def lose(network):
        await asyncio.sleep(at)
        await network.kill(1)
        for name in ("validator.sqlite", "validator.sqlite-wal", "validator.sqlite-shm", "signing.sqlite"):
            (tmp_path / "node-1" / name).unlink(missing_ok=True)
        network.start(1, latest_epoch=0)

    network = SimNetwork(tmp_path)
    run(network.run(2, lose))
    assert network.phase(1) == Phase.REPORTED


@pytest.mark.parametrize("back", deep_but([19.0], [14.0, 19.0, 23.0]))
def test_epoch__record_restored_from_before_it_signed__sits_out_and_signs_nothing_twice(tmp_path, back):
    record, backup = tmp_path / "node-1" / "signing.sqlite", tmp_path / "backup.sqlite"
    said = []

    async def restore(network):
        await asyncio.sleep(8)
        shutil.copy(record, backup)
        await asyncio.sleep(back - 8)
        await network.kill(1)
        said.extend(network.said[1])
        shutil.copy(backup, record)
        network.start(1, latest_epoch=0)
        assert "restored from a backup" in network.nodes[1].signer.doubt

    network = SimNetwork(tmp_path)
    run(network.run(2, restore))
    assert said
    since = network.said[1][len(said) :]
    assert min(message.epoch for message in since) == 1
    assert network.phase(1) == Phase.REPORTED
