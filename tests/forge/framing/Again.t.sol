// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IFraudErrors} from "contracts/interfaces/IFraudErrors.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";

import {Accused} from "../base/Accused.sol";
import {Prover} from "../base/Prover.sol";

/// @title One fault counts once; a new profile is no new fault
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
            if (j != 0) eq(bytes32(why), bytes32(IFraudErrors.FraudProofs_AlreadyProven.selector), "why");
            eq(stake.account(provider).active, DEVICE_STAKE, "one device's stake, once");
        }
        // Another epoch is another fault.
        isTrue(!fraud.proven(IFraudErrors.Kind.WrongElement, deviceIds[0], 1), "of epoch 0");
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
            IFraudErrors.FraudProofs_ElementCorrect.selector
        );
        c.jobHash = registry.jobHash(id, seed);
        sign(c);
        refused(
            wrongElement(c, Prover.round(work, 1), Prover.element(work, 1, 1, 7), 0),
            IFraudErrors.FraudProofs_JobMismatch.selector
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
            IFraudErrors.FraudProofs_UnknownDevice.selector
        );
    }
}
