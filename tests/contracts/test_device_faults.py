"""Proofs against what a device signed: wrong element, broken chain, two commitments."""

import ape
import pytest
from eth_abi.abi import encode
from support.cheats import with_broken_chain, with_wrong_element
from support.epochs import Committed, Epoch
from support.faults import SALT, commit, commit_hash, element_of, prove, round_of

from assay.protocol.keccak import keccak

STAKE = 10**21


@pytest.fixture
def epoch(network):
    return Epoch(network, 0).open()


@pytest.fixture
def honest(epoch, network):
    return epoch.commit(network.devices[0], prove=True)


def cheated(epoch, network, change):
    """A commitment of device 0 to a changed proof."""
    honest = epoch.commit(network.devices[0], prove=True)
    proof = change(honest.proof)
    cheat = epoch.commit(network.devices[0], result_root=proof.result_root)
    return Committed(cheat.device, cheat.message, cheat.signature, proof)


@pytest.fixture
def wrong(epoch, network):
    return cheated(epoch, network, lambda proof: with_wrong_element(proof, 1, 7, 40))


def test_wrong_element__one_element_off_by_one__device_slashed(network, wrong, stranger):
    proof = wrong.proof
    before = network.StakeManager.account(wrong.device.provider)
    supply = network.NetworkToken.totalSupply()
    arguments = [wrong.struct, round_of(proof, 1), element_of(proof, 1, 7, 40)]
    receipt = prove(network, "proveWrongElement", "WrongElement", arguments, stranger)
    after = network.StakeManager.account(wrong.device.provider)
    assert before.active - after.active == STAKE
    assert before.reserved - after.reserved == STAKE
    assert network.StakeManager.bountyOf(stranger) == STAKE // 10
    assert supply - network.NetworkToken.totalSupply() == STAKE - STAKE // 10
    assert network.DeviceRegistry.device(wrong.device.id).status == 3
    assert network.FraudProofs.proven(1, wrong.device.id, 0)
    shown = next(iter(receipt.decode_logs(network.FraudProofs.WrongElementShown)))
    assert shown.claimed == shown.correct + 1


def test_wrong_element__honest_element__reverts_with_it(network, honest, stranger):
    arguments = [honest.struct, round_of(honest.proof, 2), element_of(honest.proof, 2, 31, 63)]
    value = int(honest.proof.rows.read([(2, 31)])[0][63])
    with ape.reverts(network.FraudProofs.FraudProofs_ElementCorrect, value=value):
        prove(network, "proveWrongElement", "WrongElement", arguments, stranger)


def test_wrong_element__right_element_of_wrong_round__reverts(network, wrong, stranger):
    arguments = [wrong.struct, round_of(wrong.proof, 1), element_of(wrong.proof, 1, 7, 41)]
    with ape.reverts(network.FraudProofs.FraudProofs_ElementCorrect):
        prove(network, "proveWrongElement", "WrongElement", arguments, stranger)


def test_a_front_run_report__revealed_in_the_block_of_the_commit__too_early(network, wrong, stranger):
    arguments = [wrong.struct, round_of(wrong.proof, 1), element_of(wrong.proof, 1, 7, 40)]
    digest = commit_hash(network, "proveWrongElement", "WrongElement", arguments, stranger)
    reveal = network.FraudProofs.proveWrongElement.as_transaction(
        *arguments, SALT, sender=stranger, gas=2_000_000, nonce=stranger.nonce + 1
    )
    provider = network.chain.provider
    provider.make_request("evm_setAutomine", [False])
    try:
        raw = {"from": stranger.address, "gas": hex(2_000_000)}
        commit_data = "0x" + bytes(network.FraudProofs.commit.encode_input(digest)).hex()
        address = network.FraudProofs.address
        provider.make_request("eth_sendTransaction", [{**raw, "to": address, "data": commit_data}])
        data = "0x" + bytes(reveal.data).hex()
        sent = provider.make_request("eth_sendTransaction", [{**raw, "to": address, "data": data}])
        provider.make_request("evm_mine", [])
    finally:
        provider.make_request("evm_setAutomine", [True])
    receipt = provider.make_request("eth_getTransactionReceipt", [sent])
    assert int(str(receipt["status"]), 16) == 0
    assert not network.FraudProofs.proven(1, wrong.device.id, 0)
    network.FraudProofs.proveWrongElement(*arguments, SALT, sender=stranger)


def test_commit__somebody_elses_proof__not_committed(network, wrong, stranger):
    arguments = [wrong.struct, round_of(wrong.proof, 1), element_of(wrong.proof, 1, 7, 40)]
    commit(network, "proveWrongElement", "WrongElement", arguments, stranger)
    with ape.reverts(network.FraudProofs.FraudProofs_NotCommitted):
        network.FraudProofs.proveWrongElement(*arguments, SALT, sender=network.accounts[41])


def test_commit__other_arguments__not_committed(network, wrong, stranger):
    arguments = [wrong.struct, round_of(wrong.proof, 1), element_of(wrong.proof, 1, 7, 40)]
    commit(network, "proveWrongElement", "WrongElement", arguments, stranger)
    arguments[2] = element_of(wrong.proof, 1, 7, 41)
    with ape.reverts(network.FraudProofs.FraudProofs_NotCommitted):
        network.FraudProofs.proveWrongElement(*arguments, SALT, sender=stranger)


def test_commit__past_its_lifetime__expired(network, wrong, stranger):
    arguments = [wrong.struct, round_of(wrong.proof, 1), element_of(wrong.proof, 1, 7, 40)]
    digest = commit(network, "proveWrongElement", "WrongElement", arguments, stranger)
    with ape.reverts(network.FraudProofs.FraudProofs_AlreadyCommitted, commitHash=digest):
        network.FraudProofs.commit(digest, sender=stranger)
    network.chain.mine(network.FraudProofs.commitLifetime() + 1)
    with ape.reverts(network.FraudProofs.FraudProofs_CommitExpired):
        network.FraudProofs.proveWrongElement(*arguments, SALT, sender=stranger)
    network.FraudProofs.commit(digest, sender=stranger)
    network.FraudProofs.proveWrongElement(*arguments, SALT, sender=stranger)


def test_commit_hash__as_the_interface_says__equal(network, stranger):
    inner = keccak(b"arguments")
    expected = keccak(encode(["address", "uint8", "bytes32", "bytes32"], [stranger.address, 1, inner, SALT]))
    assert bytes(network.FraudProofs.commitHashOf(stranger, 1, inner, SALT)) == expected


def test_one_fault_slashed_again__same_kind_and_epoch__already_proven(network, wrong, stranger):
    arguments = [wrong.struct, round_of(wrong.proof, 1), element_of(wrong.proof, 1, 7, 40)]
    prove(network, "proveWrongElement", "WrongElement", arguments, stranger)
    with ape.reverts(network.FraudProofs.FraudProofs_AlreadyProven, kind=1, epoch=0):
        prove(network, "proveWrongElement", "WrongElement", arguments, stranger)


def test_wrong_element__past_the_proof_window__not_provable(network, wrong, stranger):
    arguments = [wrong.struct, round_of(wrong.proof, 1), element_of(wrong.proof, 1, 7, 40)]
    network.go_to(network.start_of(1) + network.parameters.epochs.proofWindow + 1)
    with ape.reverts(network.FraudProofs.FraudProofs_NotProvable, epoch=0):
        prove(network, "proveWrongElement", "WrongElement", arguments, stranger)


def test_wrong_element__epoch_never_opened__not_provable(network, wrong, stranger):
    struct = (3, *wrong.struct[1:])
    arguments = [struct, round_of(wrong.proof, 1), element_of(wrong.proof, 1, 7, 40)]
    with ape.reverts(network.FraudProofs.FraudProofs_NotProvable, epoch=3):
        prove(network, "proveWrongElement", "WrongElement", arguments, stranger)


def test_wrong_element__job_hash_of_another_profile__mismatch(network, wrong, stranger):
    struct = (wrong.struct[0], b"\7" * 32, *wrong.struct[2:])
    arguments = [struct, round_of(wrong.proof, 1), element_of(wrong.proof, 1, 7, 40)]
    with ape.reverts(network.FraudProofs.FraudProofs_JobMismatch, claimed=b"\7" * 32):
        prove(network, "proveWrongElement", "WrongElement", arguments, stranger)


def test_a_commitment_nobody_signed__framing__bad_signature(network, wrong, stranger):
    other = network.devices[1].private_key
    signature = wrong.message.sign(network.domain("EpochOracle"), other)
    struct = (*wrong.struct[:5], signature[:32], signature[32:])
    arguments = [struct, round_of(wrong.proof, 1), element_of(wrong.proof, 1, 7, 40)]
    with ape.reverts(network.FraudProofs.FraudProofs_BadSignature):
        prove(network, "proveWrongElement", "WrongElement", arguments, stranger)


def test_a_signature_replayed_on_another_contract__framing__bad_signature(network, wrong, stranger):
    signature = wrong.message.sign(network.domain("LeaseEscrow"), wrong.device.private_key)
    struct = (*wrong.struct[:5], signature[:32], signature[32:])
    arguments = [struct, round_of(wrong.proof, 1), element_of(wrong.proof, 1, 7, 40)]
    with ape.reverts(network.FraudProofs.FraudProofs_BadSignature):
        prove(network, "proveWrongElement", "WrongElement", arguments, stranger)


@pytest.mark.parametrize("change", ["longer", "shorter"])
def test_a_path_one_node_longer_or_shorter__refused(network, wrong, stranger, change):
    i, j, chunk, path = element_of(wrong.proof, 1, 7, 40)
    path = [*path, b"\0" * 32] if change == "longer" else path[:-1]
    arguments = [wrong.struct, round_of(wrong.proof, 1), (i, j, chunk, path)]
    with ape.reverts(network.FraudProofs.FraudProofs_PathLength, length=len(path), expected=6):
        prove(network, "proveWrongElement", "WrongElement", arguments, stranger)
    t, seed, root, path = round_of(wrong.proof, 1)
    path = [*path, b"\0" * 32] if change == "longer" else path[:-1]
    arguments = [wrong.struct, (t, seed, root, path), element_of(wrong.proof, 1, 7, 40)]
    with ape.reverts(network.FraudProofs.FraudProofs_PathLength, length=len(path), expected=2):
        prove(network, "proveWrongElement", "WrongElement", arguments, stranger)


def test_the_right_row_at_the_wrong_index__refused(network, wrong, stranger):
    _, j, chunk, path = element_of(wrong.proof, 1, 7, 40)
    arguments = [wrong.struct, round_of(wrong.proof, 1), (6, j, chunk, path)]
    with ape.reverts(network.FraudProofs.FraudProofs_BadPath):
        prove(network, "proveWrongElement", "WrongElement", arguments, stranger)


def test_a_forged_round_leaf__refused(network, wrong, stranger):
    t, _, root, path = round_of(wrong.proof, 1)
    arguments = [wrong.struct, (t, b"\5" * 32, root, path), element_of(wrong.proof, 1, 7, 40)]
    with ape.reverts(network.FraudProofs.FraudProofs_BadPath):
        prove(network, "proveWrongElement", "WrongElement", arguments, stranger)


def test_a_chunk_where_a_node_is_expected__refused(network, wrong, stranger):
    i, j, chunk, path = element_of(wrong.proof, 1, 7, 40)
    arguments = [wrong.struct, round_of(wrong.proof, 1), (i, j, chunk[:64], path)]
    with ape.reverts(network.FraudProofs.FraudProofs_ChunkLength, length=64, expected=128):
        prove(network, "proveWrongElement", "WrongElement", arguments, stranger)


@pytest.mark.parametrize(("what", "place", "limit"), [("i", 0, 32), ("j", 1, 64)])
def test_wrong_element__index_off_the_profile__out_of_range(network, wrong, stranger, what, place, limit):
    element = list(element_of(wrong.proof, 1, 7, 40))
    element[place] = limit
    arguments = [wrong.struct, round_of(wrong.proof, 1), tuple(element)]
    with ape.reverts(network.FraudProofs.FraudProofs_OutOfRange, what=what, value=limit, limit=limit):
        prove(network, "proveWrongElement", "WrongElement", arguments, stranger)


def test_wrong_element__padding_round__out_of_range(network, wrong, stranger):
    _, seed, root, path = round_of(wrong.proof, 1)
    arguments = [wrong.struct, (3, seed, root, path), element_of(wrong.proof, 1, 7, 40)]
    with ape.reverts(network.FraudProofs.FraudProofs_OutOfRange, what="t", value=3, limit=3):
        prove(network, "proveWrongElement", "WrongElement", arguments, stranger)


@pytest.mark.parametrize("t", [0, 1, 2])
def test_broken_chain__seed_of_own_choice__device_slashed(network, epoch, stranger, t):
    cheat = cheated(epoch, network, lambda proof: with_broken_chain(proof, t))
    shown = [0] if t == 0 else [0, 1] if t == 1 else [0, 1, 2]
    arguments = [cheat.struct, [round_of(cheat.proof, s) for s in shown]]
    prove(network, "proveBrokenChain", "BrokenChain", arguments, stranger)
    assert network.FraudProofs.proven(2, cheat.device.id, 0)
    assert network.DeviceRegistry.device(cheat.device.id).status == 3


@pytest.mark.parametrize("shown", [[0], [0, 1], [0, 1, 2]])
def test_broken_chain__honest_chain__reverts(network, honest, stranger, shown):
    arguments = [honest.struct, [round_of(honest.proof, s) for s in shown]]
    with ape.reverts(network.FraudProofs.FraudProofs_ChainCorrect, t=shown[-1]):
        prove(network, "proveBrokenChain", "BrokenChain", arguments, stranger)


@pytest.mark.parametrize("shown", [[1], [1, 2], [0, 2], [0, 0], [0, 2, 1]])
def test_broken_chain__rounds_that_prove_nothing__refused(network, honest, stranger, shown):
    arguments = [honest.struct, [round_of(honest.proof, s) for s in shown]]
    with ape.reverts(network.FraudProofs.FraudProofs_NotConsecutive):
        prove(network, "proveBrokenChain", "BrokenChain", arguments, stranger)


@pytest.mark.parametrize("count", [0, 4])
def test_broken_chain__no_or_too_many_rounds__refused(network, honest, stranger, count):
    arguments = [honest.struct, [round_of(honest.proof, 0)] * count]
    with ape.reverts(network.FraudProofs.FraudProofs_RoundCount, length=count):
        prove(network, "proveBrokenChain", "BrokenChain", arguments, stranger)


def test_two_commitments__different_results__device_slashed(network, epoch, stranger):
    device = network.devices[0]
    a, b = epoch.commit(device, b"\1" * 32), epoch.commit(device, b"\2" * 32)
    prove(network, "proveTwoCommitments", "TwoCommitments", [a.struct, b.struct], stranger)
    assert network.FraudProofs.proven(3, device.id, 0)


def test_two_commitments__the_same_twice__refused(network, epoch, stranger):
    a = epoch.commit(network.devices[0], b"\1" * 32)
    with ape.reverts(network.FraudProofs.FraudProofs_SameCommitment):
        prove(network, "proveTwoCommitments", "TwoCommitments", [a.struct, a.struct], stranger)


def test_two_commitments__of_two_devices__refused(network, epoch, stranger):
    a, b = epoch.commit(network.devices[0]), epoch.commit(network.devices[1])
    with ape.reverts(network.FraudProofs.FraudProofs_OtherResult):
        prove(network, "proveTwoCommitments", "TwoCommitments", [a.struct, b.struct], stranger)


def test_a_reorg_of_open_epoch__commitment_under_another_seed__no_second_commitment(network, epoch, stranger):
    device = network.devices[0]
    a = epoch.commit(device, b"\1" * 32)
    epoch.seed = b"\x09" * 32
    b = epoch.commit(device, b"\2" * 32)
    with ape.reverts(network.FraudProofs.FraudProofs_JobMismatch):
        prove(network, "proveTwoCommitments", "TwoCommitments", [a.struct, b.struct], stranger)


def test_a_reporter_who_profits_from_reporting_himself__provider_reports_own_device__loses_ninety_percent(
    network, epoch
):
    device = network.devices[0]
    a, b = epoch.commit(device, b"\1" * 32), epoch.commit(device, b"\2" * 32)
    before = network.StakeManager.account(device.provider).active
    prove(network, "proveTwoCommitments", "TwoCommitments", [a.struct, b.struct], device.provider)
    lost = before - network.StakeManager.account(device.provider).active
    assert network.StakeManager.bountyOf(device.provider) * 10 <= lost
