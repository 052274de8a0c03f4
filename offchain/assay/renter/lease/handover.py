"""The renter's check of a device before money flows: what it must sign, and what it must open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.chain.contracts.devices import Device
from assay.protocol.hexadecimal import HexadecimalError, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.messages import Handover
from assay.protocol.profile import Profile
from assay.protocol.seeds import handover_rho, handover_seed
from assay.protocol.signing import Domain, signed_by
from assay.protocol.typed_message import MessageError
from assay.protocol.types import Root, Seed
from assay.renter.errors import ProofRejected
from assay.wire.leases import SignedHandover


@dataclass(frozen=True)
class Expected:
    """What one device's handover is checked against, all of it from the chain or from here. `x` is one for all devices
    of a lease, and secret until each of them has answered.
    """

    lease_id: int
    device: Device
    profile: Profile
    epoch_seed: Seed
    x: bytes

    @property
    def name(self) -> str:
        """The device's id, 0x-hex."""
        return to_hex(self.device.device_id)

    @property
    def deadline_s(self) -> float:
        """Seconds in which the device's class does this work."""
        return self.profile.deadline_ms / 1000

    @property
    def nonce(self) -> bytes:
        """H(x)."""
        return keccak(self.x)


def signed_handover(answer: Mapping[str, Any]) -> SignedHandover:
    """The Handover and its signature in a provider's answer. Raises ProofRejected for another form."""
    try:
        return SignedHandover.from_json(answer)
    except (MessageError, HexadecimalError) as error:
        raise ProofRejected(f"the handover is malformed: {error}") from None


def check_signed(handover: Handover, signature: bytes, expected: Expected, domain: Domain) -> None:
    """Raises ProofRejected unless the device signed for this lease, this job and this nonce."""
    if handover.lease_id != expected.lease_id:
        raise ProofRejected(f"the handover is for lease {handover.lease_id}")
    if handover.device_id != expected.device.device_id:
        raise ProofRejected(f"{expected.name} answered with the handover of device {to_hex(handover.device_id)}")
    if handover.nonce != expected.nonce:
        raise ProofRejected(f"the handover of {expected.name} is over another nonce: its work could be old")
    if handover.job_hash != expected.profile.job_hash(expected.epoch_seed):
        raise ProofRejected(
            f"the handover of {expected.name} is for another job than the chain's epoch and profile name"
        )
    if not signed_by(handover.digest(domain), signature, expected.device.device_key):
        raise ProofRejected(
            f"the handover of {expected.name} is not signed by its device key {expected.device.device_key}"
        )


def opening_length(expected: Expected) -> int:
    """Bytes that the opening must have."""
    from assay.proof import openings

    return openings.length(expected.profile, expected.profile.k)


def check_opening(result_root: Root, opening: bytes, expected: Expected) -> None:
    """Verifies the sampled rows on this machine's processor. Raises ProofRejected."""
    # Imported here: its compiled kernels cost every other command most of a second.
    from assay.proof.sampling import samples
    from assay.proof.verification import Verifier

    device_id, profile = expected.device.device_id, expected.profile
    rho = handover_rho(expected.x, result_root)
    seed = handover_seed(expected.epoch_seed, device_id, profile.id, expected.nonce, expected.lease_id)
    verifier = Verifier(profile, expected.epoch_seed, rho)
    verdict = verifier.verify(seed, result_root, opening, samples(rho, device_id, profile))
    if not verdict.valid:
        raise ProofRejected(f"the proof of {expected.name} does not verify: {verdict.reason}")


def check_lanes(
    result_root: Root, opening: bytes, challenge: bytes, lane_root: Root, lanes: bytes, expected: Expected
) -> None:
    """Verifies opened lanes of the memory probe; `opening` was verified by `check_opening`. Raises ProofRejected."""
    from assay.proof import openings
    from assay.proof.probe.verification import verify_device_lanes

    profile = expected.profile
    roots = openings.decode(opening, profile, profile.k).round_roots
    rho = handover_rho(expected.x, result_root)
    verdict = verify_device_lanes(profile, rho, expected.device.device_id, roots, challenge, lane_root, lanes)
    if not verdict.valid:
        raise ProofRejected(f"the memory that {expected.name} shows does not verify: {verdict.reason}")
