// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IFraudErrors} from "contracts/interfaces/IFraudErrors.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";

import {Accused} from "../base/Accused.sol";
import {Prover} from "../base/Prover.sol";
import {Trees} from "../base/Trees.sol";

/// @title The guilty, convicted once
contract GuiltyAreConvicted is Accused {
    IFraudProofs.Commitment[] internal commitments;
    Prover.Work internal work;

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        deviceIds.push(enrol(0, 1));
        deviceIds.push(enrol(1, 1));
        openEpoch(0);
        work = workOf(deviceIds[0]);
    }

    function deviceConvicted(IFraudErrors.Kind kind) internal view {
        isTrue(fraud.proven(kind, deviceIds[0], 0), "nullifier");
        eq(uint256(registry.device(deviceIds[0]).status), uint256(IDeviceRegistry.Status.Slashed), "off the market");
        eq(stake.account(provider).active, DEVICE_STAKE, "one device's stake");
        eq(stake.account(provider).reserved, DEVICE_STAKE, "the other's is still reserved");
        held(provider, DEVICE_STAKE, ACCUSER);
    }

    function again(bytes memory a) internal {
        (bool ok, bytes4 why) = accuse(a);
        isTrue(!ok, "one fault, one slash");
        eq(bytes32(why), bytes32(IFraudErrors.FraudProofs_AlreadyProven.selector), "why");
    }

    function test_an_element_off_by_one__is_convicted(uint256 t, uint256 i, uint256 j, bool up) public {
        (t, i, j) = (t % 3, i % 2, j % 64);
        Prover.Work memory w = work;
        Prover.spoil(w, t, i, j, up ? int256(1) : int256(-1));
        bytes memory a =
            wrongElement(commitmentOf(deviceIds[0], w.resultRoot), Prover.round(w, t), Prover.element(w, t, i, j), 0);
        convicted(a);
        deviceConvicted(IFraudErrors.Kind.WrongElement);
        again(a);
    }

    function test_garbage_of_every_size__is_convicted(int32 difference) public {
        vm.assume(difference != 0);
        Prover.Work memory w = work;
        int256 value = Prover.get(w.rows[0], 5);
        vm.assume(value + difference <= type(int32).max && value + difference >= type(int32).min);
        Prover.spoil(w, 0, 0, 5, difference);
        convicted(
            wrongElement(commitmentOf(deviceIds[0], w.resultRoot), Prover.round(w, 0), Prover.element(w, 0, 0, 5), 0)
        );
        deviceConvicted(IFraudErrors.Kind.WrongElement);
    }

    /// @dev Yesterday's proof, work begun before the nonces, seeds of the prover's choice: s_0 is another's.
    function test_work_under_a_seed_of_the_provers_choice__is_convicted() public {
        Prover.Work memory w = Prover.prove(oracle.epochSeed(0), keccak256("my own seed"));
        IFraudProofs.Round[] memory rounds = new IFraudProofs.Round[](1);
        rounds[0] = Prover.round(w, 0);
        bytes memory a = brokenChain(commitmentOf(deviceIds[0], w.resultRoot), rounds, 0);
        convicted(a);
        deviceConvicted(IFraudErrors.Kind.BrokenChain);
        again(a);
    }

    function test_a_chain_broken_at_any_round__is_convicted(uint256 at) public {
        at = 1 + at % 2;
        Prover.Work memory w = work;
        w.seeds[at] = keccak256("another");
        Prover.bind(w);
        IFraudProofs.Round[] memory rounds = new IFraudProofs.Round[](at + 1);
        for (uint256 k = 0; k <= at; ++k) rounds[k] = Prover.round(w, k);
        convicted(brokenChain(commitmentOf(deviceIds[0], w.resultRoot), rounds, 0));
        deviceConvicted(IFraudErrors.Kind.BrokenChain);
    }

    function test_two_commitments__are_convicted() public {
        bytes memory a = twoCommitments(
            commitmentOf(deviceIds[0], work.resultRoot), commitmentOf(deviceIds[0], keccak256("second")), 0
        );
        convicted(a);
        deviceConvicted(IFraudErrors.Kind.TwoCommitments);
        again(a);
    }

    function seatConvicted(uint256 i, IFraudErrors.Kind kind) internal view {
        isTrue(fraud.proven(kind, bytes32(uint256(uint160(seatAccount(i)))), 0), "nullifier");
        eq(stake.account(seatAccount(i)).active, 0, "all of the seat's stake");
        eq(stake.account(seatAccount(i)).reserved, 0, "nothing reserved");
        held(seatAccount(i), SEAT_STAKE, ACCUSER);
        address[] memory planned = seats.plannedSeats();
        for (uint256 k = 0; k < planned.length; ++k) isTrue(planned[k] != seatAccount(i), "out of the sets to come");
    }

    function test_two_seals_observations_or_reports__are_convicted(uint256 what) public {
        commitments.push(commitmentOf(deviceIds[0], work.resultRoot));
        settle(commitments);
        what = what % 3;
        IFraudProofs.SignedContent memory a;
        IFraudProofs.SignedContent memory b;
        (bytes memory first, bytes memory second) = what == 0
            ? (abi.encode(keccak256("a"), 2), abi.encode(keccak256("a"), type(uint32).max))
            : what == 1
                ? (abi.encode(keccak256("a")), abi.encode(keccak256("b")))
                : (abi.encode(1, 2, 3, 4), abi.encode(1, 2, 3, 5));
        uint32 setId = oracle.epochState(0).setId;
        bytes memory head = what == 0
            ? abi.encode(SEAL_TYPE, 0, setId, 0, oracle.epochSeed(0))
            : what == 1 ? abi.encode(OBSERVATIONS_TYPE, 0, setId, rho) : abi.encode(REPORT_TYPE, 0, setId, 0, rho);
        a.content = first;
        (a.r, a.vs) = vm.signCompact(SEAT_KEY + 2, digestIn(address(oracle), bytes.concat(head, first)));
        b.content = second;
        (b.r, b.vs) = vm.signCompact(SEAT_KEY + 2, digestIn(address(oracle), bytes.concat(head, second)));
        bytes memory proof = twoStatements(IFraudProofs.Statement(what), 0, 0, 2, a, b);
        convicted(proof);
        seatConvicted(2, IFraudErrors.Kind.TwoStatements);
        again(proof);
    }

    function test_a_device_of_garbage_passed__convicts_the_seat_that_passed_it() public {
        Prover.Work memory w = work;
        for (uint256 t = 0; t < 3; ++t) {
            for (uint256 i = 0; i < 2; ++i) Prover.spoil(w, t, i, 3, 1);
        }
        commitments.push(commitmentOf(deviceIds[0], w.resultRoot));
        settle(commitments);
        (uint256 at, uint256 row) = sampleOf(deviceIds[0], 1);
        bytes memory a =
            falsePass(observedBy(3, commitments, 0, 1), 1, Prover.round(w, at), Prover.element(w, at, row, 3));
        convicted(a);
        seatConvicted(3, IFraudErrors.Kind.FalsePass);
        again(a);
        eq(stake.account(provider).active, 2 * DEVICE_STAKE, "the device answers for itself, apart");
    }

    function test_a_broken_chain_passed__convicts_the_seat_that_passed_it() public {
        Prover.Work memory w = Prover.prove(oracle.epochSeed(0), keccak256("my own seed"));
        commitments.push(commitmentOf(deviceIds[0], w.resultRoot));
        settle(commitments);
        IFraudProofs.Round[] memory rounds = new IFraudProofs.Round[](1);
        rounds[0] = Prover.round(w, 0);
        convicted(falsePassChain(observedBy(1, commitments, 0, 1), sealedAt(commitments, 0), rounds));
        seatConvicted(1, IFraudErrors.Kind.FalsePass);
    }

    function quorumConvicted(IFraudErrors.Kind kind) internal {
        quorumConvicted(kind, 0);
    }

    function quorumConvicted(IFraudErrors.Kind kind, uint64 e) internal {
        for (uint32 i = 0; i < 3; ++i) {
            fraud.slashSigner(kind, e, i);
            eq(stake.account(seatAccount(i)).active, 0, "a signer");
            held(seatAccount(i), SEAT_STAKE, ACCUSER);
        }
        vm.expectPartialRevert(IFraudErrors.FraudProofs_NotSigner.selector);
        fraud.slashSigner(kind, e, 3);
        vm.expectPartialRevert(IFraudErrors.FraudProofs_NotSigner.selector);
        fraud.slashSigner(kind, e, 32);
        vm.expectPartialRevert(IFraudErrors.FraudProofs_AlreadyProven.selector);
        fraud.slashSigner(kind, e, 0);
        eq(stake.account(seatAccount(3)).active, SEAT_STAKE, "who did not sign keeps his stake");
    }

    function test_a_sealed_leaf_that_no_device_signed__convicts_its_signers() public {
        commitments.push(commitmentOf(deviceIds[0], work.resultRoot));
        commitments.push(commitmentOf(deviceIds[1], keccak256("x")));
        (commitments[1].r, commitments[1].vs) = (keccak256("r"), keccak256("vs") >> 1);
        settle(commitments);
        bytes memory a = badSeal(0, sealedAt(commitments, 1));
        convicted(a);
        quorumConvicted(IFraudErrors.Kind.BadSeal);
        again(a);
    }

    function test_a_sealed_device_that_does_not_exist__convicts_its_signers() public {
        commitments.push(commitmentOf(deviceIds[0], work.resultRoot));
        commitments[0].deviceId = keccak256("nobody");
        (commitments[0].r, commitments[0].vs) = (0, 0);
        settle(commitments);
        convicted(badSeal(0, sealedAt(commitments, 0)));
        quorumConvicted(IFraudErrors.Kind.BadSeal);
    }

    function unsealed(uint32 sealIndex, bytes32 resultRoot) internal returns (bytes memory) {
        commitments.push(commitmentOf(deviceIds[0], work.resultRoot));
        commitments.push(commitmentOf(deviceIds[1], keccak256("second")));
        sealEpoch(0, Trees.root(sealLeaves(commitments)), 2);
        rho = drawEpoch(0);
        IEpochOracle.DeviceLeaf memory leaf = passedLeaf(0, deviceIds[0]);
        (leaf.sealIndex, leaf.resultRoot) = (sealIndex, resultRoot);
        IEpochOracle.Report memory r = plainReport(0);
        r.devicesRoot = leafHash(leaf);
        postReport(r);
        return unsealedPass(leaf, new bytes32[](0), sealedAt(commitments, sealIndex < 2 ? sealIndex : 0));
    }

    function test_a_pass_of_another_device_in_the_seal__convicts_its_signers() public {
        convicted(unsealed(1, work.resultRoot));
        quorumConvicted(IFraudErrors.Kind.UnsealedPass);
    }

    function test_a_pass_of_another_result__convicts_its_signers() public {
        convicted(unsealed(0, keccak256("another")));
        quorumConvicted(IFraudErrors.Kind.UnsealedPass);
    }

    function test_a_pass_beyond_the_seal__convicts_its_signers() public {
        convicted(unsealed(2, work.resultRoot));
        quorumConvicted(IFraudErrors.Kind.UnsealedPass);
    }

    /// @dev The renter's line falls by one unit from epoch 0 to epoch 1.
    function fallen() internal returns (bytes memory) {
        commitments.push(commitmentOf(deviceIds[0], work.resultRoot));
        sealEpoch(0, Trees.root(sealLeaves(commitments)), 1);
        drawEpoch(0);
        IEpochOracle.Report memory r = plainReport(0);
        (r.rewardsRoot, r.rewardsTotal) = (Trees.standardLeaf(abi.encode(renter, uint256(1e18))), 1e18);
        postReport(r);
        openEpoch(1);
        sealEpoch(1, 0, 0);
        drawEpoch(1);
        r = plainReport(1);
        r.rewardsRoot = Trees.standardLeaf(abi.encode(renter, uint256(1e18 - 1)));
        postReport(r);
        return shrunkReward(
            renter,
            IFraudProofs.RewardLine(0, 1e18, new bytes32[](0)),
            IFraudProofs.RewardLine(1, 1e18 - 1, new bytes32[](0))
        );
    }

    /// @dev A guardian who vetoes what they signed saves nobody.
    function test_a_veto_of_the_later_report__clears_none_of_its_signers() public {
        bytes memory a = fallen();
        vm.prank(GUARDIAN);
        rewards.veto(1);
        convicted(a);
        quorumConvicted(IFraudErrors.Kind.ShrunkReward, 1);
    }

    function test_rewards_moved_from_one_account_to_another__convict_the_later_signers() public {
        bytes memory a = fallen();
        convicted(a);
        fraud.slashSigner(IFraudErrors.Kind.ShrunkReward, 1, 0);
        eq(stake.account(seatAccount(0)).active, 0, "a signer");
        again(a);
    }
}
