"""What a watcher takes for a device's fault: only what a contract will find as well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assay.proof.adversaries.skipped_rows import SkippedRows
from assay.proof.engines.registry import engine
from assay.proof.fraud import BrokenChain, WrongElement
from assay.proof.sampling import samples
from assay.proof.seed_chain import derive_seeds, result_tree
from assay.proof.verification import Verifier
from assay.protocol.keccak import keccak
from assay.protocol.leaves import SealedLeaf
from assay.protocol.messages import Commitment
from assay.protocol.profile import Profile
from assay.protocol.seeds import device_seed, next_seed
from assay.protocol.signing import Domain, address_of
from assay.watcher.faults import Kind
from assay.watcher.rules.device_faults import broken_chain, convict, two_commitments
from assay.wire.measurement import SignedCommitment

PROFILE = Profile(1, M=32, N=64, K=128, T=3, chunk=32, k=16, W=2)
SEED, RHO, DEVICE, NONCES = (keccak(name) for name in (b"seed", b"rho", b"device", b"nonces"))
DOMAIN = Domain(31_337, "0x" + "11" * 20)
KEY = keccak(b"device key")
PROVIDER = "0x" + "22" * 20
FIRST = device_seed(SEED, DEVICE, PROFILE.id, NONCES)


def signed(result_root: bytes, epoch: int = 5, job: bytes = SEED) -> SignedCommitment:
    message = Commitment(epoch, PROFILE.job_hash(job), DEVICE, NONCES, result_root)
    return SignedCommitment.of(message, (), message.sign(DOMAIN, KEY))


def sealed(result_root: bytes) -> SealedLeaf:
    commitment = signed(result_root)
    m, s = commitment.message, commitment.signature
    return SealedLeaf(DEVICE, m.job_hash, NONCES, result_root, bytes(32), s[:32], s[32:])


def opened(prover, start: bytes = FIRST) -> tuple[SealedLeaf, bytes]:
    prover.prepare(PROFILE, SEED)
    proof = prover.prove(start)
    return sealed(proof.result_root), proof.open(samples(RHO, DEVICE, PROFILE))


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return Verifier(PROFILE, SEED, RHO, 1)


def convicted(verifier, leaf, opening, others=()):
    verdict = verifier.verify_device(leaf.device_id, leaf.nonce_root, leaf.result_root, opening)
    return verdict, convict(verifier, leaf, opening, verdict, others)


def test_convict__honest_opening__no_fault(verifier):
    verdict, conviction = convicted(verifier, *opened(engine("reference")))
    assert verdict.valid
    assert conviction is None


def test_convict__device_skipped_rows__the_wrong_element_under_its_own_commitment(verifier):
    leaf, opening = opened(SkippedRows(0.5, threads=1))
    _, conviction = convicted(verifier, leaf, opening)
    assert isinstance(conviction.fault, WrongElement)
    fault = conviction.of_device(5, PROVIDER)
    assert (fault.kind, fault.subject, fault.account) == (Kind.WRONG_ELEMENT, DEVICE, PROVIDER)
    assert fault.arguments[0] == (5, leaf.job_hash, DEVICE, NONCES, leaf.result_root, leaf.r, leaf.vs)


@pytest.mark.parametrize("at", [0, 40, 200, -1])
def test_convict__somebody_sent_other_bytes_for_an_honest_device__no_fault(verifier, at):
    leaf, opening = opened(engine("reference"))
    changed = bytearray(opening)
    changed[at] ^= 1
    verdict, conviction = convicted(verifier, leaf, bytes(changed))
    assert not verdict.valid
    assert conviction is None


@pytest.mark.parametrize("opening", [b"", b"short", bytes(10)])
def test_convict__opening_of_a_wrong_length__no_fault(verifier, opening):
    leaf, _ = opened(engine("reference"))
    verdict, conviction = convicted(verifier, leaf, opening)
    assert not verdict.valid
    assert conviction is None


def test_convict__work_of_another_device_sealed_as_its_own__the_first_seed_is_not_its_own(verifier):
    other = device_seed(SEED, keccak(b"another device"), PROFILE.id, NONCES)
    leaf, opening = opened(engine("reference"), start=other)
    _, unproven = convicted(verifier, leaf, opening)
    _, conviction = convicted(verifier, leaf, opening, [keccak(b"unrelated"), other])
    assert unproven is None
    assert isinstance(conviction.fault, BrokenChain)
    assert [r.t for r in conviction.fault.rounds] == [0]
    assert conviction.of_device(5, PROVIDER).function == "proveBrokenChain"


def roots() -> list[bytes]:
    return [keccak(b"root" + bytes([t])) for t in range(6)]


def unchained() -> list[bytes]:
    return [FIRST] * 6


def without_roots() -> list[bytes]:
    chained = [FIRST]
    while len(chained) < 6:
        chained.append(next_seed(chained[-1], bytes(32)))
    return chained


def without_lag() -> list[bytes]:
    chained = [FIRST]
    while len(chained) < 6:
        chained.append(next_seed(chained[-1], roots()[len(chained) - 1]))
    return chained


@pytest.mark.parametrize(("cheat", "shown"), [(unchained, [0, 1]), (without_roots, [0, 1, 2]), (without_lag, [0, 1])])
def test_broken_chain__work_saved_in_a_known_way__shown_by_its_round_leaves(cheat, shown):
    fault = broken_chain(FIRST, result_tree(cheat(), roots()).root, roots())
    assert [r.t for r in fault.rounds] == shown
    assert all(r.seed == cheat()[r.t] for r in fault.rounds)


def test_broken_chain__honest_chain_or_a_root_of_nothing_known__no_fault():
    assert broken_chain(FIRST, result_tree(derive_seeds(FIRST, roots()), roots()).root, roots()) is None
    assert broken_chain(FIRST, keccak(b"anything"), roots(), [keccak(b"other")]) is None


def test_two_commitments__another_result_signed__both_are_shown():
    fault = two_commitments([signed(keccak(b"a")), signed(keccak(b"b"))], address_of(KEY), DOMAIN, PROVIDER)
    assert (fault.kind, fault.subject) == (Kind.TWO_COMMITMENTS, DEVICE)
    assert [c[4] for c in fault.arguments] == [keccak(b"a"), keccak(b"b")]


@pytest.mark.parametrize(
    "other",
    [
        signed(keccak(b"a")),  # the same, seen twice
        signed(keccak(b"b"), epoch=6),
        signed(keccak(b"b"), job=keccak(b"a seed that a reorganisation took back")),
        replace(signed(keccak(b"b")), signature=signed(keccak(b"c")).signature),  # never signed
    ],
)
def test_two_commitments__the_same_or_another_epochs_or_not_signed__no_fault(other):
    assert two_commitments([signed(keccak(b"a")), other], address_of(KEY), DOMAIN, PROVIDER) is None
