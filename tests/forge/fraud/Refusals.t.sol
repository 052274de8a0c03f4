// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IFraudErrors} from "contracts/interfaces/IFraudErrors.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";

import {Accused} from "../base/Accused.sol";
import {Prover} from "../base/Prover.sol";
import {Trees} from "../base/Trees.sol";

/// @title What each proof refuses beyond what framing goes through
contract ProofRefusals is Accused {
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
    }

    function chain(uint256 n) internal view returns (IFraudProofs.Round[] memory rounds) {
        rounds = new IFraudProofs.Round[](n);
        for (uint256 k = 0; k < n; ++k) rounds[k] = Prover.round(work, k);
    }

    function test_two_commitments__of_two_epochs__are_no_fault() public {
        openEpoch(1);
        refused(
            twoCommitments(commitments[0], commitmentIn(1, deviceIds[0], keccak256("other")), SALT),
            IFraudErrors.FraudProofs_OtherResult.selector
        );
    }

    function test_two_commitments__of_which_the_first_is_forged__convict_nobody() public {
        IFraudProofs.Commitment memory forged = commitmentOf(deviceIds[0], keccak256("forged"));
        (forged.r, forged.vs) = (commitments[0].r, commitments[0].vs);
        refused(twoCommitments(forged, commitments[0], SALT), IFraudErrors.FraudProofs_BadSignature.selector);
    }

    function test_a_proof_against_no_device__reverts() public {
        IFraudProofs.Commitment memory c = commitments[0];
        c.deviceId = keccak256("nobody");
        bytes4 unknown = IFraudErrors.FraudProofs_UnknownDevice.selector;
        refused(wrongElement(c, Prover.round(work, 0), Prover.element(work, 0, 0, 0), SALT), unknown);
        refused(brokenChain(c, chain(1), SALT), unknown);
    }

    function statements(IFraudProofs.Statement what, bytes32 typeHash, uint256 words)
        internal
        view
        returns (bytes memory)
    {
        IFraudProofs.SignedContent memory a;
        IFraudProofs.SignedContent memory b;
        (a.content, b.content) = (new bytes(32 * words), new bytes(32 * words));
        b.content[0] = 0x01;
        uint32 setId = oracle.epochState(0).setId;
        bytes memory head = typeHash == OBSERVATIONS_TYPE
            ? abi.encode(typeHash, uint64(0), setId, rho)
            : abi.encode(typeHash, uint64(0), setId, 0, rho);
        (a.r, a.vs) = vm.signCompact(SEAT_KEY, digestIn(address(oracle), bytes.concat(head, a.content)));
        (b.r, b.vs) = vm.signCompact(SEAT_KEY, digestIn(address(oracle), bytes.concat(head, b.content)));
        return twoStatements(what, 0, 0, 0, a, b);
    }

    /// @dev Before the draw rho is zero, and so it is in what anybody signed under no draw at all.
    function test_statements_about_a_draw__before_the_draw__convict_nobody() public {
        sealEpoch(0, Trees.root(sealLeaves(commitments)), 2);
        bytes4 notDrawn = IFraudErrors.FraudProofs_NotDrawn.selector;
        refused(statements(IFraudProofs.Statement.Observations, OBSERVATIONS_TYPE, 1), notDrawn);
        refused(statements(IFraudProofs.Statement.EpochReport, REPORT_TYPE, 4), notDrawn);
        IFraudProofs.Observed memory o = observedBy(0, commitments, 0, 1);
        refused(falsePass(o, 0, Prover.round(work, 0), Prover.element(work, 0, 0, 0)), notDrawn);
        refused(falsePassChain(o, sealedAt(commitments, 0), chain(1)), notDrawn);
    }

    function test_statements_in_an_epoch_never_opened__convict_nobody() public {
        IFraudProofs.SignedContent memory none;
        refused(
            twoStatements(IFraudProofs.Statement.Seal, 7, 0, 0, none, none),
            IFraudErrors.FraudProofs_NotProvable.selector
        );
    }

    function test_false_pass__of_the_sampled_row_of_another_round__is_refused(uint32 q) public {
        settle(commitments);
        q = q % 4;
        (uint256 t, uint256 i) = sampleOf(deviceIds[0], q);
        uint256 other = (t + 1) % 3;
        IFraudProofs.Observed memory o = observedBy(0, commitments, 0, 1);
        refused(
            falsePass(o, q, Prover.round(work, other), Prover.element(work, other, i, 0)),
            IFraudErrors.FraudProofs_NotSampled.selector
        );
    }

    /// @dev A path of more levels than an index has bits would let it stand anywhere.
    function test_false_pass__with_a_path_beyond_any_tree__is_refused() public {
        settle(commitments);
        IFraudProofs.Observed memory o = observedBy(0, commitments, 0, 1);
        o.path = new bytes32[](33);
        (uint256 t, uint256 i) = sampleOf(deviceIds[0], 0);
        refused(
            falsePass(o, 0, Prover.round(work, t), Prover.element(work, t, i, 0)),
            IFraudErrors.FraudProofs_OutOfRange.selector
        );
        o.path = new bytes32[](32);
        refused(
            falsePass(o, 0, Prover.round(work, t), Prover.element(work, t, i, 0)),
            IFraudErrors.FraudProofs_BadPath.selector
        );
    }

    function test_false_pass_of_a_chain__sealed_with_another_result__is_refused() public {
        IFraudProofs.Commitment[] memory passed = new IFraudProofs.Commitment[](1);
        passed[0] = commitmentOf(deviceIds[0], keccak256("another result"));
        settle(commitments);
        IFraudProofs.Observed memory o = observedBy(0, passed, 0, 1);
        refused(
            falsePassChain(o, sealedAt(commitments, 0), chain(1)), IFraudErrors.FraudProofs_OtherResult.selector
        );
    }

    /// @dev Whatever round the chain breaks at, the seat that passed it is convicted.
    function test_a_chain_broken_at_any_round__and_passed__convicts_the_seat(uint256 at) public {
        at = at % 3;
        Prover.Work memory w = work;
        w.seeds[at] = keccak256("another");
        Prover.bind(w);
        commitments[0] = commitmentOf(deviceIds[0], w.resultRoot);
        settle(commitments);
        IFraudProofs.Round[] memory rounds = new IFraudProofs.Round[](at + 1);
        for (uint256 k = 0; k <= at; ++k) rounds[k] = Prover.round(w, k);
        convicted(falsePassChain(observedBy(1, commitments, 0, 1), sealedAt(commitments, 0), rounds));
        held(seatAccount(1), SEAT_STAKE, ACCUSER);
    }

    function test_bad_seal__before_anything_is_sealed__is_refused() public {
        refused(badSeal(0, sealedAt(commitments, 0)), IFraudErrors.FraudProofs_NotSealed.selector);
    }

    function test_unsealed_pass__in_an_epoch_never_opened__is_refused() public {
        IEpochOracle.DeviceLeaf memory leaf = passedLeaf(9, deviceIds[0]);
        refused(
            unsealedPass(leaf, new bytes32[](0), sealedAt(commitments, 0)),
            IFraudErrors.FraudProofs_NotProvable.selector
        );
    }

    function test_shrunk_reward__whose_later_report_is_no_longer_provable__is_refused() public {
        IFraudProofs.RewardLine memory a = IFraudProofs.RewardLine(0, 2, new bytes32[](0));
        IFraudProofs.RewardLine memory b = IFraudProofs.RewardLine(3, 1, new bytes32[](0));
        refused(shrunkReward(renter, a, b), IFraudErrors.FraudProofs_NotProvable.selector);
    }

    /// @dev An accusation of a report with this one line.
    function unsealedOf(IEpochOracle.DeviceLeaf memory leaf) internal returns (bytes memory) {
        sealEpoch(0, Trees.root(sealLeaves(commitments)), 2);
        rho = drawEpoch(0);
        IEpochOracle.Report memory r = plainReport(0);
        r.devicesRoot = leafHash(leaf);
        postReport(r);
        return unsealedPass(leaf, new bytes32[](0), sealedAt(commitments, 1));
    }

    function test_unsealed_pass__of_a_line_that_did_not_pass__convicts_nobody() public {
        IEpochOracle.DeviceLeaf memory leaf = passedLeaf(0, deviceIds[0]);
        (leaf.sealIndex, leaf.flags) = (1, 0xfffe);
        refused(unsealedOf(leaf), IFraudErrors.FraudProofs_NotPassed.selector);
    }

    function test_unsealed_pass__of_a_line_that_is_not_in_the_report__convicts_nobody() public {
        IEpochOracle.DeviceLeaf memory leaf = passedLeaf(0, deviceIds[0]);
        (leaf.sealIndex, leaf.flags) = (1, 0xfffe);
        unsealedOf(leaf);
        leaf.flags = 1;
        refused(
            unsealedPass(leaf, new bytes32[](0), sealedAt(commitments, 1)), IFraudErrors.FraudProofs_NotInReport.selector
        );
    }
}
