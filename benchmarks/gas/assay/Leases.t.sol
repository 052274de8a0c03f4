// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";
import {OperatorScopes} from "contracts/libraries/OperatorScopes.sol";

import {Market} from "../../../tests/forge/base/Market.sol";
import {Trees} from "../../../tests/forge/base/Trees.sol";
import {Measured} from "../Measured.sol";

/// @title Gas of a lease, in a token that both sides hold, with proofs of depth 20
contract LeaseGas is Market, Measured {
    uint128 internal constant RATE = 1_000e18;
    uint256 internal constant DEPTH = 20;
    uint96 internal constant DEPOSIT = 10_000_000;
    bytes32 internal device;
    bytes32[] internal node;

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        device = enrol(0, 1);
        node = enrolNode(1, 8);
        approveBoth(usd, 1e15);
        bytes32[] memory leaves = new bytes32[](16);
        for (uint256 i = 0; i < 8; ++i) leaves[i] = leafHash(passedLeaf(0, node[i]));
        leaves[8] = leafHash(passedLeaf(0, device));
        report(0, leaves);
    }

    /// @dev A report whose tree is 2^20 wide: 2^4 lines stand in one corner of it, all else is some hash.
    function report(uint64 epoch, bytes32[] memory leaves) internal {
        openEpoch(epoch);
        sealEpoch(epoch, 0, 0);
        drawEpoch(epoch);
        vm.warp(startOf(epoch) + 990);
        IEpochOracle.Report memory r = plainReport(epoch);
        r.devicesRoot = Trees.sortedRoot(leaves);
        for (uint256 d = 0; d < DEPTH - 4; ++d) {
            (bytes32 a, bytes32 b) = (r.devicesRoot, sibling(d));
            r.devicesRoot = a < b ? keccak256(abi.encodePacked(a, b)) : keccak256(abi.encodePacked(b, a));
        }
        postReport(r);
    }

    function sibling(uint256 d) internal pure returns (bytes32) {
        return keccak256(abi.encode("sibling", d));
    }

    function deep(bytes32[] memory leaves, uint256 at) internal pure returns (bytes32[] memory proof) {
        bytes32[] memory near = Trees.sortedProof(leaves, at);
        proof = new bytes32[](DEPTH);
        for (uint256 d = 0; d < 4; ++d) proof[d] = near[d];
        for (uint256 d = 4; d < DEPTH; ++d) proof[d] = sibling(d - 4);
    }

    function open(ILeaseEscrow.Offer memory offer, string memory what) internal returns (uint256 id) {
        bytes memory signature = signOffer(offer);
        IEpochOracle.DeviceLeaf[] memory lines = passedLeaves(0, offer.deviceIds);
        bytes32[] memory leaves = new bytes32[](16);
        for (uint256 i = 0; i < 8; ++i) leaves[i] = leafHash(passedLeaf(0, node[i]));
        leaves[8] = leafHash(passedLeaf(0, device));
        bytes32[][] memory proofs = new bytes32[][](lines.length);
        for (uint256 i = 0; i < lines.length; ++i) proofs[i] = deep(leaves, lines.length == 1 ? 8 : i);
        vm.prank(renter);
        id = escrow.open(offer, signature, DEPOSIT, lines, proofs, 100, 1_024);
        if (bytes(what).length != 0) note("Assay", what);
    }

    function start(uint256 id, ILeaseEscrow.Offer memory offer, address by, string memory what) internal {
        uint40 until = uint40(block.timestamp) + 100;
        bytes memory signature = startSignature(id, offer, until);
        vm.prank(by);
        escrow.start(id, offer, HANDOVER, until, signature);
        if (bytes(what).length != 0) note("Assay", what);
    }

    function test_gas_of_a_lease() public {
        ILeaseEscrow.Offer memory offer = offerOf(device, address(usd), RATE);
        uint256 id = open(offer, "open, first use");
        open(offer, "open");
        vm.warp(startOf(1));
        start(id, offer, provider, "start, with bond");
        vm.warp(block.timestamp + 100);
        vm.prank(renter);
        escrow.topUp(id, 1_000_000);
        note("Assay", "topUp");
        IEpochOracle.DeviceLeaf memory leaf = leasedLeaf(1, device, 9_000);
        bytes32[] memory leaves = new bytes32[](16);
        leaves[3] = leafHash(leaf);
        report(1, leaves);
        vm.warp(startOf(2));
        bytes32[] memory proof = deep(leaves, 3);
        vm.prank(renter);
        escrow.refundDowntime(id, offer, leaf, proof);
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
        uint256 id = open(offerOf(device, address(usd), RATE), "");
        vm.prank(renter);
        escrow.cancel(id);
        note("Assay", "cancel");
    }

    /// @dev The second lease of a node, which finds the first one's in its place.
    function test_gas_of_a_node() public {
        ILeaseEscrow.Offer memory offer = offerOf(node, address(usd), RATE);
        offer.notice = 3_600;
        uint256 id = open(offer, "");
        start(id, offer, provider, "start of eight, first use");
        vm.prank(provider);
        escrow.giveNotice(id);
        note("Assay", "giveNotice");
        vm.prank(renter);
        escrow.end(id);
        id = open(offer, "open of eight");
        start(id, offer, provider, "start of eight");
    }

    function test_gas_of_an_operator() public {
        appoint(OperatorScopes.ALL);
        vm.startPrank(provider);
        escrow.fillBondCredit(address(usd), 1e9);
        note("Assay", "fillBondCredit, first");
        escrow.setBondLimit(address(usd), 1e9);
        escrow.fillBondCredit(address(usd), 1e9);
        note("Assay", "fillBondCredit");
        vm.stopPrank();
        ILeaseEscrow.Offer memory offer = offerOf(device, address(usd), RATE);
        open(offer, "");
        uint256 id = open(offer, "");
        start(id, offer, operator, "start, from bond credit");
        vm.warp(block.timestamp + 600);
        vm.prank(operator);
        escrow.end(id);
        note("Assay", "end, by an operator");
        offer.operator = operator;
        id = open(offer, "open, signed by an operator");
        start(id, offer, operator, "start, signed and called by an operator");
        vm.warp(block.timestamp + HOLDBACK + 600);
        vm.prank(operator);
        escrow.claim(id, provider);
        note("Assay", "claim, by an operator");
    }
}
