"""Proofs against what seats signed: two statements, false pass, and the faults of a whole quorum."""

import ape
import pytest
from eth_abi.abi import encode
from support.cheats import with_broken_chain, with_wrong_element
from support.epochs import Committed, Epoch, run_epoch
from support.faults import element_of, observed, prove, round_of, sealed

from assay.proof.sampling import samples
from assay.protocol import messages
from assay.protocol.leaves import ObservationLeaf

SEAT_STAKE = 10**23


@pytest.fixture
def epoch(network):
    return Epoch(network, 0).open()


def slashed(network, seat):
    return network.StakeManager.account(network.seats[seat][0]).active


def statement(network, seat, message, content):
    signature = message.sign(network.domain("EpochOracle"), network.seats[seat][1])
    return content, signature[:32], signature[32:]


def two_seals(epoch, seat=1, roots=(b"\1" * 32, b"\2" * 32), round_=0):
    return [
        statement(epoch.network, seat, epoch.seal_message(root, 3, round_), encode(["bytes32", "uint32"], [root, 3]))
        for root in roots
    ]


def test_two_statements__two_seals__seat_slashed_and_leaves(network, epoch, stranger):
    account = network.seats[1][0]
    prove(network, "proveTwoStatements", "TwoStatements", [0, 0, 0, 1, *two_seals(epoch)], stranger)
    assert slashed(network, 1) == 0
    assert network.StakeManager.bountyOf(stranger) == SEAT_STAKE // 10
    assert network.ValidatorSet.member(account).status == 3
    assert account.address not in network.ValidatorSet.plannedSeats()


def test_two_statements__two_observations__seat_slashed(network, epoch, stranger):
    epoch.seal([epoch.commit(network.devices[0])]).draw()
    both = []
    for root in (b"\1" * 32, b"\2" * 32):
        message = messages.Observations(0, epoch.set_id, epoch.rho, root)
        both.append(statement(network, 2, message, root))
    prove(network, "proveTwoStatements", "TwoStatements", [1, 0, 0, 2, *both], stranger)
    assert slashed(network, 2) == 0


def test_two_statements__two_reports__seat_slashed(network, epoch, stranger):
    epoch.seal([epoch.commit(network.devices[0])]).draw()
    both = []
    for total in (1, 2):
        message = messages.EpochReport(0, epoch.set_id, 5, epoch.rho, b"\1" * 32, b"\2" * 32, total, b"\3" * 32)
        content = encode(["bytes32", "bytes32", "uint256", "bytes32"], [b"\1" * 32, b"\2" * 32, total, b"\3" * 32])
        both.append(statement(network, 3, message, content))
    prove(network, "proveTwoStatements", "TwoStatements", [2, 0, 5, 3, *both], stranger)
    assert slashed(network, 3) == 0


def test_two_statements__the_same_twice__refused(network, epoch, stranger):
    both = two_seals(epoch, roots=(b"\1" * 32, b"\1" * 32))
    with ape.reverts(network.FraudProofs.FraudProofs_SameStatement):
        prove(network, "proveTwoStatements", "TwoStatements", [0, 0, 0, 1, *both], stranger)


def test_two_statements__of_different_rounds__framing_refused(network, epoch, stranger):
    first, second = two_seals(epoch)[0], two_seals(epoch, round_=1)[1]
    with ape.reverts(network.FraudProofs.FraudProofs_BadSignature):
        prove(network, "proveTwoStatements", "TwoStatements", [0, 0, 0, 1, first, second], stranger)


def test_a_leader_who_shows_two_proposals__signed_by_one_seat__another_cannot_be_slashed(network, epoch, stranger):
    with ape.reverts(network.FraudProofs.FraudProofs_BadSignature):
        prove(network, "proveTwoStatements", "TwoStatements", [0, 0, 0, 2, *two_seals(epoch, 1)], stranger)


def test_two_statements__under_another_epoch_seed__framing_refused(network, epoch, stranger):
    both = two_seals(epoch)
    epoch.seed = b"\x09" * 32
    both[1] = two_seals(epoch)[1]
    with ape.reverts(network.FraudProofs.FraudProofs_BadSignature):
        prove(network, "proveTwoStatements", "TwoStatements", [0, 0, 0, 1, *both], stranger)


def test_two_statements__seat_off_the_set__unknown(network, epoch, stranger):
    with ape.reverts(network.FraudProofs.FraudProofs_UnknownSeat, setId=1, seat=4):
        prove(network, "proveTwoStatements", "TwoStatements", [0, 0, 0, 4, *two_seals(epoch)], stranger)


def test_two_statements__content_of_another_length__refused(network, epoch, stranger):
    first, second = two_seals(epoch)
    second = (second[0] + b"\0", *second[1:])
    with ape.reverts(network.FraudProofs.FraudProofs_BadContent, length=65, expected=64):
        prove(network, "proveTwoStatements", "TwoStatements", [0, 0, 0, 1, first, second], stranger)


def test_two_statements__observations_before_the_draw__not_drawn(network, epoch, stranger):
    both = []
    for root in (b"\1" * 32, b"\2" * 32):
        both.append(statement(network, 2, messages.Observations(0, epoch.set_id, b"\0" * 32, root), root))
    with ape.reverts(network.FraudProofs.FraudProofs_NotDrawn, epoch=0):
        prove(network, "proveTwoStatements", "TwoStatements", [1, 0, 0, 2, *both], stranger)


# --- false pass -----------------------------------------------------------------------------------------------


def cheat_sealed(network, epoch, change):
    """Device 0 seals what `change` makes of its proof; seat 1 passes it. Returns (committed, observed)."""
    honest = epoch.commit(network.devices[0], prove=True)
    proof = change(honest.proof)
    cheat = epoch.commit(network.devices[0], result_root=proof.result_root)
    cheat = Committed(cheat.device, cheat.message, cheat.signature, proof)
    other = epoch.commit(network.devices[1])
    epoch.seal([cheat, other]).draw()
    return cheat


def passing(epoch, cheat, seat=1, flags=1):
    found = [ObservationLeaf(c.device.id, c.message.result_root, 1_000, flags, 10_000) for c in epoch.sealed]
    return observed(epoch, seat, found, epoch.sealed.index(cheat))


@pytest.fixture
def skipped(network, epoch):
    """Every row of round 1 has a wrong first element."""
    import numpy as np
    from support.cheats import commit_products, true_product

    from assay.proof.threads import Threads

    def change(honest):
        def multiply(t, seed):
            product = true_product(honest.profile, honest.epoch_seed, seed)
            return product + np.int32(1) if t == 1 else product

        return commit_products(honest.profile, honest.epoch_seed, honest.device_seed, multiply, "cheat", Threads(1))

    cheat = cheat_sealed(network, epoch, change)
    drawn = samples(epoch.rho, cheat.device.id, cheat.device.profile)
    q = next((q for q, (t, _) in enumerate(drawn) if t == 1), None)
    if q is None:
        pytest.skip("no sample fell on round 1 of three")
    return cheat, q, drawn


def test_false_pass__sampled_row_is_wrong__that_seat_slashed(network, epoch, skipped, stranger):
    cheat, q, drawn = skipped
    t, i = drawn[q]
    arguments = [passing(epoch, cheat), q, round_of(cheat.proof, t), element_of(cheat.proof, t, i, 3)]
    prove(network, "proveFalsePass", "FalsePass", arguments, stranger)
    assert slashed(network, 1) == 0
    assert slashed(network, 2) == SEAT_STAKE


def test_false_pass__row_that_was_not_sampled__refused(network, epoch, skipped, stranger):
    cheat, q, drawn = skipped
    t, i = drawn[q]
    arguments = [passing(epoch, cheat), q, round_of(cheat.proof, t), element_of(cheat.proof, t, (i + 1) % 32, 3)]
    with ape.reverts(network.FraudProofs.FraudProofs_NotSampled):
        prove(network, "proveFalsePass", "FalsePass", arguments, stranger)


def test_false_pass__sampled_row_is_right__refused(network, epoch, skipped, stranger):
    cheat, _, drawn = skipped
    q = next((q for q, (t, _) in enumerate(drawn) if t != 1), None)
    if q is None:
        pytest.skip("every sample fell on the wrong round")
    t, i = drawn[q]
    arguments = [passing(epoch, cheat), q, round_of(cheat.proof, t), element_of(cheat.proof, t, i, 3)]
    with ape.reverts(network.FraudProofs.FraudProofs_ElementCorrect):
        prove(network, "proveFalsePass", "FalsePass", arguments, stranger)


def test_false_pass__seat_did_not_pass_the_device__refused(network, epoch, skipped, stranger):
    cheat, q, drawn = skipped
    t, i = drawn[q]
    arguments = [passing(epoch, cheat, flags=8), q, round_of(cheat.proof, t), element_of(cheat.proof, t, i, 3)]
    with ape.reverts(network.FraudProofs.FraudProofs_NotPassed, flags=8):
        prove(network, "proveFalsePass", "FalsePass", arguments, stranger)


def test_other_validators_batches__framing__bad_signature(network, epoch, skipped, stranger):
    cheat, q, drawn = skipped
    t, i = drawn[q]
    batch = list(passing(epoch, cheat, seat=1))
    batch[1] = 2
    arguments = [tuple(batch), q, round_of(cheat.proof, t), element_of(cheat.proof, t, i, 3)]
    with ape.reverts(network.FraudProofs.FraudProofs_BadSignature):
        prove(network, "proveFalsePass", "FalsePass", arguments, stranger)


def test_a_path_that_is_right_for_another_position__framing__bad_path(network, epoch, skipped, stranger):
    cheat, q, drawn = skipped
    t, i = drawn[q]
    batch = list(passing(epoch, cheat))
    batch[10] ^= 1
    arguments = [tuple(batch), q, round_of(cheat.proof, t), element_of(cheat.proof, t, i, 3)]
    with ape.reverts(network.FraudProofs.FraudProofs_BadPath):
        prove(network, "proveFalsePass", "FalsePass", arguments, stranger)


def test_false_pass__q_beyond_the_samples__out_of_range(network, epoch, skipped, stranger):
    cheat, q, drawn = skipped
    t, i = drawn[q]
    arguments = [passing(epoch, cheat), 8, round_of(cheat.proof, t), element_of(cheat.proof, t, i, 3)]
    with ape.reverts(network.FraudProofs.FraudProofs_OutOfRange, what="q", value=8, limit=8):
        prove(network, "proveFalsePass", "FalsePass", arguments, stranger)


@pytest.mark.parametrize("t", [0, 2])
def test_false_pass__chain_is_broken__that_seat_slashed(network, epoch, stranger, t):
    cheat = cheat_sealed(network, epoch, lambda proof: with_broken_chain(proof, t))
    rounds = [round_of(cheat.proof, s) for s in range(t + 1)]
    arguments = [passing(epoch, cheat), sealed(epoch, cheat), rounds]
    prove(network, "proveFalsePassChain", "FalsePass", arguments, stranger)
    assert slashed(network, 1) == 0


def test_false_pass__chain_is_right__refused(network, epoch, stranger):
    cheat = cheat_sealed(network, epoch, lambda proof: with_wrong_element(proof, 1, 7, 40))
    arguments = [passing(epoch, cheat), sealed(epoch, cheat), [round_of(cheat.proof, 0)]]
    with ape.reverts(network.FraudProofs.FraudProofs_ChainCorrect, t=0):
        prove(network, "proveFalsePassChain", "FalsePass", arguments, stranger)


def test_false_pass__sealed_leaf_of_another_device__refused(network, epoch, stranger):
    cheat = cheat_sealed(network, epoch, lambda proof: with_broken_chain(proof, 0))
    other = next(c for c in epoch.sealed if c is not cheat)
    arguments = [passing(epoch, cheat), sealed(epoch, other), [round_of(cheat.proof, 0)]]
    with ape.reverts(network.FraudProofs.FraudProofs_OtherResult):
        prove(network, "proveFalsePassChain", "FalsePass", arguments, stranger)


# --- faults of a quorum ---------------------------------------------------------------------------------------


def forged(epoch, network):
    """Device 0's commitment with device 1's signature."""
    good = epoch.commit(network.devices[0])
    signature = good.message.sign(network.domain("EpochOracle"), network.devices[1].private_key)
    return Committed(good.device, good.message, signature)


def test_bad_seal__no_signature_of_the_device__signers_slashed_one_by_one(network, epoch, stranger):
    bad = forged(epoch, network)
    epoch.seal([bad, epoch.commit(network.devices[1])], seats=[0, 1, 3])
    prove(network, "proveBadSeal", "BadSeal", [0, sealed(epoch, bad)], stranger)
    assert slashed(network, 0) == SEAT_STAKE  # recorded, nobody slashed yet
    for seat in (0, 1, 3):
        network.FraudProofs.slashSigner(7, 0, seat, sender=network.accounts[41])
        assert slashed(network, seat) == 0
    with ape.reverts(network.FraudProofs.FraudProofs_NotSigner, seat=2):
        network.FraudProofs.slashSigner(7, 0, 2, sender=stranger)
    with ape.reverts(network.FraudProofs.FraudProofs_AlreadyProven):
        network.FraudProofs.slashSigner(7, 0, 0, sender=stranger)
    assert network.StakeManager.bountyOf(stranger) == 3 * SEAT_STAKE // 10


def test_bad_seal__twice__already_proven(network, epoch, stranger):
    bad = forged(epoch, network)
    epoch.seal([bad])
    prove(network, "proveBadSeal", "BadSeal", [0, sealed(epoch, bad)], stranger)
    with ape.reverts(network.FraudProofs.FraudProofs_AlreadyProven):
        prove(network, "proveBadSeal", "BadSeal", [0, sealed(epoch, bad)], stranger)


def test_bad_seal__honest_leaf__refused(network, epoch, stranger):
    good = epoch.commit(network.devices[0])
    epoch.seal([good])
    with ape.reverts(network.FraudProofs.FraudProofs_SignatureValid):
        prove(network, "proveBadSeal", "BadSeal", [0, sealed(epoch, good)], stranger)


def test_bad_seal__before_the_seal__not_sealed(network, epoch, stranger):
    bad = forged(epoch, network)
    values = (*[b"\1" * 32] * 7, 0, [])
    assert bad
    with ape.reverts(network.FraudProofs.FraudProofs_NotSealed, epoch=0):
        prove(network, "proveBadSeal", "BadSeal", [0, values], stranger)


def test_slash_signer__nothing_recorded__refused(network, stranger):
    with ape.reverts(network.FraudProofs.FraudProofs_NotRecorded, kind=7, epoch=0):
        network.FraudProofs.slashSigner(7, 0, 0, sender=stranger)


def unsealed(network, epoch, **changes):
    committed = [epoch.commit(d) for d in network.devices[:2]]
    epoch.seal(committed).draw()
    leaf = epoch.leaf(network.devices[0], **changes)
    epoch.report([leaf, epoch.leaf(network.devices[1])])
    return epoch.proof(network.devices[0])


def at(epoch, index):
    return sealed(epoch, epoch.sealed[index])


def test_unsealed_pass__another_result_stands_there__signers_slashed(network, epoch, stranger):
    leaf, proof = unsealed(network, epoch, result_root=b"\5" * 32)
    arguments = [leaf, proof, at(epoch, leaf[2])]
    prove(network, "proveUnsealedPass", "UnsealedPass", arguments, stranger)
    network.FraudProofs.slashSigner(8, 0, 0, sender=stranger)
    assert slashed(network, 0) == 0


def test_unsealed_pass__index_beyond_the_seal__recorded(network, epoch, stranger):
    leaf, proof = unsealed(network, epoch, seal_index=7)
    prove(network, "proveUnsealedPass", "UnsealedPass", [leaf, proof, at(epoch, 0)], stranger)
    assert network.FraudProofs.quorumFault(8, 0).reporter == stranger


def test_unsealed_pass__it_is_sealed__refused(network, epoch, stranger):
    leaf, proof = unsealed(network, epoch)
    with ape.reverts(network.FraudProofs.FraudProofs_SealMatches, sealIndex=leaf[2]):
        prove(network, "proveUnsealedPass", "UnsealedPass", [leaf, proof, at(epoch, leaf[2])], stranger)


def test_unsealed_pass__leaf_of_another_place__refused(network, epoch, stranger):
    leaf, proof = unsealed(network, epoch)
    with ape.reverts(network.FraudProofs.FraudProofs_OutOfRange, what="index"):
        prove(network, "proveUnsealedPass", "UnsealedPass", [leaf, proof, at(epoch, 1 - leaf[2])], stranger)


def test_unsealed_pass__device_did_not_pass__refused(network, epoch, stranger):
    leaf, proof = unsealed(network, epoch, flags=16, result_root=b"\5" * 32)
    with ape.reverts(network.FraudProofs.FraudProofs_NotPassed, flags=16):
        prove(network, "proveUnsealedPass", "UnsealedPass", [leaf, proof, at(epoch, leaf[2])], stranger)


def test_unsealed_pass__leaf_of_no_report__refused(network, epoch, stranger):
    leaf, proof = unsealed(network, epoch)
    leaf = (*leaf[:4], 999_999, *leaf[5:])
    with ape.reverts(network.FraudProofs.FraudProofs_NotInReport, epoch=0):
        prove(network, "proveUnsealedPass", "UnsealedPass", [leaf, proof, at(epoch, leaf[2])], stranger)


def two_reports(network, first, second):
    a, b = network.accounts[20].address, network.accounts[21].address
    earlier = run_epoch(network, 0, network.devices, rewards=[(a, first[0]), (b, first[1])])
    later = run_epoch(network, 1, network.devices, rewards=[(a, second[0]), (b, second[1])])
    return a, (0, first[0], earlier.rewards.proof(0)), (1, second[0], later.rewards.proof(0))


def test_rewards_moved_from_one_account_to_another__cumulative_fell__signers_slashed(network, stranger):
    account, earlier, later = two_reports(network, (500, 100), (400, 300))
    prove(network, "proveShrunkReward", "ShrunkReward", [account, earlier, later], stranger)
    network.FraudProofs.slashSigner(9, 1, 2, sender=stranger)
    assert slashed(network, 2) == 0


def test_shrunk_reward__it_grew__refused(network, stranger):
    account, earlier, later = two_reports(network, (500, 100), (500, 300))
    with ape.reverts(network.FraudProofs.FraudProofs_NotShrunk, earlier=500, later=500):
        prove(network, "proveShrunkReward", "ShrunkReward", [account, earlier, later], stranger)


def test_shrunk_reward__reports_in_the_wrong_order__refused(network, stranger):
    account, earlier, later = two_reports(network, (500, 100), (600, 300))
    with ape.reverts(network.FraudProofs.FraudProofs_EpochOrder, earlier=1, later=0):
        prove(network, "proveShrunkReward", "ShrunkReward", [account, later, earlier], stranger)


def test_shrunk_reward__line_of_no_report__refused(network, stranger):
    account, earlier, later = two_reports(network, (500, 100), (600, 300))
    later = (1, 300, later[2])
    with ape.reverts(network.FraudProofs.FraudProofs_NotInReport, epoch=1):
        prove(network, "proveShrunkReward", "ShrunkReward", [account, earlier, later], stranger)
