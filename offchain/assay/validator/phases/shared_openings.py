"""Openings passed on between validators: each device is asked for its sampled rows by one seat, as long as all is well.

Whose turn it is follows from rho and the device. The others take the bytes from those seats and verify them as if they
had come from the device: what a peer passes on can save a download and decide nothing. The rows of a validator's own
secret choice are always asked of the device.
"""

from __future__ import annotations

from assay.protocol.keccak import keccak
from assay.validator.rules import committees
from assay.validator.work import Work

MOST_WAIT = 0.25  # of the time left until observations close


def fetch_order(work: Work, device_id: bytes, rho: bytes, sealed: int) -> list[int]:
    """The seats that check a device, in the order in which they ask it for its sampled rows."""
    n = work.context.n
    members = sorted(committees.committee(rho, device_id, n, committees.committee_size(n, sealed)))
    first = int.from_bytes(keccak(rho + b"f" + device_id), "big") % len(members)
    return members[first:] + members[:first]


async def from_peers(work: Work, device_id: bytes, ahead: list[int], length: int) -> bytes | None:
    """The opening from one of the seats that ask before this one; None where none has it within a while."""
    left = work.context.deadlines.batch_by - work.now()
    deadline = work.now() + min(work.services.pace.round_s, MOST_WAIT * left)
    accounts = [work.context.seats[seat].account for seat in ahead]
    gossip, epoch = work.services.gossip, work.context.epoch
    return await gossip.race(
        accounts, lambda account: gossip.opening(account, epoch, device_id, length), deadline, again=True
    )
