"""Faults that a device signed: a wrong element, a broken chain of seeds, two commitments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from assay.proof import openings, sampling
from assay.proof.errors import OpeningError
from assay.proof.fraud import BrokenChain, WrongElement, find_broken_chain, find_wrong_element
from assay.proof.seed_chain import derive_seeds, result_tree
from assay.proof.verification import OpeningFault, Verdict, Verifier
from assay.protocol import seeds
from assay.protocol.keccak import ZERO_HASH
from assay.protocol.leaves import SealedLeaf
from assay.protocol.messages import Commitment
from assay.protocol.profile import Profile
from assay.protocol.signing import Domain, signed_by
from assay.protocol.types import Root, Seed
from assay.watcher.faults import FaultKind, ProvableFault
from assay.wire.measurement import SignedCommitment

CommitmentArgument = tuple[int, bytes, bytes, bytes, bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Conviction:
    """What is wrong with the result a device sealed: an element, or the chain of its seeds."""

    leaf: SealedLeaf
    profile: Profile
    fault: WrongElement | BrokenChain

    def of_device(self, epoch: int, provider: str) -> ProvableFault:
        """The proof against the device."""
        leaf = self.leaf
        if isinstance(self.fault, WrongElement):
            e = self.fault
            words = f"element ({e.round.t}, {e.i}, {e.j}) is {e.claimed}, not {e.correct}"
            arguments = (commitment_argument(epoch, leaf), *e.arguments())
            return ProvableFault(
                FaultKind.WRONG_ELEMENT, leaf.device_id, epoch, "proveWrongElement", arguments, words, provider
            )
        words = f"the seed of round {self.fault.rounds[-1].t} does not follow from those before it"
        return ProvableFault(
            FaultKind.BROKEN_CHAIN,
            leaf.device_id,
            epoch,
            "proveBrokenChain",
            (commitment_argument(epoch, leaf), self.fault.arguments()),
            words,
            provider,
        )


def commitment_argument(epoch: int, leaf: SealedLeaf) -> CommitmentArgument:
    """IFraudProofs.Commitment of a sealed line."""
    return epoch, leaf.job_hash, leaf.device_id, leaf.nonce_root, leaf.result_root, leaf.r, leaf.vs


def convict(
    verifier: Verifier, leaf: SealedLeaf, opening: bytes, verdict: Verdict, other_starts: Sequence[Seed] = ()
) -> Conviction | None:
    """What a contract can check behind a verdict on an opening, or None.

    Bytes that do not belong to the commitment show only that somebody sent other bytes. `other_starts` are first seeds
    that the device may have started from in place of its own: other devices', or its own of earlier epochs.
    """
    profile = verifier.profile
    seed = seeds.device_seed(verifier.epoch_seed, leaf.device_id, profile.id, leaf.nonce_root)
    indices = sampling.samples(verifier.rho, leaf.device_id, profile)
    fault: WrongElement | BrokenChain | None = None
    try:
        if verdict.fault is OpeningFault.PRODUCT:
            fault = find_wrong_element(profile, verifier.epoch_seed, seed, opening, indices, verdict.row)
        elif verdict.fault is OpeningFault.RESULT_ROOT:
            roots = openings.decode(opening, profile, len(indices)).round_roots
            fault = broken_chain(seed, leaf.result_root, roots, other_starts)
    except OpeningError:
        return None
    return None if fault is None else Conviction(leaf, profile, fault)


def broken_chain(
    first: Seed, result_root: Root, roots: Sequence[bytes], other_starts: Iterable[Seed] = ()
) -> BrokenChain | None:
    """The break behind a result root that the derived seeds do not make: tried are the ways in which work is saved.

    A chain started from somebody else's first seed or an old one; all rounds on one seed; seeds chained without the
    roots, or with the root just before. None where none of them makes the root.
    """
    for start in (first, *other_starts):
        for chained in (derive_seeds(start, roots), *_short_cuts(start, roots)):
            if result_tree(chained, roots).root == result_root:
                return find_broken_chain(first, chained, roots)
    return None


def _short_cuts(start: Seed, roots: Sequence[bytes]) -> Iterable[list[Seed]]:
    yield [start] * len(roots)
    for previous in ([ZERO_HASH] * len(roots), roots):
        chained = [start]
        while len(chained) < len(roots):
            chained.append(seeds.next_seed(chained[-1], previous[len(chained) - 1]))
        yield chained


def two_commitments(
    seen: Sequence[SignedCommitment], device_key: str, domain: Domain, provider: str
) -> ProvableFault | None:
    """The proof that a device signed two results for one job, from the commitments that were seen of it, or None."""
    signed = [c for c in seen if signed_by(c.message.digest(domain), c.signature, device_key)]
    for first, second in combinations(signed, 2):
        a, b = first.message, second.message
        # Of another job hash it is for an epoch that a reorganisation took back.
        if a != b and (a.epoch, a.device_id, a.job_hash) == (b.epoch, b.device_id, b.job_hash):
            arguments = (_argument(a, first.signature), _argument(b, second.signature))
            words = f"signed the result 0x{a.result_root.hex()} and the result 0x{b.result_root.hex()}"
            return ProvableFault(
                FaultKind.TWO_COMMITMENTS, a.device_id, a.epoch, "proveTwoCommitments", arguments, words, provider
            )
    return None


def _argument(c: Commitment, signature: bytes) -> CommitmentArgument:
    return c.epoch, c.job_hash, c.device_id, c.nonce_root, c.result_root, signature[:32], signature[32:]
