"""What a watcher takes for a seat's or a quorum's fault."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assay.chain.contracts.seats import SeatRecord
from assay.proof.fraud import BrokenChain, RoundArgument, WrongElement
from assay.proof.sampling import samples
from assay.protocol.keccak import keccak
from assay.protocol.leaves import DeviceLeaf, Flag, ObservationLeaf, RewardLeaf, SealedLeaf, batch_tree, reward_tree
from assay.protocol.merkle import root_from_path
from assay.protocol.messages import Commitment, EpochReport, Observations, Seal
from assay.protocol.profile import Profile
from assay.protocol.signing import Domain, address_of
from assay.protocol.standard_merkle import verify
from assay.watcher.faults import FaultKind, seat_subject
from assay.watcher.rules.device_faults import Conviction
from assay.watcher.rules.quorum_faults import bad_seal, shrunk_reward, unsealed_pass
from assay.watcher.rules.seat_faults import (
    Scene,
    checked_batch,
    checked_statement,
    false_pass,
    two_statements,
)
from assay.wire.gossip import BatchMessage
from assay.wire.statements import SignedReport, SignedSeal, SignedStatement, Statement

DOMAIN = Domain(31_337, "0x" + "11" * 20)
SEED, RHO, NONCES = (keccak(name) for name in (b"seed", b"rho", b"nonces"))
KEYS = [keccak(b"seat" + bytes([i])) for i in range(4)]
SEATS = tuple(SeatRecord(i, address_of(key), address_of(key)) for i, key in enumerate(KEYS))
SCENE = Scene(5, 3, SEATS, SEED, RHO, DOMAIN)
PROFILE = Profile(1, M=32, N=64, K=128, T=3, chunk=32, k=16, W=2)


def seal(seat: int, root: bytes, round_: int = 0, seed: bytes = SEED, signer: int | None = None) -> SignedStatement:
    message = Seal(5, 3, round_, seed, root, 7)
    signature = message.sign(DOMAIN, KEYS[seat if signer is None else signer])
    return SignedSeal(
        round=round_, seat=SEATS[seat].account, epoch_seed=seed, seal_root=root, count=7, signature=signature
    )


def report(seat: int, total: int) -> SignedStatement:
    message = EpochReport(5, 3, 0, RHO, SEED, SEED, total, SEED)
    return SignedReport(
        round=0,
        seat=SEATS[seat].account,
        rho=RHO,
        devices_root=SEED,
        rewards_root=SEED,
        rewards_total=total,
        data_hash=SEED,
        signature=message.sign(DOMAIN, KEYS[seat]),
    )


def batch(seat: int, *leaves: ObservationLeaf) -> BatchMessage:
    message = Observations(5, 3, RHO, batch_tree(leaves).root)
    return BatchMessage(
        epoch=5, set_id=3, seat=SEATS[seat].account, rho=RHO, leaves=leaves, signature=message.sign(DOMAIN, KEYS[seat])
    )


def found_of(seat: int, *statements: SignedStatement):
    checked = (checked_statement(SCENE, s) for s in statements)
    return two_statements(SCENE, SEATS[seat], [c for c in checked if c is not None])


def test_two_statements__two_seals_of_one_round__both_are_shown():
    fault = found_of(1, seal(1, keccak(b"a")), seal(1, keccak(b"a")), seal(1, keccak(b"b")))
    assert (fault.kind, fault.subject) == (FaultKind.TWO_STATEMENTS, seat_subject(SEATS[1].account))
    assert fault.arguments[:4] == (Statement.SEAL, 5, 0, 1)
    assert [content[:32] for content, _, _ in fault.arguments[4:]] == [keccak(b"a"), keccak(b"b")]


def test_two_statements__two_reports__both_are_shown():
    assert found_of(2, report(2, 1), report(2, 2)).arguments[:4] == (Statement.REPORT, 5, 0, 2)


@pytest.mark.parametrize(
    "other",
    [
        seal(1, keccak(b"b"), round_=1),
        seal(1, keccak(b"b"), seed=keccak(b"a seed that a reorganisation took back")),
        seal(1, keccak(b"b"), signer=2),  # not signed by that seat
        report(1, 1),
    ],
)
def test_two_statements__of_other_rounds_seeds_kinds_or_signers__no_fault(other):
    assert found_of(1, seal(1, keccak(b"a")), other) is None


def leaf_of(device: bytes, root: bytes = keccak(b"result")) -> ObservationLeaf:
    return ObservationLeaf(device, root, 5, int(Flag.PASSED), 10_000)


def test_two_statements__two_batches__both_are_shown():
    said = [checked_batch(SCENE, batch(0, leaf_of(bytes(32), keccak(r)))) for r in (b"a", b"b")]
    fault = two_statements(SCENE, SEATS[0], said)
    assert fault.arguments[:4] == (1, 5, 0, 0)
    assert checked_batch(SCENE, batch(0).model_copy(update={"signature": batch(1).signature})) is None
    assert checked_batch(SCENE, batch(0).model_copy(update={"rho": SEED})) is None


DEVICE = keccak(b"device")
OTHERS = (bytes(31) + b"\1", bytes(31) + b"\2")


def line(device: bytes, root: bytes = keccak(b"result")) -> SealedLeaf:
    return SealedLeaf(device, PROFILE.job_hash(SEED), NONCES, root, bytes(32), bytes(32), bytes(32))


SEALED = tuple(line(d) for d in sorted((*OTHERS, DEVICE)))
ROUND = RoundArgument(1, SEED, SEED, ())


def conviction(q: int = 3) -> Conviction:
    t, i = samples(RHO, DEVICE, PROFILE)[q]
    element = WrongElement(replace(ROUND, t=t), i, 0, b"", (), 1, 2)
    return Conviction(line(DEVICE), PROFILE, element)


def test_false_pass__batch_passes_what_is_wrong__shown_with_its_sample_and_place():
    said = batch(2, *(leaf_of(d) for d in sorted((*OTHERS, DEVICE))))
    fault = false_pass(SCENE, said, conviction(), SEALED)
    observed, q, *_ = fault.arguments
    assert (fault.kind, fault.subject) == (FaultKind.FALSE_PASS, seat_subject(SEATS[2].account))
    assert samples(RHO, DEVICE, PROFILE)[q] == samples(RHO, DEVICE, PROFILE)[3]
    place, path = observed[10:]
    assert root_from_path(said.leaves[place].hash(), place, path) == observed[2]


def test_false_pass__of_a_broken_chain__shown_with_the_sealed_line():
    broken = replace(conviction(), fault=BrokenChain((ROUND,)))
    fault = false_pass(SCENE, batch(2, leaf_of(DEVICE)), broken, SEALED)
    assert fault.function == "proveFalsePassChain"
    shown = fault.arguments[1]
    assert (shown[0], shown[7]) == (DEVICE, SEALED.index(line(DEVICE)))


@pytest.mark.parametrize(
    "leaves",
    [
        (),
        (replace(leaf_of(DEVICE), flags=int(Flag.BAD_OPENING)),),
        (leaf_of(DEVICE, keccak(b"another result")),),
        (leaf_of(OTHERS[0]),),
    ],
)
def test_false_pass__batch_did_not_pass_that_result__no_fault(leaves):
    assert false_pass(SCENE, batch(2, *leaves), conviction(), SEALED) is None


def signed_line(device: bytes, key: bytes) -> SealedLeaf:
    message = Commitment(5, PROFILE.job_hash(SEED), device, NONCES, keccak(b"result"))
    signature = message.sign(DOMAIN, key)
    return replace(line(device), r=signature[:32], vs=signature[32:])


def test_bad_seal__line_that_its_device_did_not_sign__shown_with_its_path():
    lines = tuple(signed_line(d, keccak(d)) for d in sorted(OTHERS))
    keys = {d: address_of(keccak(d)) for d in OTHERS}
    assert bad_seal(5, lines, keys.get, DOMAIN) is None
    fault = bad_seal(5, (lines[0], replace(lines[1], vs=lines[0].vs)), keys.get, DOMAIN)
    assert (fault.kind, fault.subject, fault.arguments[1][7]) == (FaultKind.BAD_SEAL, bytes(32), 1)
    assert bad_seal(5, lines, {}.get, DOMAIN) is not None  # devices that nobody enrolled


def passed(device: bytes, index: int, root: bytes = keccak(b"result"), flags: int = 1) -> DeviceLeaf:
    return DeviceLeaf(5, device, index, 1, 9, 0, 10_000, flags, root)


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        (passed(DEVICE, 2), False),
        (passed(DEVICE, 0), True),
        (passed(DEVICE, 2, keccak(b"another")), True),
        (passed(DEVICE, 3), True),
        (passed(DEVICE, 2**32 - 1), True),
        (passed(DEVICE, 2**32 - 1, flags=int(Flag.LEASED)), False),
    ],
)
def test_unsealed_pass__line_against_the_seal__only_what_was_sealed_there_may_pass(changed, wrong):
    ordered = tuple(sorted(SEALED, key=lambda s: s.device_id))
    place = next(i for i, s in enumerate(ordered) if s.device_id == DEVICE)
    if changed.seal_index == 2:
        changed = replace(changed, seal_index=place)
    elif changed.seal_index == 0:
        changed = replace(changed, seal_index=(place + 1) % 3)
    fault = unsealed_pass(5, [changed], ordered)
    assert (fault is not None) == wrong


def test_shrunk_reward__account_has_less__both_lines_stand_in_their_trees():
    a, b = SEATS[0].account, SEATS[1].account
    earlier, later = [RewardLeaf(a, 10), RewardLeaf(b, 5)], [RewardLeaf(b, 6), RewardLeaf(a, 9)]
    fault = shrunk_reward(4, earlier, 5, later)
    account, (old_epoch, old, old_proof), (new_epoch, new, new_proof) = fault.arguments
    assert (account, old_epoch, old, new_epoch, new) == (a, 4, 10, 5, 9)
    assert verify(reward_tree(earlier).root, RewardLeaf.TYPES, (a, 10), old_proof)
    assert verify(reward_tree(later).root, RewardLeaf.TYPES, (a, 9), new_proof)
    assert shrunk_reward(4, earlier, 5, [RewardLeaf(a, 10), RewardLeaf(b, 5), RewardLeaf(SEATS[2].account, 0)]) is None
