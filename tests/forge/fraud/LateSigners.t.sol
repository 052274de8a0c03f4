// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IFraudErrors} from "contracts/interfaces/IFraudErrors.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";
import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {Accused} from "../base/Accused.sol";
import {Trees} from "../base/Trees.sol";

/// @title FraudProofs.slashSigner, and who adds his signature to what was proven bad
contract LateSigners is Accused {
    IFraudProofs.Commitment[] internal commitments;

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        deviceIds.push(enrol(0, 1));
        openEpoch(0);
    }

    /// @dev A seal of one leaf that its device did not sign, by three of four; proven.
    function badSealProven() internal returns (bytes32 root) {
        commitments.push(commitmentOf(deviceIds[0], keccak256("x")));
        (commitments[0].r, commitments[0].vs) = (keccak256("r"), keccak256("vs") >> 1);
        root = Trees.root(sealLeaves(commitments));
        sealEpoch(0, root, 1);
        convicted(badSeal(0, sealedAt(commitments, 0)));
    }

    /// @dev A report of a pass that was not sealed, by three of four; proven.
    function unsealedPassProven() internal returns (IEpochOracle.Report memory r) {
        commitments.push(commitmentOf(deviceIds[0], keccak256("x")));
        sealEpoch(0, Trees.root(sealLeaves(commitments)), 1);
        drawEpoch(0);
        IEpochOracle.DeviceLeaf memory leaf = passedLeaf(0, deviceIds[0]);
        leaf.sealIndex = 1;
        r = plainReport(0);
        r.devicesRoot = leafHash(leaf);
        postReport(r);
        convicted(unsealedPass(leaf, new bytes32[](0), sealedAt(commitments, 0)));
    }

    function slashed(IFraudErrors.Kind kind, uint32 seat) internal {
        fraud.slashSigner(kind, 0, seat);
        eq(stake.account(seatAccount(seat)).active, 0, "all of the seat's stake");
        held(seatAccount(seat), SEAT_STAKE, ACCUSER);
    }

    function notSigner(IFraudErrors.Kind kind, uint32 seat, uint32 signers) internal {
        vm.expectRevert(abi.encodeWithSelector(IFraudErrors.FraudProofs_NotSigner.selector, seat, signers));
        fraud.slashSigner(kind, 0, seat);
    }

    function test_a_late_signer_of_a_bad_seal__is_slashed_too() public {
        bytes32 root = badSealProven();
        notSigner(IFraudErrors.Kind.BadSeal, 3, 7);
        oracle.addSignatures(0, false, 0, quorumOf(sealDigest(0, 0, root, 1), 8));
        slashed(IFraudErrors.Kind.BadSeal, 3);
        slashed(IFraudErrors.Kind.BadSeal, 0);
    }

    function test_a_late_signer_of_a_bad_report__is_slashed_too() public {
        IEpochOracle.Report memory r = unsealedPassProven();
        notSigner(IFraudErrors.Kind.UnsealedPass, 3, 7);
        oracle.addSignatures(0, true, 0, quorumOf(reportDigest(r), 8));
        slashed(IFraudErrors.Kind.UnsealedPass, 3);
    }

    /// @dev Who signed the seal did not sign the report: a bad report is no fault of the sealers, nor the other way round.
    function test_a_late_signer_of_the_seal__answers_for_no_bad_report() public {
        commitments.push(commitmentOf(deviceIds[0], keccak256("x")));
        bytes32 root = Trees.root(sealLeaves(commitments));
        sealEpoch(0, root, 1);
        oracle.addSignatures(0, false, 0, quorumOf(sealDigest(0, 0, root, 1), 8));
        drawEpoch(0);
        IEpochOracle.DeviceLeaf memory leaf = passedLeaf(0, deviceIds[0]);
        leaf.sealIndex = 1;
        IEpochOracle.Report memory r = plainReport(0);
        r.devicesRoot = leafHash(leaf);
        postReport(r);
        convicted(unsealedPass(leaf, new bytes32[](0), sealedAt(commitments, 0)));
        notSigner(IFraudErrors.Kind.UnsealedPass, 3, 7);
    }

    /// @dev Those who were recorded stay so when the oracle has forgotten the epoch.
    function test_a_recorded_signer__is_slashed_when_the_epoch_is_no_longer_kept() public {
        badSealProven();
        uint64 over = uint64(oracle.ringSize());
        openEpoch(over);
        (uint32 setId,,) = oracle.presence(0);
        eq(setId, 0, "forgotten");
        slashed(IFraudErrors.Kind.BadSeal, 1);
        notSigner(IFraudErrors.Kind.BadSeal, 3, 7);
    }

    function test_slash_signer__of_nothing_recorded__reverts() public {
        vm.expectRevert(
            abi.encodeWithSelector(
                IFraudErrors.FraudProofs_NotRecorded.selector, IFraudErrors.Kind.BadSeal, uint64(0)
            )
        );
        fraud.slashSigner(IFraudErrors.Kind.BadSeal, 0, 0);
    }

    function test_slash_signer__beyond_the_mask__reverts() public {
        badSealProven();
        notSigner(IFraudErrors.Kind.BadSeal, 32, 7);
        notSigner(IFraudErrors.Kind.BadSeal, type(uint32).max, 7);
    }

    function test_slash_signer__twice__reverts() public {
        badSealProven();
        slashed(IFraudErrors.Kind.BadSeal, 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                IFraudErrors.FraudProofs_AlreadyProven.selector,
                IFraudErrors.Kind.BadSeal,
                bytes32(uint256(uint160(seatAccount(0)))),
                uint64(0)
            )
        );
        fraud.slashSigner(IFraudErrors.Kind.BadSeal, 0, 0);
    }

    /// @dev Two faults of one quorum take each signer's stake once.
    function test_slash_signer__for_a_second_fault_of_the_same_seats__finds_nothing_at_stake() public {
        commitments.push(commitmentOf(deviceIds[0], keccak256("x")));
        (commitments[0].r, commitments[0].vs) = (keccak256("r"), keccak256("vs") >> 1);
        sealEpoch(0, Trees.root(sealLeaves(commitments)), 1);
        drawEpoch(0);
        IEpochOracle.DeviceLeaf memory leaf = passedLeaf(0, deviceIds[0]);
        leaf.sealIndex = 1;
        IEpochOracle.Report memory r = plainReport(0);
        r.devicesRoot = leafHash(leaf);
        postReport(r);
        convicted(badSeal(0, sealedAt(commitments, 0)));
        convicted(unsealedPass(leaf, new bytes32[](0), sealedAt(commitments, 0)));
        slashed(IFraudErrors.Kind.BadSeal, 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                IValidatorSet.ValidatorSet_NothingAtStake.selector, seatAccount(0), seatSigner(0)
            )
        );
        fraud.slashSigner(IFraudErrors.Kind.UnsealedPass, 0, 0);
        slashed(IFraudErrors.Kind.UnsealedPass, 1);
    }

    function test_a_quorums_fault__says_all_of_itself() public {
        badSealProven();
        IFraudProofs.QuorumFault memory fault = fraud.quorumFault(IFraudErrors.Kind.BadSeal, 0);
        eq(fault.reporter, ACCUSER, "reporter");
        eq(fault.setId, oracle.epochState(0).setId, "set");
        eq(fault.signers, 7, "signers");
        isTrue(fraud.proven(IFraudErrors.Kind.BadSeal, 0, 0), "recorded");
        eq(stake.heldSlashCount(), 0, "nobody slashed yet");
    }

    /// @dev What an account put down for a seat with another signer is no part of the earlier seat's, however late that is
    /// slashed for what was recorded.
    function test_an_account_that_rejoins_with_a_new_signer__answers_for_that_seat_only() public {
        badSealProven();
        address account = seatAccount(0);
        vm.prank(account);
        seats.leave();
        uint64 left = seats.member(account).leftFrom;
        openEpoch(left);
        vm.warp(startOf(left) + PROOF_WINDOW + 1 days);
        seats.releaseStake(account);
        bytes memory encoded = abi.encode(SEAT_TYPE, account, seatSigner(9), seats.seatNonce(account));
        bytes memory signature = signed(SEAT_KEY + 9, digestIn(address(seats), encoded));
        vm.prank(account);
        seats.join(seatSigner(9), "", 0, signature);
        vm.expectRevert(
            abi.encodeWithSelector(IValidatorSet.ValidatorSet_NothingAtStake.selector, account, seatSigner(0))
        );
        fraud.slashSigner(IFraudErrors.Kind.BadSeal, 0, 0);
        eq(stake.account(account).reserved, SEAT_STAKE, "the new seat's");
        // A seat that has not left is still in reach.
        slashed(IFraudErrors.Kind.BadSeal, 1);
    }
}
