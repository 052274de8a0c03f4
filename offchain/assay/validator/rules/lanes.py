"""Whether an answer to the memory probe may be sealed, and which a seal must hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.proof.probe.calibration import deadline_us
from assay.protocol import quorum, seeds
from assay.protocol.leaves import SealedLeaf
from assay.protocol.messages import ProbeNonce
from assay.protocol.profile import Profile
from assay.protocol.signing import Domain, signed_by
from assay.protocol.types import NO_ROOT, DeviceId, Root, Seed
from assay.validator.rules.commitments import check_order
from assay.validator.rules.values import EpochDevice, RuleError, Seat
from assay.wire.measurement import SignedLanes


def check_lanes(
    held: SignedLanes,
    epoch: int,
    epoch_seed: Seed,
    result_root: Root,
    device: EpochDevice,
    profile: Profile,
    seats: Sequence[Seat],
    domain: Domain,
) -> None:
    """Raises RuleError unless the device signed it, of the result that it committed to, over nonces of a quorum of the
    current seats that each seat made for that result.
    """
    message = held.message
    name = f"device 0x{device.device_id.hex()}"
    if profile.W == 0:
        raise RuleError(f"a probe of {name}: profile {profile.id} has none")
    if (message.epoch, message.epoch_seed, message.device_id) != (epoch, epoch_seed, device.device_id):
        raise RuleError(f"a probe of 0x{message.device_id.hex()} in epoch {message.epoch}: expected one of {name}")
    if message.result_root != result_root:
        raise RuleError(f"a probe of 0x{message.result_root.hex()}: {name} committed to 0x{result_root.hex()}")
    if message.lane_root == NO_ROOT:
        raise RuleError(f"a probe of {name} with a lane root of zero")
    check_order(held.nonces, len(seats))
    signers = {seat.account: seat.signer for seat in seats}
    for used in held.nonces:
        signer = signers.get(used.validator)
        if signer is None:
            raise RuleError(f"a nonce of {used.validator}, which holds no seat in this epoch")
        nonce = ProbeNonce(
            message.epoch, epoch_seed, message.device_id, message.result_root, used.validator, used.nonce
        )
        if not signed_by(nonce.digest(domain), used.signature, signer):
            raise RuleError(f"a nonce of {used.validator} is not signed by its seat's signer")
    challenge = seeds.nonce_root([(used.validator, used.nonce) for used in held.nonces])
    if challenge != message.challenge:
        raise RuleError(f"challenge 0x{message.challenge.hex()}: the nonces give 0x{challenge.hex()}")
    if not signed_by(message.digest(domain), held.signature, device.device_key):
        raise RuleError(f"the probe of {name} is not signed by its key")


def check_none_left_out(
    leaves: Sequence[SealedLeaf],
    commitments: Sequence[bytes],
    inventories: Mapping[int, Mapping[DeviceId, bytes]],
    listed: Mapping[int, Mapping[DeviceId, bytes]],
    seats: int,
) -> None:
    """Raises RuleError where a seal has no lane root for a device whose answer f+1 inventories list.

    `commitments` are the content hashes of what each line is from; `inventories` and `listed` map a seat to a device's
    commitment and answer. Counted are only seats that hold the very commitment of the line: a device with two of them
    must not make a seal impossible.
    """
    least = quorum.faults(seats) + 1
    for leaf, commitment in zip(leaves, commitments, strict=True):
        holders = sum(
            1
            for seat, devices in listed.items()
            if leaf.device_id in devices and inventories.get(seat, {}).get(leaf.device_id) == commitment
        )
        if leaf.lane_root == NO_ROOT and holders >= least:
            raise RuleError(f"the seal leaves out the probe of 0x{leaf.device_id.hex()}, which f+1 inventories list")


def in_time(elapsed_us: int, profile: Profile) -> bool:
    """Whether an answer that this seat timed came as soon as from memory of the device's own; 0 is no time."""
    return 0 < elapsed_us <= deadline_us(profile)
