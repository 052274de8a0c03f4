"""Openings passed on between validators: each device is asked for its sampled rows by one seat, as long as all is well.

Whose turn it is follows from rho and the device. The others take the bytes from those seats and verify them as if they
had come from the device: what a peer passes on can save a download and decide nothing. The rows of a validator's own
secret choice are always asked of the device.
"""

from __future__ import annotations

from assay.protocol.keccak import keccak
from assay.validator.errors import PeerFailure
from assay.validator.rules import committees
from assay.validator.work import Work
from assay.wire import paths

RETRY_S = 0.4
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
    turn = 0
    while ahead and work.now() < deadline:
        account = work.context.seats[ahead[turn % len(ahead)]].account
        body = await _ask(work, account, device_id, length)
        if body is not None:
            return body
        turn += 1
        if turn % len(ahead) == 0:
            await work.services.clock.sleep(RETRY_S)
    return None


async def _ask(work: Work, account: str, device_id: bytes, most_bytes: int) -> bytes | None:
    path = paths.epoch_opening(work.context.epoch, device_id)
    try:
        answer = await work.services.gossip.peers.get(account, path, most_bytes, work.services.pace.request_s)
    except PeerFailure:
        return None
    return answer.body if answer.status == 200 else None
