"""What is sealed, and whether a proposed seal may be signed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from assay.protocol.leaves import SealedLeaf, sealed_tree
from assay.protocol.messages import Commitment, Seal
from assay.protocol.profile import Profile
from assay.protocol.signing import Domain, signed_by
from assay.protocol.types import NO_ROOT, DeviceId, Root, Seed
from assay.validator.rules.inventories import missing_devices
from assay.validator.rules.values import EpochDevice, RuleError


def seal_of(epoch: int, set_id: int, round_: int, epoch_seed: Seed, leaves: Sequence[SealedLeaf]) -> Seal:
    """The statement that seats sign. Of no lines (every device is leased, or none answered) the root is zero."""
    return Seal(epoch, set_id, round_, epoch_seed, sealed_tree(leaves).root, len(leaves))


def check_leaves(
    leaves: Sequence[SealedLeaf],
    epoch: int,
    epoch_seed: Seed,
    device_of: Callable[[DeviceId], tuple[EpochDevice, Profile] | None],
    domain: Domain,
) -> None:
    """Raises RuleError unless every line is of an enrolled idle device, for its
    job, signed by its key, in order.
    """
    for left, right in pairwise(leaves):
        if left.device_id >= right.device_id:
            raise RuleError(f"seal not strictly ascending at device 0x{right.device_id.hex()}")
    for leaf in leaves:
        check_line(leaf, epoch, epoch_seed, device_of(leaf.device_id), domain)


def check_line(
    leaf: SealedLeaf, epoch: int, epoch_seed: Seed, known: tuple[EpochDevice, Profile] | None, domain: Domain
) -> None:
    """The same for one line; `known` is the enrolled device with its profile."""
    if known is None:
        raise RuleError(f"sealed device 0x{leaf.device_id.hex()} is not enrolled")
    device, profile = known
    if device.leased:
        raise RuleError(f"sealed device 0x{leaf.device_id.hex()} was leased when the epoch opened")
    if leaf.job_hash != profile.job_hash(epoch_seed):
        raise RuleError(f"sealed device 0x{leaf.device_id.hex()} has another job's hash")
    if leaf.lane_root != NO_ROOT and profile.W == 0:
        raise RuleError(f"sealed device 0x{leaf.device_id.hex()} has a lane root; its profile has no probe")
    message = Commitment(epoch, leaf.job_hash, leaf.device_id, leaf.nonce_root, leaf.result_root)
    if not signed_by(message.digest(domain), leaf.signature, device.device_key):
        raise RuleError(f"sealed device 0x{leaf.device_id.hex()} did not sign its line")


def check_whole(leaves: Sequence[SealedLeaf], seal_root: Root, count: int) -> None:
    """Raises RuleError unless these are all lines under the chain's seal, one a device, ascending.

    Observed is only what is whole: of a device sealed twice with one result, what passes under one line's nonces is
    wrong under the other's, and a pass of it could be held against whoever gave it.
    """
    if len(leaves) != count:
        raise RuleError(f"{len(leaves)} lines, the chain's seal has {count}")
    try:
        root = sealed_tree(leaves).root
    except ValueError as error:
        raise RuleError(str(error)) from None
    if root != seal_root:
        raise RuleError(f"the lines make the root 0x{root.hex()}, the chain's seal is 0x{seal_root.hex()}")


def check_seal(
    seal: Seal,
    leaves: Sequence[SealedLeaf],
    epoch: int,
    set_id: int,
    epoch_seed: Seed,
    inventories: Mapping[int, frozenset[DeviceId]],
    seats: int,
) -> None:
    """Raises RuleError unless the seal is of these lines and leaves out no device that it must hold."""
    expected = seal_of(epoch, set_id, seal.round, epoch_seed, leaves)
    if seal != expected:
        raise RuleError(f"seal {seal} is not that of its lines, which give {expected}")
    missing = missing_devices(inventories, seats, (leaf.device_id for leaf in leaves))
    if missing:
        raise RuleError(f"the seal leaves out {len(missing)} devices of f+1 inventories, first 0x{missing[0].hex()}")
