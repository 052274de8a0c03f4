"""Which answers to the memory probe may be sealed, which must be, and which came in time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assay.proof.probe import layout
from assay.proof.probe.calibration import ALLOWANCE_US, PCIE_SECTORS_S, deadline_us
from assay.protocol.keccak import keccak
from assay.protocol.leaves import SealedLeaf
from assay.protocol.messages import LaneCommitment, ProbeNonce
from assay.protocol.profile import NAMED
from assay.protocol.seeds import nonce_root
from assay.protocol.signing import address_of
from assay.protocol.types import NO_ROOT
from assay.validator.rules.lanes import check_lanes, check_none_left_out, in_time
from assay.validator.rules.seals import check_line
from assay.validator.rules.values import RuleError, Seat
from assay.wire.measurement import SignedLanes, SignedNonce
from tests.unit.validator.simulation.chain import DOMAIN, PROFILE
from tests.unit.validator.simulation.devices import SimDevice

SIM = SimDevice(1)
DEVICE = SIM.device
SEED, ROOT = keccak(b"seed"), keccak(b"result")
KEYS = sorted((keccak(bytes([i])) for i in range(4)), key=address_of)
SEATS = tuple(Seat(address_of(k), address_of(k)) for k in KEYS)


def answer(seats: int = 4, **changes: object) -> SignedLanes:
    """What an honest device answers; `changes` are made before it signs."""
    used = []
    for k in KEYS[:seats]:
        nonce = ProbeNonce(7, SEED, DEVICE.device_id, ROOT, address_of(k), keccak(b"nonce" + k))
        used.append(SignedNonce(nonce.validator, nonce.nonce, nonce.sign(DOMAIN, k)))
    challenge = nonce_root([(one.validator, one.nonce) for one in used])
    message = LaneCommitment(7, SEED, DEVICE.device_id, ROOT, challenge, keccak(b"lanes"))
    message = replace(message, **changes)  # type: ignore[arg-type]
    return SignedLanes.of(message, used, message.sign(DOMAIN, SIM.key))


def check(held: SignedLanes, root: bytes = ROOT, profile=PROFILE) -> None:
    check_lanes(held, 7, SEED, root, DEVICE, profile, SEATS, DOMAIN)


@pytest.mark.parametrize("seats", [3, 4])
def test_answer__over_nonces_of_a_quorum__is_taken(seats):
    check(answer(seats))


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        (answer(2), "2 challenges used"),
        (answer(epoch=8), "expected one of"),
        (answer(epoch_seed=keccak(b"reorganised")), "expected one of"),
        (answer(device_id=keccak(b"another")), "expected one of"),
        (answer(result_root=keccak(b"another")), "committed to"),
        (answer(lane_root=NO_ROOT), "a lane root of zero"),
        (answer(challenge=keccak(b"of its own choice")), "the nonces give"),
        (replace(answer(), signature=answer(3).signature), "not signed by its key"),
        (replace(answer(), nonces=answer().nonces[::-1]), "ascending"),
        (replace(answer(), nonces=(answer().nonces[0],) * 3), "ascending"),
    ],
)
def test_answer__off_the_rules__is_refused(held, reason):
    with pytest.raises(RuleError, match=reason):
        check(held)


def test_answer__with_a_nonce_from_before_the_commitment__is_refused():
    early = answer()
    nonce = ProbeNonce(7, SEED, DEVICE.device_id, keccak(b"another result"), SEATS[0].account, early.nonces[0].nonce)
    resigned = replace(early.nonces[0], signature=nonce.sign(DOMAIN, KEYS[0]))
    with pytest.raises(RuleError, match="not signed by its seat"):
        check(replace(early, nonces=(resigned, *early.nonces[1:])))


def test_answer__of_a_stranger_or_without_a_window__is_refused():
    stranger = replace(answer().nonces[0], validator="0x" + "00" * 19 + "01")
    with pytest.raises(RuleError, match="holds no seat"):
        check(replace(answer(), nonces=(stranger, *answer().nonces[1:])))
    with pytest.raises(RuleError, match="has none"):
        check(answer(), profile=replace(PROFILE, W=0))


def leaf(lane_root: bytes = NO_ROOT) -> SealedLeaf:
    return SealedLeaf(DEVICE.device_id, NO_ROOT, NO_ROOT, ROOT, lane_root, NO_ROOT, NO_ROOT)


def test_seal__without_a_probe_that_f_plus_one_list__is_refused():
    commitment, lanes = keccak(b"commitment"), keccak(b"answer")
    held = {seat: {DEVICE.device_id: commitment} for seat in range(4)}
    one, two = ({seat: {DEVICE.device_id: lanes} for seat in range(n)} for n in (1, 2))
    check_none_left_out([leaf()], [commitment], held, one, 4)
    with pytest.raises(RuleError, match="leaves out the probe"):
        check_none_left_out([leaf()], [commitment], held, two, 4)
    check_none_left_out([leaf(keccak(b"lanes"))], [commitment], held, two, 4)


def test_seal__of_a_device_with_two_commitments__is_possible_with_either():
    """Who shows its second commitment and its probe to others only must not make every seal a refused one."""
    first, second = keccak(b"first"), keccak(b"second")
    held = {0: {DEVICE.device_id: first}} | {seat: {DEVICE.device_id: second} for seat in (1, 2, 3)}
    listed = {seat: {DEVICE.device_id: keccak(b"answer")} for seat in (1, 2, 3)}
    check_none_left_out([leaf()], [first], held, listed, 4)
    with pytest.raises(RuleError, match="leaves out the probe"):
        check_none_left_out([leaf()], [second], held, listed, 4)


def test_line__with_lanes_of_a_profile_without_a_probe__is_refused():
    plain = replace(PROFILE, W=0)
    line = replace(leaf(keccak(b"lanes")), job_hash=plain.job_hash(SEED))
    with pytest.raises(RuleError, match="no probe"):
        check_line(line, 7, SEED, (DEVICE, plain), DOMAIN)


def test_in_time__at_the_deadline_and_beyond__is_as_it_says():
    assert in_time(1, PROFILE) and in_time(deadline_us(PROFILE), PROFILE)
    assert not in_time(0, PROFILE)  # not timed
    assert not in_time(deadline_us(PROFILE) + 1, PROFILE)


@pytest.mark.parametrize("name", ["edge", "datacenter"])
def test_deadline__of_classes_with_a_card__is_below_what_reads_over_pcie_take(name):
    profile = NAMED[name]
    over_pcie_us = layout.lanes(profile) * layout.STEPS / PCIE_SECTORS_S * 1e6
    assert ALLOWANCE_US < deadline_us(profile) < over_pcie_us
