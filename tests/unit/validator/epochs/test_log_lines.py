"""Every line that is logged of an epoch carries its number."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from structlog.processors import CallsiteParameter, CallsiteParameterAdder
from structlog.testing import capture_logs

from assay.validator.peers.inbox import Inbox
from tests.unit.validator.simulation.byzantine import hides_devices, sends_garbage
from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import SimNetwork
from tests.unit.validator.simulation.virtual_time import run

# What is logged there concerns the process or the chain, whatever epoch it is.
OF_NO_EPOCH = {"process", "follower", "daemon", "opening_checks", "spread_checks"}


@pytest.mark.slow
def test_log__epochs_with_liars_and_silence__every_line_carries_its_epoch(tmp_path):
    devices = [SimDevice(1), SimDevice(2, "wrong"), SimDevice(3, "silent"), SimDevice(4, "no-opening")]
    lines = []
    for number, (mutate, silent) in enumerate(
        [({0: sends_garbage(0)}, frozenset()), ({1: hides_devices(1)}, frozenset()), ({}, frozenset({2, 3}))]
    ):
        places = CallsiteParameterAdder([CallsiteParameter.MODULE])
        with capture_logs(processors=[structlog.contextvars.merge_contextvars, places]) as captured:
            network = SimNetwork(tmp_path / str(number), devices=devices, mutate=mutate, silent=silent)
            run(network.run(2))
        lines += captured
    of_epochs = [line for line in lines if line["module"] not in OF_NO_EPOCH]
    assert {"rounds", "challenging", "verifying", "observing", "gossip", "epoch_run"} <= {
        Path(line["module"]).name for line in of_epochs
    }
    assert [line for line in of_epochs if not isinstance(line.get("epoch"), int)] == []


@pytest.mark.parametrize("ask", ["seal_proposal", "report_proposal"])
async def test_log__while_a_peers_proposal_is_judged__carries_its_epoch(ask):
    async def sign(proposal) -> bytes:
        structlog.get_logger().warning("remote signer unavailable, asked again")
        return bytes(64)

    inbox = Inbox(lambda epoch: SimpleNamespace(sign_seal=sign, sign_report=sign), None, None)
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        await getattr(inbox, ask)(SimpleNamespace(epoch=7))
    assert [line["epoch"] for line in lines] == [7]
    assert "epoch" not in structlog.contextvars.get_contextvars()
