"""An epoch whose last deadline passed while nobody was there is voided by whoever comes back."""

from __future__ import annotations

import asyncio

import pytest

from assay.protocol.epochs import Phase
from tests.unit.validator.simulation.network import TIMING, SimNetwork
from tests.unit.validator.simulation.virtual_time import START, VirtualClock, run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("phase", [Phase.OPEN, Phase.SEALED, Phase.DRAWN])
def test_epoch__all_nodes_down_from_a_phase_to_past_its_deadline__is_voided_and_later_ones_work(tmp_path, phase):
    async def away(network):
        while network.phase(0) != phase:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await asyncio.sleep(2.5)  # until that is final, and noted
        assert network.phase(0) == phase
        for i in range(4):
            await network.kill(i)
        await asyncio.sleep(START + 5 + TIMING.report_by + 1 - VirtualClock().now())
        assert network.phase(0) == phase
        for i in range(4):
            network.start(i)

    network = SimNetwork(tmp_path)
    run(network.run(3, away))
    assert [network.phase(epoch) for epoch in (0, 2)] == [Phase.VOID, Phase.REPORTED]
    assert [network.last.daemon.services.store.epoch(epoch).outcome for epoch in (0, 2)] == ["void", "reported"]
