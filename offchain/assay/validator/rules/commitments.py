"""Whether an answer to a challenge may be sealed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from assay.protocol import quorum, seeds
from assay.protocol.hexadecimal import address_bytes
from assay.protocol.messages import Challenge
from assay.protocol.profile import Profile
from assay.protocol.signing import Domain, signed_by
from assay.protocol.types import Seed
from assay.validator.rules.values import EpochDevice, RuleError, Seat
from assay.wire.measurement import SignedChallenge, SignedCommitment, SignedNonce


def check_commitment(
    held: SignedCommitment,
    epoch: int,
    epoch_seed: Seed,
    device: EpochDevice,
    profile: Profile,
    seats: Sequence[Seat],
    domain: Domain,
) -> None:
    """Raises RuleError unless the device signed it, for this job, over nonces of a
    quorum of the current seats.
    """
    message = held.message
    if (message.epoch, message.device_id) != (epoch, device.device_id):
        raise RuleError(
            f"commitment of device 0x{message.device_id.hex()} in epoch {message.epoch}, "
            f"expected 0x{device.device_id.hex()} in {epoch}"
        )
    expected_job = profile.job_hash(epoch_seed)
    if message.job_hash != expected_job:
        raise RuleError(f"job hash 0x{message.job_hash.hex()}: the profile's is 0x{expected_job.hex()}")
    if device.leased:
        raise RuleError(f"device 0x{device.device_id.hex()} was leased when the epoch opened")
    _check_challenges(held, epoch_seed, seats, domain)
    if not signed_by(message.digest(domain), held.signature, device.device_key):
        raise RuleError(f"commitment of device 0x{device.device_id.hex()} is not signed by its key")


def check_order(used: Sequence[SignedChallenge | SignedNonce], seats: int) -> None:
    """Raises RuleError unless these are of a quorum of so many seats, strictly ascending by account."""
    needed = quorum.quorum(seats)
    if not needed <= len(used) <= seats:
        raise RuleError(f"{len(used)} challenges used: from {needed} to {seats} are allowed")
    for left, right in pairwise(used):
        if address_bytes(left.validator) >= address_bytes(right.validator):
            raise RuleError(f"challenges not strictly ascending: {left.validator} before {right.validator}")


def _check_challenges(held: SignedCommitment, epoch_seed: Seed, seats: Sequence[Seat], domain: Domain) -> None:
    used = held.challenges
    check_order(used, len(seats))
    signers = {seat.account: seat.signer for seat in seats}
    for challenge in used:
        signer = signers.get(challenge.validator)
        if signer is None:
            raise RuleError(f"challenge of {challenge.validator}, which holds no seat in this epoch")
        message = Challenge(held.message.epoch, epoch_seed, held.device_id, challenge.validator, challenge.nonce)
        if not signed_by(message.digest(domain), challenge.signature, signer):
            raise RuleError(f"challenge of {challenge.validator} is not signed by its seat's signer")
    root = seeds.nonce_root([(c.validator, c.nonce) for c in used])
    if root != held.message.nonce_root:
        raise RuleError(f"nonce root 0x{held.message.nonce_root.hex()}: the challenges give 0x{root.hex()}")
