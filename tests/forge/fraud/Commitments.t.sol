// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IFraudErrors} from "contracts/interfaces/IFraudErrors.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";

import {Accused} from "../base/Accused.sol";

/// @title FraudProofs.commit, and what a reveal spends
contract CommitAndReveal is Accused {
    bytes internal proof; // of two commitments, which would convict device 0

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        deviceIds.push(enrol(0, 1));
        openEpoch(0);
        proof = twoCommitments(commitmentOf(deviceIds[0], "1"), commitmentOf(deviceIds[0], "2"), SALT);
    }

    function commit(bytes memory call) internal returns (bytes32 hash) {
        hash = commitHash(ACCUSER, call);
        vm.prank(ACCUSER);
        fraud.commit(hash);
    }

    function reveal(address by, bytes memory call) internal returns (bool ok, bytes memory result) {
        vm.prank(by);
        return address(fraud).call(call);
    }

    function refused(address by, bytes memory call, bytes memory why) internal {
        (bool ok, bytes memory result) = reveal(by, call);
        isTrue(!ok, "convicted all the same");
        eq(keccak256(result), keccak256(why), "why");
    }

    function notCommitted(address by, bytes memory call) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IFraudErrors.FraudProofs_NotCommitted.selector, commitHash(by, call));
    }

    function test_commit__records_its_block_and_says_so() public {
        bytes32 hash = commitHash(ACCUSER, proof);
        vm.expectEmit();
        emit IFraudProofs.ProofCommitted(ACCUSER, hash, block.number);
        commit(proof);
        eq(fraud.committedAt(hash), block.number, "block");
    }

    function test_commit__twice__reverts_while_the_first_stands() public {
        bytes32 hash = commit(proof);
        vm.roll(block.number + COMMIT_LIFETIME);
        vm.expectRevert(abi.encodeWithSelector(IFraudErrors.FraudProofs_AlreadyCommitted.selector, hash));
        fraud.commit(hash);
        vm.roll(block.number + 1);
        commit(proof);
        eq(fraud.committedAt(hash), block.number, "anew");
    }

    function test_commit_hash__is_of_the_reporter_and_the_whole_call(address who, bytes calldata call) public view {
        eq(fraud.commitHashOf(who, call), keccak256(abi.encode(who, keccak256(call))), "as the interface says");
    }

    function test_reveal__two_blocks_after_the_commitment__convicts_and_spends_it() public {
        bytes32 hash = commit(proof);
        vm.roll(block.number + 2);
        (bool ok,) = reveal(ACCUSER, proof);
        isTrue(ok, "convicted");
        eq(fraud.committedAt(hash), 0, "spent");
        refused(ACCUSER, proof, notCommitted(ACCUSER, proof));
    }

    function test_reveal__in_the_block_of_the_commitment_or_the_next__reverts() public {
        commit(proof);
        uint256 at = block.number;
        bytes4 early = IFraudErrors.FraudProofs_RevealTooEarly.selector;
        refused(ACCUSER, proof, abi.encodeWithSelector(early, at, at));
        vm.roll(at + 1);
        refused(ACCUSER, proof, abi.encodeWithSelector(early, at, at + 1));
    }

    function test_reveal__in_the_last_block_of_its_life__convicts() public {
        commit(proof);
        vm.roll(block.number + COMMIT_LIFETIME);
        (bool ok,) = reveal(ACCUSER, proof);
        isTrue(ok, "convicted");
    }

    function test_reveal__a_block_after_its_life__reverts() public {
        commit(proof);
        uint256 at = block.number;
        vm.roll(at + COMMIT_LIFETIME + 1);
        refused(
            ACCUSER,
            proof,
            abi.encodeWithSelector(IFraudErrors.FraudProofs_CommitExpired.selector, at, at + COMMIT_LIFETIME + 1)
        );
    }

    /// @dev Whoever copies a proof out of the reporter's transaction has not committed to it, and must wait two blocks if he
    /// does so now.
    function test_a_front_run_report__by_who_copies_the_reveal__comes_too_late() public {
        commit(proof);
        vm.roll(block.number + 2);
        address thief = address(0x7417f);
        refused(thief, proof, notCommitted(thief, proof));
        bytes32 copied = commitHash(thief, proof);
        vm.prank(thief);
        fraud.commit(copied);
        vm.roll(block.number + 1);
        (bool ok,) = reveal(ACCUSER, proof);
        isTrue(ok, "the reporter's, a block late");
        held(provider, DEVICE_STAKE, ACCUSER);
        vm.roll(block.number + 1);
        refused(
            thief,
            proof,
            abi.encodeWithSelector(
                IFraudErrors.FraudProofs_AlreadyProven.selector,
                IFraudErrors.Kind.TwoCommitments,
                deviceIds[0],
                uint64(0)
            )
        );
    }

    /// @dev Whoever sends the reporter's commitment before him, or again when it has run out, commits for the reporter.
    function test_a_commitment__sent_by_somebody_else__is_the_reporters_all_the_same() public {
        fraud.commit(commitHash(ACCUSER, proof));
        vm.roll(block.number + 2);
        (bool ok,) = reveal(ACCUSER, proof);
        isTrue(ok, "convicted");
    }

    /// @dev What was committed to is each byte of the call: function, arguments, salt, and what follows them.
    function test_a_reveal__of_anything_else_than_what_was_committed__is_not_committed(uint256 at, uint8 by) public {
        commit(proof);
        vm.roll(block.number + 2);
        bytes memory other = bytes.concat(proof);
        at = 4 + at % (other.length - 4);
        other[at] = bytes1(uint8(other[at]) ^ (by == 0 ? 1 : by));
        (bool ok,) = reveal(ACCUSER, other);
        isTrue(!ok, "another byte");
        other = bytes.concat(proof, hex"00");
        refused(ACCUSER, other, notCommitted(ACCUSER, other));
        (ok,) = reveal(ACCUSER, proof);
        isTrue(ok, "and the very call convicts");
    }

    /// @dev Every proof asks for a commitment to itself before it looks at anything.
    function test_a_proof_not_committed_to__reverts_whatever_its_kind() public {
        IFraudProofs.Commitment memory c;
        IFraudProofs.Round memory r;
        IFraudProofs.Round[] memory rounds;
        IFraudProofs.Element memory e;
        IFraudProofs.Sealed memory s;
        IFraudProofs.Observed memory o;
        IFraudProofs.SignedContent memory content;
        IFraudProofs.RewardLine memory line;
        IEpochOracle.DeviceLeaf memory leaf;
        bytes[9] memory calls = [
            wrongElement(c, r, e, SALT),
            brokenChain(c, rounds, SALT),
            twoCommitments(c, c, SALT),
            twoStatements(IFraudProofs.Statement.Seal, 0, 0, 0, content, content),
            falsePass(o, 0, r, e),
            falsePassChain(o, s, rounds),
            badSeal(0, s),
            unsealedPass(leaf, new bytes32[](0), s),
            shrunkReward(renter, line, line)
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            refused(ACCUSER, calls[i], notCommitted(ACCUSER, calls[i]));
            commit(calls[i]);
            vm.roll(block.number + 2);
            (bool ok, bytes memory result) = reveal(ACCUSER, calls[i]);
            isTrue(!ok && bytes4(result) != IFraudErrors.FraudProofs_NotCommitted.selector, "and is looked at then");
        }
    }

    function deploy(uint32 lifetime) internal returns (IFraudProofs) {
        return IFraudProofs(
            this.deployed("FraudProofs", abi.encode(oracle, registry, stake, seats, demands, lifetime))
        );
    }

    function test_a_life_in_which_nothing_can_be_revealed__cannot_be_deployed() public {
        vm.expectRevert(
            abi.encodeWithSelector(IFraudErrors.FraudProofs_BadBound.selector, "commitLifetime", 2, 3)
        );
        deploy(2);
        eq(deploy(3).commitLifetime(), 3, "the least");
    }
}
