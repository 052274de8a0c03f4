"""Every line that is logged of an epoch carries its number."""

from __future__ import annotations

from pathlib import Path

import structlog
from structlog.processors import CallsiteParameter, CallsiteParameterAdder
from structlog.testing import capture_logs

from tests.unit.validator.simulation.devices import SimDevice
from tests.unit.validator.simulation.network import SimNetwork
from tests.unit.validator.simulation.virtual_time import run
from tests.unit.validator.test_epoch_simulation import hides_devices, sends_garbage

# What is logged there concerns the process or the chain, whatever epoch it is.
OF_NO_EPOCH = {"process", "follower", "daemon", "opening_checks", "spread_checks"}


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
    assert {"sealing", "challenging", "verifying", "observing", "signatures", "gossip", "epoch_run"} <= {
        Path(line["module"]).name for line in of_epochs
    }
    assert [line for line in of_epochs if not isinstance(line.get("epoch"), int)] == []
