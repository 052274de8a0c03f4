"""Finding what a contract can check: pure functions over what was fetched."""

from __future__ import annotations

from dataclasses import dataclass

from assay.proof import sampling
from assay.proof.errors import OpeningError
from assay.proof.fraud import WrongElement, find_wrong_element
from assay.proof.verification import Fault, Verdict, Verifier
from assay.protocol import seeds
from assay.protocol.leaves import SealedLeaf


@dataclass(frozen=True, slots=True)
class Finding:
    """A sealed device with a committed element that is wrong."""

    epoch: int
    leaf: SealedLeaf
    element: WrongElement

    def commitment(self) -> tuple[int, bytes, bytes, bytes, bytes, bytes, bytes]:
        """IFraudProofs.Commitment."""
        leaf = self.leaf
        return (
            self.epoch, leaf.job_hash, leaf.device_id, leaf.nonce_root, leaf.result_root, leaf.r, leaf.vs,
        )  # fmt: skip


def check_opening(verifier: Verifier, leaf: SealedLeaf, opening: bytes) -> Verdict:
    """Whether the opening of the sampled rows holds."""
    return verifier.verify_device(leaf.device_id, leaf.nonce_root, leaf.result_root, opening)


def find(verifier: Verifier, epoch: int, leaf: SealedLeaf, opening: bytes, verdict: Verdict) -> Finding | None:
    """The wrong element behind a verdict, or None where the opening proves nothing to a contract.

    Bytes that do not belong to the commitment show only that somebody sent other bytes.
    """
    if verdict.fault is not Fault.PRODUCT:
        return None
    profile = verifier.profile
    indices = sampling.samples(verifier.rho, leaf.device_id, profile)
    seed = seeds.device_seed(verifier.epoch_seed, leaf.device_id, profile.id, leaf.nonce_root)
    try:
        element = find_wrong_element(profile, verifier.epoch_seed, seed, opening, indices, verdict.row)
    except OpeningError:
        return None
    return None if element is None else Finding(epoch, leaf, element)
