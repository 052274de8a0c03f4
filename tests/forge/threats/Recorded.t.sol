// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";
import {IFormerEscrow} from "contracts/interfaces/IFormerEscrow.sol";

import {Accused} from "../base/Accused.sol";
import {Prover} from "../base/Prover.sol";
import {Trees} from "../base/Trees.sol";
import {Vm} from "../base/Vm.sol";

/// @title What the contracts say of themselves is what was done: every field, to the second
contract RecordedState is Accused {
    IFraudProofs.Commitment[] internal commitments;
    Prover.Work internal work;

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        deviceIds.push(enrol(0, 1));
        deviceIds.push(enrol(1, 1));
        approveBoth(usd, 1e30);
    }

    function test_before_genesis__it_is_epoch_0_and_nothing_is_known() public {
        vm.warp(genesis - 1);
        eq(oracle.currentEpoch(), 0, "before");
        vm.warp(genesis + EPOCH - 1);
        eq(oracle.currentEpoch(), 0, "last second of 0");
        vm.warp(genesis + EPOCH);
        eq(oracle.currentEpoch(), 1, "first second of 1");
        eq(oracle.epochSeed(0), bytes32(0), "no seed");
        (bytes32 root, uint32 count, uint32 signers, bytes32 drawn) = oracle.sealOf(0);
        eq(uint256(root) + count + signers + uint256(drawn), 0, "no seal");
        (uint32 setId, uint32 sealed_, uint32 reported_) = oracle.presence(0);
        eq(uint256(setId) + sealed_ + reported_, 0, "nobody");
        eq(uint256(oracle.epochState(0).phase), 0, "no phase");
    }

    /// @dev Blocks of one second, and more than one of them in it: an epoch may pass within a second.
    function test_an_epoch_within_one_second__is_as_good_as_another() public {
        vm.warp(startOf(0));
        vm.roll(block.number + 1);
        oracle.openEpoch(0);
        oracle.seal(0, 0, keccak256("s"), 7, quorumOver(sealDigest(0, 0, keccak256("s"), 7), 3));
        (bytes32 root, uint32 count, uint32 signers, bytes32 drawn) = oracle.sealOf(0);
        eq(root, keccak256("s"), "root");
        eq(count, 7, "count");
        eq(signers, 7, "three signers");
        eq(drawn, bytes32(0), "not drawn");
        vm.roll(block.number + DRAW_DELAY + 1);
        rho = oracle.draw(0);
        (,,, drawn) = oracle.sealOf(0);
        eq(drawn, rho, "drawn");
        (bytes32 none, uint256 nothing, uint40 never, bool vetoed) = oracle.rewardsOf(0);
        eq(uint256(none) + nothing + never, 0, "not reported");
        isTrue(!vetoed, "nothing to veto");
        IEpochOracle.Report memory r = plainReport(0);
        r.rewardsTotal = 5e18;
        r.round = 3;
        postReport(r);
        IEpochOracle.EpochState memory s = oracle.epochState(0);
        eq(uint256(s.phase), uint256(IEpochOracle.Phase.Reported), "phase");
        eq(s.openedAt, block.timestamp, "opened");
        eq(s.reportedAt, block.timestamp, "reported");
        eq(s.sealBlock, block.number - DRAW_DELAY - 1, "seal block");
        eq(s.sealCount, 7, "count");
        eq(s.sealSigners, 7, "sealed by");
        eq(s.reportSigners, 7, "reported by");
        eq(s.rewardsTotal, 5e18, "total");
        eq(s.rewardsRoot, keccak256("rewards"), "rewards");
        eq(s.devicesRoot, keccak256("devices"), "devices");
        eq(s.dataHash, keccak256("data"), "data");
        eq(s.sealRoot, keccak256("s"), "seal");
        eq(s.rho, rho, "rho");
        (bytes32 rewardsRoot, uint256 total, uint40 at,) = oracle.rewardsOf(0);
        eq(rewardsRoot, keccak256("rewards"), "rewards");
        eq(total, 5e18, "total");
        eq(at, block.timestamp, "at");
        (, uint32 sealedBy, uint32 reportedBy) = oracle.presence(0);
        eq(sealedBy, 7, "sealed by");
        eq(reportedBy, 7, "reported by");
        // Late signatures are over all that was accepted: the total and the round as well.
        oracle.addSignatures(0, true, 3, quorumOf(reportDigest(r), 8));
        (,, reportedBy) = oracle.presence(0);
        eq(reportedBy, 15, "and the fourth");
    }

    function test_a_lease__says_all_of_itself() public {
        runEpoch(0, noLeaves(), one(passedLeaf(0, deviceIds[0])), 700);
        IFormerEscrow.Offer memory offer = offerOf(deviceIds[0], address(usd), 3e18);
        offer.maxDuration = 5_000;
        uint256 id = openLease(offer, 0, 9_000);
        IFormerEscrow.Lease memory l = escrow.lease(id);
        eq(l.renter, renter, "renter");
        eq(l.provider, provider, "provider");
        eq(l.token, address(usd), "token");
        eq(l.deviceId, deviceIds[0], "device");
        eq(l.openedAt, block.timestamp, "opened");
        eq(l.minDuration, 600, "least");
        eq(l.maxDuration, 5_000, "most");
        eq(l.feeBps, 200, "fee");
        eq(l.rate, 3e18, "rate");
        eq(escrow.bondFor(id), 1_800, "bond to come");
        vm.warp(block.timestamp + 60);
        startLease(id);
        uint256 begun = block.timestamp;
        l = escrow.lease(id);
        eq(l.start, begun, "start");
        eq(l.stop, begun + 3_000, "stop");
        eq(l.bond, 1_800, "bond");
        eq(escrow.activeLease(deviceIds[0]), id, "live");
        vm.warp(begun + 2_999);
        eq(escrow.streamed(id), 8_997, "streamed");
        eq(escrow.activeLease(deviceIds[0]), id, "live to the last second");
        vm.warp(begun + 3_000);
        eq(escrow.activeLease(deviceIds[0]), 0, "over");
        eq(escrow.claimable(id), 0, "held back");
        vm.warp(begun + 3_000 + HOLDBACK - 1);
        eq(escrow.claimable(id), 8_997, "all but the last second");
        eq(escrow.bondReturnable(id), 0, "held");
        vm.warp(begun + 3_000 + HOLDBACK);
        eq(escrow.claimable(id), 9_000, "all");
        eq(escrow.bondReturnable(id), 1_800, "free");
    }

    /// @dev An offer's digest is taken over calldata as it stands: bits outside of a field's type must be refused.
    function test_an_offer_with_dirty_bits__is_refused() public {
        runEpoch(0, noLeaves(), one(passedLeaf(0, deviceIds[0])), 700);
        IFormerEscrow.Offer memory offer = offerOf(deviceIds[0], address(usd), 3e18);
        bytes memory call = abi.encodeCall(
            IFormerEscrow.open,
            (offer, signOffer(offer), 9_000, passedLeaf(0, deviceIds[0]), new bytes32[](0), 0)
        );
        uint8[8] memory fields = [0, 2, 3, 4, 5, 6, 7, 8]; // all but deviceId, which fills its word
        for (uint256 i = 0; i < fields.length; ++i) {
            bytes memory dirty = bytes.concat(call);
            dirty[4 + 32 * uint256(fields[i])] = 0x01;
            vm.prank(renter);
            (bool ok,) = address(escrow).call(dirty);
            isTrue(!ok, "dirty bits");
        }
        vm.prank(renter);
        (bool good,) = address(escrow).call(call);
        isTrue(good, "and none");
    }

    function test_a_bond_forfeited__is_announced_once() public {
        runEpoch(0, noLeaves(), one(passedLeaf(0, deviceIds[0])), 610);
        uint256 id = openLease(offerOf(deviceIds[0], address(usd), 3e18), 0, 30_000);
        startLease(id);
        vm.recordLogs();
        for (uint64 e = 1; e < 4; ++e) {
            runEpoch(e, noLeaves(), one(leasedLeaf(e, deviceIds[0], 0)), 700);
            vm.warp(startOf(e + 1));
            downtime(id, leasedLeaf(e, deviceIds[0], 0));
        }
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 announced;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == IFormerEscrow.BondForfeited.selector) ++announced;
        }
        eq(announced, 1, "once");
        IFormerEscrow.Lease memory l = escrow.lease(id);
        eq(l.forfeited, l.bond, "all of it");
        eq(l.downtime, 3 * EPOCH, "down");
        eq(l.nextEpoch, 4, "next");
        eq(l.downtimeRefund, 9_000, "refund");
    }

    function test_collected_fees_and_surplus__go_to_somebody() public {
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_ZeroReceiver.selector);
        escrow.collectFees(address(usd), address(0));
        usd.mint(address(escrow), 5);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_ZeroReceiver.selector);
        escrow.recoverSurplus(address(usd), address(0));
        eq(escrow.recoverSurplus(address(usd), renter), 5, "surplus");
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_NoSurplus.selector);
        escrow.recoverSurplus(address(usd), renter);
    }

    function test_a_line_that_did_not_pass_or_is_not_in_the_report__convicts_nobody() public {
        openEpoch(0);
        commitments.push(commitmentOf(deviceIds[0], keccak256("first")));
        commitments.push(commitmentOf(deviceIds[1], keccak256("second")));
        sealEpoch(0, Trees.root(sealLeaves(commitments)), 2);
        rho = drawEpoch(0);
        IEpochOracle.DeviceLeaf memory failed = passedLeaf(0, deviceIds[0]);
        (failed.sealIndex, failed.flags) = (1, 4);
        IEpochOracle.Report memory r = plainReport(0);
        r.devicesRoot = leafHash(failed);
        postReport(r);
        refused(
            unsealedPass(failed, new bytes32[](0), sealedAt(commitments, 1)),
            IFraudProofs.FraudProofs_NotPassed.selector
        );
        failed.flags = 1;
        refused(
            unsealedPass(failed, new bytes32[](0), sealedAt(commitments, 1)),
            IFraudProofs.FraudProofs_NotInReport.selector
        );
    }
}
