"""A wrong element that a device of the invented network committed to, with the proof that convicts it."""

from __future__ import annotations

from functools import cache
from typing import Any

from assay.market.events.record import Address
from assay.proof import sampling
from assay.proof.adversaries.skipped_rows import SkippedRows
from assay.proof.fraud import WrongElement, find_wrong_element
from assay.protocol.keccak import keccak
from assay.protocol.profile import Profile
from assay.protocol.seeds import epoch_seed, handover_rho, handover_seed

# Small enough to be worked out in a moment.
PROFILE = Profile(3, 64, 128, 192, 5, 32, 12, 1).validate()
CHAIN_ID = 31337
X = keccak(b"what the rows are drawn with")


@cache
def wrong_element(oracle: Address, epoch: int, beacon: bytes, device: bytes) -> tuple[bytes, WrongElement]:
    """(root of the committed result, the element of it that is wrong)."""
    seed = epoch_seed(CHAIN_ID, oracle, epoch, beacon)
    cheat = SkippedRows(0.9)
    cheat.prepare(PROFILE, seed)
    # Which seed the device works from does not matter to the element: any that the signed commitment names.
    start = handover_seed(seed, device, PROFILE.id, X, 1)
    made = cheat.prove(start)
    indices = sampling.samples(handover_rho(X, made.result_root), device, PROFILE)
    found = find_wrong_element(PROFILE, seed, start, made.open(indices), indices)
    if found is None:
        raise ValueError("nine rows in ten are skipped, and none of them was drawn")
    return made.result_root, found


def call_of(epoch: int, device: bytes, root: bytes, found: WrongElement) -> dict[str, Any]:
    """The arguments of the call that proves it, as the contract's ABI names them."""
    return {
        "c": {"epoch": epoch, "deviceId": device, "resultRoot": root},
        "round": {"t": found.round.t, "seed": found.round.seed, "root": found.round.root, "path": found.round.path},
        "element": {"i": found.i, "j": found.j, "chunk": found.chunk, "path": found.path},
        "salt": X,
    }
