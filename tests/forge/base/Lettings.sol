// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";

import {Market} from "./Market.sol";

/// @title One device and a node of three, measured in epoch 0, and leases of them in a token that both sides hold
abstract contract Lettings is Market {
    uint128 internal constant RATE = 1_000e18; // 1,000 base units a second
    uint96 internal constant DEPOSIT = 10_000_000; // 10,000 seconds of it
    bytes32 internal device;
    bytes32[] internal node;

    function setUp() public virtual {
        deployNetwork();
        joinSeats(4);
        device = enrol(0, 1);
        node = enrolNode(1, 3);
        approveBoth(usd, 1e15);
        measureAll(0);
        vm.warp(startOf(1));
    }

    function all() internal view returns (bytes32[] memory ids) {
        ids = new bytes32[](4);
        for (uint256 i = 0; i < 3; ++i) ids[i] = node[i];
        ids[3] = device;
    }

    /// @dev An epoch in which every device passes.
    function measureAll(uint64 epoch) internal {
        measure(epoch, passedLeaves(epoch, all()), 700);
    }

    function plainOffer() internal view returns (ILeaseEscrow.Offer memory) {
        return offerOf(device, address(usd), RATE);
    }

    function nodeOffer() internal view returns (ILeaseEscrow.Offer memory) {
        return offerOf(node, address(usd), RATE);
    }

    function pending() internal returns (uint256 id) {
        return openLease(plainOffer(), 0, DEPOSIT);
    }

    /// @dev A lease of the one device that starts now.
    function live(uint40 minDuration, uint40 seconds_) internal returns (uint256 id) {
        ILeaseEscrow.Offer memory offer = plainOffer();
        offer.minDuration = minDuration;
        return live(offer, costOf(RATE, seconds_));
    }

    function live(ILeaseEscrow.Offer memory offer, uint96 deposit) internal returns (uint256 id) {
        id = openLease(offer, 0, deposit);
        startLease(id);
    }

    /// @dev An offer with notice, live for ten times its minimum of a thousand seconds.
    function noticed(uint32 notice) internal returns (uint256 id) {
        ILeaseEscrow.Offer memory offer = plainOffer();
        (offer.minDuration, offer.notice) = (1_000, notice);
        return live(offer, DEPOSIT);
    }

    /// @dev The renter leaves now, and is bound to the minimum.
    function leaveEarly(uint256 id) internal {
        vm.prank(renter);
        escrow.end(id);
    }

    function statusIs(uint256 id, ILeaseEscrow.Status status, string memory what) internal view {
        eq(uint256(escrow.lease(id).status), uint256(status), what);
    }

    /// @dev Opens by the renter, whatever else is wrong with it.
    function tryOpen(ILeaseEscrow.Offer memory offer, uint96 deposit) internal {
        IEpochOracle.DeviceLeaf[] memory leaves = passedLeaves(0, offer.deviceIds);
        tryOpen(offer, signOffer(offer), deposit, leaves, proofsOf(leaves));
    }

    function tryOpen(
        ILeaseEscrow.Offer memory offer,
        bytes memory signature,
        uint96 deposit,
        IEpochOracle.DeviceLeaf[] memory leaves,
        bytes32[][] memory proofs
    ) internal {
        vm.prank(renter);
        escrow.open(offer, signature, deposit, leaves, proofs, 0, 0);
    }
}
