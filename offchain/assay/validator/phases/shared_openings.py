"""Openings passed on between validators: each device is asked for its sampled rows by one seat, as long as all is well.

Whose turn it is follows from rho and the device. The others take the bytes from those seats and verify them as if they
had come from the device: what a peer passes on can save a download and decide nothing. The rows of a validator's own
secret choice are always asked of the device.
"""

from __future__ import annotations

from dataclasses import dataclass

from assay.protocol.keccak import keccak
from assay.protocol.types import DeviceId, Rho
from assay.validator.context import EpochContext
from assay.validator.pace import Pace
from assay.validator.peers.gossip import Gossiper
from assay.validator.ports import Clock
from assay.validator.rules import committees

MAX_WAIT = 0.25  # of the time left until observations close


@dataclass(frozen=True)
class SharedOpenings:
    """Who asks first, and what the first pass on."""

    context: EpochContext
    gossip: Gossiper
    clock: Clock
    pace: Pace

    def fetch_order(self, device_id: DeviceId, rho: Rho, sealed: int) -> list[int]:
        """The seats that check a device, in the order in which they ask it for its sampled rows."""
        n = self.context.n
        members = sorted(committees.committee(rho, device_id, n, committees.committee_size(n, sealed)))
        first = int.from_bytes(keccak(rho + b"f" + device_id), "big") % len(members)
        return members[first:] + members[:first]

    async def from_peers(self, device_id: DeviceId, ahead: list[int], length: int) -> bytes | None:
        """The opening from one of the seats that ask before this one; None where none has it within a while."""
        left = self.context.deadlines.batch_by - self.clock.now()
        deadline = self.clock.now() + min(self.pace.round_s, MAX_WAIT * left)
        accounts = [self.context.seats[seat].account for seat in ahead]
        gossip, epoch = self.gossip, self.context.epoch
        return await gossip.race(
            accounts, lambda account: gossip.opening(account, epoch, device_id, length), deadline, again=True
        )
