// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";

import {Market} from "../base/Market.sol";

/// @title Threats on the escrow
contract EscrowThreats is Market {
    uint128 internal constant RATE = 1_000e18; // 1,000 base units a second
    bytes32 internal device;

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        device = enrol(0, 1);
        approveBoth(usd, 1e15);
        runEpoch(0, noLeaves(), one(passedLeaf(0, device)), 700);
    }

    function live(uint40 minDuration, uint40 seconds_) internal returns (uint256 id) {
        ILeaseEscrow.Offer memory offer = offerOf(device, address(usd), RATE);
        offer.minDuration = minDuration;
        id = openLease(offer, 0, costOf(RATE, seconds_));
        startLease(id);
    }

    function test_refund_of_an_epoch_that_is_not_over__reverts() public {
        vm.warp(startOf(1));
        uint256 id = live(0, 10_000);
        runEpoch(1, noLeaves(), one(leasedLeaf(1, device, 0)), 700);
        vm.expectPartialRevert(ILeaseEscrow.LeaseEscrow_EpochOutsideLease.selector);
        downtime(id, leasedLeaf(1, device, 0));
    }
}
