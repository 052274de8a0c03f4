// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IFraudErrors} from "contracts/interfaces/IFraudErrors.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";

import {Accused} from "../base/Accused.sol";
import {Prover} from "../base/Prover.sol";
import {Trees} from "../base/Trees.sol";

/// @title Honest seats, accused of everything
contract SeatsAreNotFramed is Accused {
    IFraudProofs.Commitment[] internal commitments;
    Prover.Work internal work;

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        deviceIds.push(enrol(0, 1));
        deviceIds.push(enrol(1, 1));
        openEpoch(0);
        work = workOf(deviceIds[0]);
        commitments.push(commitmentOf(deviceIds[0], work.resultRoot));
        commitments.push(commitmentOf(deviceIds[1], keccak256("second")));
        settle(commitments);
    }

    function signedContent(uint32 seat, bytes32 typeHash, bytes32 seed, uint32 round, bytes memory content)
        internal
        view
        returns (IFraudProofs.SignedContent memory)
    {
        uint32 setId = oracle.epochState(0).setId;
        bytes memory head = typeHash == OBSERVATIONS_TYPE
            ? abi.encode(typeHash, uint64(0), setId, seed)
            : abi.encode(typeHash, uint64(0), setId, round, seed);
        bytes32 digest = digestIn(address(oracle), bytes.concat(head, content));
        (bytes32 r, bytes32 vs) = vm.signCompact(SEAT_KEY + seat, digest);
        return IFraudProofs.SignedContent(content, r, vs);
    }

    function sealContent(uint32 seat, uint32 round, bytes32 root)
        internal
        view
        returns (IFraudProofs.SignedContent memory)
    {
        return signedContent(seat, SEAL_TYPE, oracle.epochSeed(0), round, abi.encode(root, uint32(2)));
    }

    function test_two_statements__the_same_twice_or_of_two_rounds_convicts_nobody() public {
        IFraudProofs.SignedContent memory a = sealContent(0, 0, keccak256("a"));
        refused(
            twoStatements(IFraudProofs.Statement.Seal, 0, 0, 0, a, a), IFraudErrors.FraudProofs_SameStatement.selector
        );
        // A later leader's proposal is signed under a higher round.
        IFraudProofs.SignedContent memory later = sealContent(0, 1, keccak256("b"));
        bytes4 bad = IFraudErrors.FraudProofs_BadSignature.selector;
        refused(twoStatements(IFraudProofs.Statement.Seal, 0, 0, 0, a, later), bad);
        refused(twoStatements(IFraudProofs.Statement.Seal, 0, 1, 0, a, later), bad);
    }

    function test_a_leader_who_shows_two_proposals__convicts_no_other_seat() public {
        IFraudProofs.SignedContent memory a = sealContent(0, 0, keccak256("a"));
        IFraudProofs.SignedContent memory b = sealContent(1, 0, keccak256("b"));
        bytes4 bad = IFraudErrors.FraudProofs_BadSignature.selector;
        refused(twoStatements(IFraudProofs.Statement.Seal, 0, 0, 0, a, b), bad);
        refused(twoStatements(IFraudProofs.Statement.Seal, 0, 0, 1, a, b), bad);
        refused(twoStatements(IFraudProofs.Statement.Seal, 0, 0, 9, a, b), IFraudErrors.FraudProofs_UnknownSeat.selector);
    }

    function test_a_statement_under_a_reorganised_beacon_or_rho__convicts_nobody() public {
        IFraudProofs.SignedContent memory a = sealContent(0, 0, keccak256("a"));
        IFraudProofs.SignedContent memory gone =
            signedContent(0, SEAL_TYPE, keccak256("other seed"), 0, abi.encode(keccak256("b"), uint32(2)));
        bytes4 bad = IFraudErrors.FraudProofs_BadSignature.selector;
        refused(twoStatements(IFraudProofs.Statement.Seal, 0, 0, 0, a, gone), bad);
        a = signedContent(0, OBSERVATIONS_TYPE, rho, 0, abi.encode(keccak256("a")));
        gone = signedContent(0, OBSERVATIONS_TYPE, keccak256("other rho"), 0, abi.encode(keccak256("b")));
        refused(twoStatements(IFraudProofs.Statement.Observations, 0, 0, 0, a, gone), bad);
    }

    /// @dev Content is hashed as it comes: of another length or with dirty bits it could be read in two ways.
    function test_content_of_another_length_or_with_dirty_bits__is_refused() public {
        IFraudProofs.SignedContent memory a = sealContent(0, 0, keccak256("a"));
        IFraudProofs.SignedContent memory b =
            signedContent(0, SEAL_TYPE, oracle.epochSeed(0), 0, abi.encode(keccak256("a"), uint256(2) + (1 << 32)));
        bytes4 content = IFraudErrors.FraudProofs_BadContent.selector;
        refused(twoStatements(IFraudProofs.Statement.Seal, 0, 0, 0, a, b), content);
        b.content = abi.encode(keccak256("a"));
        refused(twoStatements(IFraudProofs.Statement.Seal, 0, 0, 0, a, b), content);
        refused(twoStatements(IFraudProofs.Statement.EpochReport, 0, 0, 0, a, b), content);
        refused(twoStatements(IFraudProofs.Statement.Observations, 0, 0, 0, a, b), content);
        b = signedContent(0, OBSERVATIONS_TYPE, rho, 0, abi.encode(keccak256("a")));
        refused(
            twoStatements(IFraudProofs.Statement.Observations, 0, 1, 0, b, b), IFraudErrors.FraudProofs_OutOfRange.selector
        );
    }

    function test_false_pass__convicts_nobody_where_the_sampled_row_is_right(uint32 q, uint256 j) public {
        q = q % 4;
        (uint256 t, uint256 i) = sampleOf(deviceIds[0], q);
        IFraudProofs.Observed memory o = observedBy(0, commitments, 0, 1);
        refused(
            falsePass(o, q, Prover.round(work, t), Prover.element(work, t, i, j % 64)),
            IFraudErrors.FraudProofs_ElementCorrect.selector
        );
    }

    function test_false_pass__refuses_rows_not_sampled_and_observations_not_signed(uint32 q, uint256 other) public {
        q = q % 4;
        (uint256 t, uint256 i) = sampleOf(deviceIds[0], q);
        IFraudProofs.Observed memory o = observedBy(0, commitments, 0, 1);
        IFraudProofs.Round memory r = Prover.round(work, t);
        refused(
            falsePass(o, q, r, Prover.element(work, t, i ^ 1, 0)), IFraudErrors.FraudProofs_NotSampled.selector
        );
        refused(falsePass(o, 4, r, Prover.element(work, t, i, 0)), IFraudErrors.FraudProofs_OutOfRange.selector);
        IFraudProofs.Observed memory failed = observedBy(0, commitments, 0, 8);
        refused(falsePass(failed, q, r, Prover.element(work, t, i, 0)), IFraudErrors.FraudProofs_NotPassed.selector);
        // Another seat's batch, and a leaf or a result that is not in the batch.
        o.seat = 1;
        refused(falsePass(o, q, r, Prover.element(work, t, i, 0)), IFraudErrors.FraudProofs_BadSignature.selector);
        o = observedBy(0, commitments, 0, 1);
        o.resultRoot = keccak256(abi.encode(other));
        refused(falsePass(o, q, r, Prover.element(work, t, i, 0)), IFraudErrors.FraudProofs_BadPath.selector);
        o = observedBy(0, commitments, 0, 8);
        o.flags = 1;
        refused(falsePass(o, q, r, Prover.element(work, t, i, 0)), IFraudErrors.FraudProofs_BadPath.selector);
        o = observedBy(0, commitments, 0, 1);
        o.index = 2;
        refused(falsePass(o, q, r, Prover.element(work, t, i, 0)), IFraudErrors.FraudProofs_OutOfRange.selector);
    }

    function chain(uint256 n) internal view returns (IFraudProofs.Round[] memory rounds) {
        rounds = new IFraudProofs.Round[](n);
        for (uint256 k = 0; k < n; ++k) rounds[k] = Prover.round(work, k);
    }

    function test_false_pass_of_a_chain__convicts_nobody_where_the_chain_holds() public {
        IFraudProofs.Observed memory o = observedBy(2, commitments, 0, 1);
        IFraudProofs.Sealed memory s = sealedAt(commitments, 0);
        for (uint256 n = 1; n <= 3; ++n) {
            refused(falsePassChain(o, s, chain(n)), IFraudErrors.FraudProofs_ChainCorrect.selector);
        }
        // Another device's sealed leaf would give another first seed.
        refused(
            falsePassChain(o, sealedAt(commitments, 1), chain(1)), IFraudErrors.FraudProofs_OtherResult.selector
        );
        s.nonceRoot = keccak256("other nonces");
        refused(falsePassChain(o, s, chain(1)), IFraudErrors.FraudProofs_BadPath.selector);
    }

    function test_bad_seal__convicts_nobody_where_the_device_signed() public {
        bytes4 valid = IFraudErrors.FraudProofs_SignatureValid.selector;
        refused(badSeal(0, sealedAt(commitments, 0)), valid);
        refused(badSeal(0, sealedAt(commitments, 1)), valid);
        // A device that retires stays the one that signed.
        vm.prank(provider);
        registry.retire(deviceIds[0]);
        refused(badSeal(0, sealedAt(commitments, 0)), valid);
        IFraudProofs.Sealed memory s = sealedAt(commitments, 0);
        (s.r, s.vs) = (keccak256("r"), keccak256("vs"));
        refused(badSeal(0, s), IFraudErrors.FraudProofs_BadPath.selector);
        s = sealedAt(commitments, 0);
        s.index = 1;
        refused(badSeal(0, s), IFraudErrors.FraudProofs_BadPath.selector);
        s.index = 2;
        refused(badSeal(0, s), IFraudErrors.FraudProofs_OutOfRange.selector);
        refused(badSeal(1, s), IFraudErrors.FraudProofs_NotProvable.selector);
    }

    function test_unsealed_pass__convicts_nobody_where_the_seal_matches() public {
        IEpochOracle.DeviceLeaf[] memory lines = reported(commitments);
        bytes32[] memory proof = Trees.sortedProof(deviceLeaves(lines), 0);
        refused(
            unsealedPass(lines[0], proof, sealedAt(commitments, 0)), IFraudErrors.FraudProofs_SealMatches.selector
        );
        refused(
            unsealedPass(lines[0], proof, sealedAt(commitments, 1)), IFraudErrors.FraudProofs_OutOfRange.selector
        );
        IFraudProofs.Sealed memory s = sealedAt(commitments, 1);
        s.index = 0;
        refused(unsealedPass(lines[0], proof, s), IFraudErrors.FraudProofs_BadPath.selector);
        lines[0].resultRoot = keccak256("not reported");
        refused(
            unsealedPass(lines[0], proof, sealedAt(commitments, 0)), IFraudErrors.FraudProofs_NotInReport.selector
        );
    }

    function test_shrunk_reward__convicts_nobody_where_nothing_shrank() public {
        bytes32 before = Trees.standardLeaf(abi.encode(renter, uint256(7)));
        openEpoch(1);
        sealEpoch(1, 0, 0);
        drawEpoch(1);
        IEpochOracle.Report memory r = plainReport(1);
        r.rewardsRoot = before;
        postReport(r);
        openEpoch(2);
        sealEpoch(2, 0, 0);
        drawEpoch(2);
        r = plainReport(2);
        r.rewardsRoot = before;
        postReport(r);
        IFraudProofs.RewardLine memory a = IFraudProofs.RewardLine(1, 7, new bytes32[](0));
        IFraudProofs.RewardLine memory b = IFraudProofs.RewardLine(2, 7, new bytes32[](0));
        refused(shrunkReward(renter, a, b), IFraudErrors.FraudProofs_NotShrunk.selector);
        b.cumulative = 6;
        refused(shrunkReward(renter, a, b), IFraudErrors.FraudProofs_NotInReport.selector);
        b.cumulative = 7;
        a.cumulative = 8;
        refused(shrunkReward(renter, a, b), IFraudErrors.FraudProofs_NotInReport.selector);
        (a.cumulative, a.epoch, b.epoch) = (8, 2, 1);
        refused(shrunkReward(renter, a, b), IFraudErrors.FraudProofs_EpochOrder.selector);
        refused(shrunkReward(renter, b, b), IFraudErrors.FraudProofs_EpochOrder.selector);
    }

    /// @dev An epoch as far as its draw, at once after its seal: the report of the one before can still follow.
    function drawn(uint64 e) internal {
        openEpoch(e);
        sealEpoch(e, 0, 0);
        vm.roll(block.number + DRAW_DELAY + 1);
        oracle.draw(e);
    }

    /// @dev A report with one line: what the renter has earned.
    function earned(uint64 e, uint256 cumulative) internal returns (IFraudProofs.RewardLine memory) {
        IEpochOracle.Report memory r = plainReport(e);
        (r.rewardsRoot, r.rewardsTotal) = (Trees.standardLeaf(abi.encode(renter, cumulative)), cumulative);
        postReport(r);
        return IFraudProofs.RewardLine(e, cumulative, new bytes32[](0));
    }

    function veto(uint64 e) internal {
        vm.prank(GUARDIAN);
        rewards.veto(e);
    }

    /// @dev Credited too much in epoch 2, vetoed; the honest go on from epoch 1. Whichever way it is turned, they are not
    /// convicted, and the total may fall to where it stood.
    function test_shrunk_reward__convicts_nobody_who_goes_on_from_before_a_vetoed_report() public {
        drawn(1);
        IFraudProofs.RewardLine memory good = earned(1, 7);
        drawn(2);
        IFraudProofs.RewardLine memory lie = earned(2, 1e18);
        veto(2);
        drawn(3);
        IFraudProofs.RewardLine memory restored = earned(3, 9);
        refused(shrunkReward(renter, lie, restored), IFraudErrors.FraudProofs_Vetoed.selector);
        refused(shrunkReward(renter, good, restored), IFraudErrors.FraudProofs_NotShrunk.selector);
        // A lie that went on for two reports, both vetoed, the later first.
        drawn(4);
        drawn(5);
        lie = earned(4, 2e18);
        IFraudProofs.RewardLine memory carried = earned(5, 2e18 + 1);
        veto(5);
        veto(4);
        drawn(6);
        restored = earned(6, 10);
        refused(shrunkReward(renter, lie, restored), IFraudErrors.FraudProofs_Vetoed.selector);
        refused(shrunkReward(renter, carried, restored), IFraudErrors.FraudProofs_Vetoed.selector);
        refused(shrunkReward(renter, lie, carried), IFraudErrors.FraudProofs_NotShrunk.selector);
    }

    function test_only_recorded_signers__are_slashed_for_a_quorums_fault() public {
        vm.expectPartialRevert(IFraudErrors.FraudProofs_NotRecorded.selector);
        fraud.slashSigner(IFraudErrors.Kind.BadSeal, 0, 0);
        nobodySlashed();
    }
}
