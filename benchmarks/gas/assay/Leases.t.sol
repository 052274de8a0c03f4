// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IFormerEscrow} from "contracts/interfaces/IFormerEscrow.sol";

import {Market} from "../../../tests/forge/base/Market.sol";
import {Measured} from "../Measured.sol";

/// @title Gas of a lease, in a token that both sides hold, with proofs of depth 20
contract LeaseGas is Market, Measured {
    uint128 internal constant RATE = 1_000e18;
    uint256 internal constant DEPTH = 20;
    bytes32 internal device;

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        device = enrol(0, 1);
        approveBoth(usd, 1e15);
        report(0, passedLeaf(0, device));
    }

    /// @dev A report in which the leaf stands among 2^20: every sibling of its path is some hash.
    function report(uint64 epoch, IEpochOracle.DeviceLeaf memory leaf) internal {
        openEpoch(epoch);
        sealEpoch(epoch, 0, 0);
        drawEpoch(epoch);
        vm.warp(startOf(epoch) + 990);
        IEpochOracle.Report memory r = plainReport(epoch);
        r.devicesRoot = leafHash(leaf);
        bytes32[] memory proof = siblings();
        for (uint256 d = 0; d < DEPTH; ++d) {
            (bytes32 a, bytes32 b) = (r.devicesRoot, proof[d]);
            r.devicesRoot = a < b ? keccak256(abi.encodePacked(a, b)) : keccak256(abi.encodePacked(b, a));
        }
        postReport(r);
    }

    function siblings() internal pure returns (bytes32[] memory proof) {
        proof = new bytes32[](DEPTH);
        for (uint256 d = 0; d < DEPTH; ++d) proof[d] = keccak256(abi.encode("sibling", d));
    }

    function open(uint128 deposit, string memory what) internal returns (uint256 id) {
        IFormerEscrow.Offer memory offer = offerOf(device, address(usd), RATE);
        bytes memory signature = signOffer(offer);
        vm.prank(renter);
        id = escrow.open(offer, signature, deposit, passedLeaf(0, device), siblings(), 100);
        if (bytes(what).length != 0) note("Assay", what);
    }

    function test_gas_of_a_lease() public {
        uint256 id = open(10_000_000, "open, first use");
        open(10_000_000, "open");
        uint40 until = uint40(block.timestamp) + 100;
        bytes memory signature = startSignature(id, until);
        vm.warp(startOf(1));
        signature = startSignature(id, until);
        vm.prank(provider);
        escrow.start(id, keccak256("handover"), until, signature);
        note("Assay", "start, with bond");
        vm.warp(block.timestamp + 100);
        vm.prank(renter);
        escrow.topUp(id, 1_000_000);
        note("Assay", "topUp");
        report(1, leasedLeaf(1, device, 9_000));
        vm.warp(startOf(2));
        escrow.refundDowntime(id, leasedLeaf(1, device, 9_000), siblings());
        note("Assay", "refundDowntime");
        vm.warp(startOf(1) + HOLDBACK + 3_000);
        vm.prank(provider);
        escrow.claim(id, provider);
        note("Assay", "claim, first");
        vm.warp(block.timestamp + 500);
        vm.prank(provider);
        escrow.claim(id, provider);
        note("Assay", "claim");
        vm.prank(renter);
        escrow.end(id);
        note("Assay", "end");
        vm.prank(renter);
        escrow.refund(id, renter);
        note("Assay", "refund");
        vm.warp(block.timestamp + HOLDBACK);
        vm.prank(provider);
        escrow.returnBond(id, provider);
        note("Assay", "returnBond");
    }

    function test_gas_of_a_cancelled_lease() public {
        uint256 id = open(10_000_000, "");
        vm.prank(renter);
        escrow.cancel(id);
        note("Assay", "cancel");
    }
}
