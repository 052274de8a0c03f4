"""Faults of all who signed one seal or one report."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assay.protocol.leaves import DeviceLeaf, Flag, RewardLeaf, SealedLeaf, device_tree, reward_tree
from assay.protocol.messages import Commitment
from assay.protocol.signing import Domain, signed_by
from assay.protocol.types import DeviceId, Root
from assay.watcher.faults import NO_SUBJECT, FaultKind, ProvableFault
from assay.watcher.rules.seat_faults import SealedArgument, sealed_at

_ZERO = bytes(32)
NO_LINE: SealedArgument = (DeviceId(_ZERO), _ZERO, _ZERO, Root(_ZERO), Root(_ZERO), _ZERO, _ZERO, 0, [])


def bad_seal(
    epoch: int, sealed: Sequence[SealedLeaf], key_of: Callable[[DeviceId], str | None], domain: Domain
) -> ProvableFault | None:
    """The proof that a sealed line is not signed by its device. `key_of` gives an enrolled device's key."""
    for place, leaf in enumerate(sealed):
        message = Commitment(epoch, leaf.job_hash, leaf.device_id, leaf.nonce_root, leaf.result_root)
        key = key_of(leaf.device_id)
        if key is None or not signed_by(message.digest(domain), leaf.signature, key):
            words = f"line {place} of the seal is not signed by device 0x{leaf.device_id.hex()}"
            return ProvableFault(
                FaultKind.BAD_SEAL, NO_SUBJECT, epoch, "proveBadSeal", (epoch, sealed_at(sealed, place)), words
            )
    return None


def unsealed_pass(epoch: int, devices: Sequence[DeviceLeaf], sealed: Sequence[SealedLeaf]) -> ProvableFault | None:
    """The proof that a report passed a device where the seal holds another device, another result or nothing."""
    for place, line in enumerate(devices):
        if not line.flags & Flag.PASSED:
            continue
        there = sealed[line.seal_index] if line.seal_index < len(sealed) else None
        if there is not None and (there.device_id, there.result_root) == (line.device_id, line.result_root):
            continue
        shown = NO_LINE if there is None else sealed_at(sealed, line.seal_index)
        proof = device_tree(devices).proof(place)
        words = (
            f"the report passes device 0x{line.device_id.hex()}, which line {line.seal_index} of the seal does not hold"
        )
        return ProvableFault(
            FaultKind.UNSEALED_PASS, NO_SUBJECT, epoch, "proveUnsealedPass", (line.values(), proof, shown), words
        )
    return None


def shrunk_reward(
    earlier_epoch: int, earlier: Sequence[RewardLeaf], later_epoch: int, later: Sequence[RewardLeaf]
) -> ProvableFault | None:
    """The proof that what an account has earned fell between two reports."""
    place_of = {line.account: place for place, line in enumerate(later)}
    for place, line in enumerate(earlier):
        at = place_of.get(line.account)
        if at is None or later[at].cumulative >= line.cumulative:
            continue
        shown = (
            (earlier_epoch, line.cumulative, reward_tree(earlier).proof(place)),
            (later_epoch, later[at].cumulative, reward_tree(later).proof(at)),
        )
        words = f"{line.account} had earned {line.cumulative} by epoch {earlier_epoch} and {later[at].cumulative} now"
        return ProvableFault(
            FaultKind.SHRUNK_REWARD, NO_SUBJECT, later_epoch, "proveShrunkReward", (line.account, *shown), words
        )
    return None
