// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";

import {Accused} from "../base/Accused.sol";
import {Prover} from "../base/Prover.sol";
import {Trees} from "../base/Trees.sol";

/// @title One fault counts once; a new profile is no new fault; rows of any width can be shown
contract FaultsCountOnce is Accused {
    Prover.Work internal work;
    IFraudProofs.Commitment[] internal commitments;

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        deviceIds.push(enrol(0, 1));
        deviceIds.push(enrol(1, 1));
        openEpoch(0);
        work = workOf(deviceIds[0]);
    }

    function test_one_fault_slashed_again_and_again__is_slashed_once() public {
        Prover.Work memory w = work;
        for (uint256 j = 0; j < 4; ++j) Prover.spoil(w, 0, 0, j, 1);
        IFraudProofs.Commitment memory c = commitmentOf(deviceIds[0], w.resultRoot);
        for (uint256 j = 0; j < 4; ++j) {
            bytes memory a = wrongElement(c, Prover.round(w, 0), Prover.element(w, 0, 0, j), bytes32(j));
            (bool ok, bytes4 why) = accuse(a);
            isTrue(ok == (j == 0), "the first only");
            if (j != 0) eq(bytes32(why), bytes32(IFraudProofs.FraudProofs_AlreadyProven.selector), "why");
            eq(stake.account(provider).active, DEVICE_STAKE, "one device's stake, once");
        }
        // Another epoch is another fault.
        isTrue(!fraud.proven(IFraudProofs.Kind.WrongElement, deviceIds[0], 1), "of epoch 0");
    }

    function test_a_profile_that_changed__is_another_job_and_convicts_nobody() public {
        bytes32 seed = oracle.epochSeed(0);
        IDeviceRegistry.Profile memory p = registry.profile(1);
        p.K = 128;
        uint32 id = registry.addProfile(p);
        eq(id, 4, "a new id");
        eq(registry.profile(1).K, 64, "what there was stays");
        IFraudProofs.Commitment memory c = commitmentOf(deviceIds[0], work.resultRoot);
        refused(
            wrongElement(c, Prover.round(work, 1), Prover.element(work, 1, 1, 7), 0),
            IFraudProofs.FraudProofs_ElementCorrect.selector
        );
        c.jobHash = registry.jobHash(id, seed);
        sign(c);
        refused(
            wrongElement(c, Prover.round(work, 1), Prover.element(work, 1, 1, 7), 0),
            IFraudProofs.FraudProofs_JobMismatch.selector
        );
        vm.expectPartialRevert(IDeviceRegistry.DeviceRegistry_UnknownProfile.selector);
        registry.jobHash(5, seed);
        vm.expectPartialRevert(IDeviceRegistry.DeviceRegistry_UnknownProfile.selector);
        registry.jobHash(0, seed);
        (IDeviceRegistry.Profile memory none, uint32 profileId, address owner, address key, bytes32 job) =
            registry.jobOf(keccak256("nobody"), seed);
        eq(uint256(none.M) + profileId + uint160(owner) + uint160(key) + uint256(job), 0, "nothing of nobody");
    }

    function test_a_pass_of_a_device_that_does_not_exist__says_so() public {
        commitments.push(commitmentOf(deviceIds[0], work.resultRoot));
        settle(commitments);
        commitments[0].deviceId = keccak256("nobody");
        refused(
            falsePass(observedBy(3, commitments, 0, 1), 0, Prover.round(work, 0), Prover.element(work, 0, 0, 0)),
            IFraudProofs.FraudProofs_UnknownDevice.selector
        );
    }

    /// @dev What a row says is not looked at, only that it stands under the round's root: any bytes will do.
    function wide(uint32 n) internal {
        IDeviceRegistry.Profile memory p = registry.profile(1);
        p.N = n;
        uint32 id = registry.addProfile(p);
        bytes32 device = enrol(7, id);
        bytes[] memory rows = new bytes[](2);
        bytes32[] memory rowRoots = new bytes32[](2);
        for (uint256 i = 0; i < 2; ++i) {
            bytes32[] memory chunks = new bytes32[](n / 32);
            for (uint256 c = 0; c < chunks.length; ++c) {
                bytes memory chunk = filled(128, i * 100 + c);
                chunks[c] = keccak256(chunk);
                rows[i] = bytes.concat(rows[i], chunk);
            }
            rowRoots[i] = Trees.root(chunks);
        }
        bytes32[] memory roundLeaves = new bytes32[](3);
        bytes32 roundRoot = Trees.root(rowRoots);
        for (uint256 t = 0; t < 3; ++t) {
            roundLeaves[t] = keccak256(abi.encodePacked(t, bytes32(t), roundRoot));
        }
        deviceIds[0] = device;
        IFraudProofs.Commitment memory c_ = commitmentOf(device, Trees.root(roundLeaves));
        c_.jobHash = registry.jobHash(id, oracle.epochSeed(0));
        (c_.r, c_.vs) = vm.signCompact(
            DEVICE_KEY + 7,
            digestIn(
                address(oracle),
                abi.encode(COMMITMENT_TYPE, c_.epoch, c_.jobHash, c_.deviceId, c_.nonceRoot, c_.resultRoot)
            )
        );
        commitments.push(c_);
        sealEpoch(0, Trees.root(sealLeaves(commitments)), 1);
        rho = drawEpoch(0);
        token.transfer(ACCUSER, DEMAND_BOND);
        IFraudProofs.Sealed memory s = sealedAt(commitments, 0);
        vm.startPrank(ACCUSER);
        token.approve(address(fraud), DEMAND_BOND);
        uint256 demand = fraud.demand(0, s, true, 3);
        vm.stopPrank();
        (uint256 t_, uint256 i_) = sampleOf(device, 3);
        IFraudProofs.Round memory r =
            IFraudProofs.Round(uint32(t_), bytes32(t_), roundRoot, Trees.path(roundLeaves, t_));
        bytes memory wrong = bytes.concat(rows[i_]);
        wrong[wrong.length - 1] ^= 0x01;
        vm.expectPartialRevert(IFraudProofs.FraudProofs_BadPath.selector);
        fraud.answerRow(demand, r, wrong, Trees.path(rowRoots, i_));
        fraud.answerRow(demand, r, rows[i_], Trees.path(rowRoots, i_));
        eq(fraud.bondOf(address(this)), DEMAND_BOND, "answered");
    }

    function filled(uint256 length, uint256 with_) internal pure returns (bytes memory chunk) {
        chunk = new bytes(length);
        for (uint256 i = 0; i < length; ++i) chunk[i] = bytes1(uint8(with_ + i));
    }

    function test_a_row_of_one_chunk__is_answered() public {
        wide(32);
    }

    function test_a_row_of_four_chunks__is_answered() public {
        wide(128);
    }

    function test_a_row_of_eight_chunks__is_answered() public {
        wide(256);
    }
}
