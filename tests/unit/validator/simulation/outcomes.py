"""Who leads the first epoch, and what must come of one."""

from __future__ import annotations

from assay.protocol.epochs import Phase
from assay.validator.rules.leaders import first_leader

from .network import SimNetwork

LEADER = 3  # of the first rounds of epoch 0: its seed follows from the block that opens it


def assert_led(network: SimNetwork) -> None:
    """That the lies which only a leader can tell were told."""
    assert first_leader(network.chain.states[-1][0].epoch_seed, network.seats) == LEADER


def assert_right(network: SimNetwork, epoch: int = 0) -> None:
    assert network.phase(epoch) == Phase.REPORTED
    for number, line in network.lines(epoch).items():
        device = next(d for d in network.devices if d.number == number)
        assert line["flags"] == {"": 1, "wrong": 8, "wrong-secret": 8}[device.fault], (number, line)
