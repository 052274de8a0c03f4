"""Check-ins of real daemons on the real contracts, for an epoch that could not be sealed."""

from __future__ import annotations

import asyncio
from functools import lru_cache

import pytest

from assay.protocol import signing
from assay.protocol.epochs import Phase
from tests.integration.validator.anvil_network import AnvilNetwork, play, prepared
from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import TIMING
from tests.unit.validator.simulation.virtual_time import VirtualClock


@pytest.fixture
def local(tmp_path, monkeypatch):
    monkeypatch.setattr(signing, "recover", lru_cache(maxsize=100_000)(signing.recover))
    chain = asyncio.run(prepared(tmp_path / "chain", 4, [SimDevice(1)]))
    yield chain
    asyncio.run(chain.stop())


@pytest.mark.deep
def test_epoch__two_of_four_away__the_others_check_in_and_all_go_on(local, tmp_path):
    found: dict[int, bool] = {}

    async def come_back(network: AnvilNetwork) -> None:
        await asyncio.sleep(TIMING.start(1) - 2 - VirtualClock().now())
        network.start(2)
        network.start(3)
        while network.phase(1) != Phase.REPORTED:  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        head = await network.observer.head()
        for i in range(4):
            found[i] = await network.observed.has_checked_in(network.account_of(i), 0, head)

    network = AnvilNetwork(tmp_path, devices=[SimDevice(1)], local=local, silent=frozenset({2, 3}))
    play(network, 2, come_back)
    assert network.phase(0) == Phase.VOID
    assert found == dict.fromkeys(range(4), True)  # those too that came back in the epoch after
    assert [list(network.stores[i].check_ins()) for i in range(4)] == [[0]] * 4
    line = network.lines(1)[1]
    assert (line["flags"], line["memoryMiB"], line["uptimeBps"]) == (1, 1, 10_000)
