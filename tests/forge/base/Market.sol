// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";

import {Epochs} from "./Epochs.sol";
import {Token} from "./Extras.sol";
import {Trees} from "./Trees.sol";

/// @title A provider with devices and an operator, renters, and leases between them
abstract contract Market is Epochs {
    uint256 internal constant PROVIDER_KEY = 0x9403;
    uint256 internal constant OPERATOR_KEY = 0x09e4;
    uint256 internal constant RENTER_KEY = 0x4e47;
    uint256 internal constant DEVICE_KEY = 0xde410000;
    uint256 internal constant SCALE = 1e18;
    bytes32 internal constant HANDOVER = keccak256("handover");
    bytes32 internal constant OFFER_TYPE = keccak256(
        "Offer(address provider,address operator,bytes32[] deviceIds,address token,uint128 rate,uint40 minDuration,uint40 maxDuration,uint40 validUntil,uint64 nonce,address renter,uint32 notice)"
    );
    bytes32 internal constant START_TYPE =
        keccak256("LeaseStart(uint256 leaseId,bytes32 offerHash,bytes32 resultRoots,uint40 validUntil)");

    address internal provider = vm.addr(PROVIDER_KEY);
    address internal operator = vm.addr(OPERATOR_KEY);
    address internal renter = vm.addr(RENTER_KEY);

    /// @dev What the escrow wants to see again.
    mapping(uint256 leaseId => ILeaseEscrow.Offer) private offers;
    mapping(uint64 epoch => bytes32[]) private reported;

    function enrol(uint256 i, uint32 profile) internal returns (bytes32 deviceId) {
        address key = vm.addr(DEVICE_KEY + i);
        stakeFor(provider, DEVICE_STAKE);
        bytes memory encoded = abi.encode(
            keccak256("Enrol(address provider,uint32 profile,bytes32 specHash,uint64 nonce)"),
            provider,
            profile,
            bytes32(i),
            registry.enrolNonce(key)
        );
        bytes memory signature = signed(DEVICE_KEY + i, digestIn(address(registry), encoded));
        vm.prank(provider);
        return registry.enrol(key, profile, bytes32(i), "https://device", bytes32(i), signature);
    }

    /// @dev Devices `first` to `first + n - 1`, in the order of an offer.
    function enrolNode(uint256 first, uint256 n) internal returns (bytes32[] memory ids) {
        ids = new bytes32[](n);
        for (uint256 i = 0; i < n; ++i) {
            bytes32 id = enrol(first + i, 1);
            uint256 at = i;
            for (; at != 0 && ids[at - 1] > id; --at) ids[at] = ids[at - 1];
            ids[at] = id;
        }
    }

    function passedLeaf(uint64 epoch, bytes32 deviceId) internal pure returns (IEpochOracle.DeviceLeaf memory) {
        return IEpochOracle.DeviceLeaf(epoch, deviceId, 0, 1, 500, 4_096, 10_000, 1, keccak256("result"));
    }

    function leasedLeaf(uint64 epoch, bytes32 deviceId, uint16 uptimeBps)
        internal
        pure
        returns (IEpochOracle.DeviceLeaf memory)
    {
        return IEpochOracle.DeviceLeaf(epoch, deviceId, 0, 1, 0, 0, uptimeBps, 2, bytes32(0));
    }

    function one(IEpochOracle.DeviceLeaf memory leaf) internal pure returns (IEpochOracle.DeviceLeaf[] memory list) {
        list = new IEpochOracle.DeviceLeaf[](1);
        list[0] = leaf;
    }

    function one(bytes32 id) internal pure returns (bytes32[] memory list) {
        list = new bytes32[](1);
        list[0] = id;
    }

    function passedLeaves(uint64 epoch, bytes32[] memory ids)
        internal
        pure
        returns (IEpochOracle.DeviceLeaf[] memory list)
    {
        list = new IEpochOracle.DeviceLeaf[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) list[i] = passedLeaf(epoch, ids[i]);
    }

    /// @dev A whole epoch whose report, posted `at` seconds into it, has these lines; proofs of them are found again.
    function measure(uint64 epoch, IEpochOracle.DeviceLeaf[] memory lines, uint256 at) internal {
        runEpoch(epoch, noLeaves(), lines, at);
        reported[epoch] = deviceLeaves(lines);
    }

    /// @dev As above, of one leased device; the epoch is over when this returns.
    function measure(uint64 epoch, bytes32 deviceId, uint16 uptimeBps) internal {
        measure(epoch, one(leasedLeaf(epoch, deviceId, uptimeBps)), 700);
        vm.warp(startOf(epoch + 1));
    }

    /// @dev No proof where the line is in no report.
    function proofOf(IEpochOracle.DeviceLeaf memory leaf) internal view returns (bytes32[] memory) {
        bytes32[] memory leaves = reported[leaf.epoch];
        bytes32 wanted = leafHash(leaf);
        for (uint256 i = 0; i < leaves.length; ++i) {
            if (leaves[i] == wanted) return Trees.sortedProof(leaves, i);
        }
        return new bytes32[](0);
    }

    function proofsOf(IEpochOracle.DeviceLeaf[] memory list) internal view returns (bytes32[][] memory proofs) {
        proofs = new bytes32[][](list.length);
        for (uint256 i = 0; i < list.length; ++i) proofs[i] = proofOf(list[i]);
    }

    function offerOf(bytes32[] memory deviceIds, address payIn, uint128 rate)
        internal
        view
        returns (ILeaseEscrow.Offer memory)
    {
        return ILeaseEscrow.Offer(
            provider,
            address(0),
            deviceIds,
            payIn,
            rate,
            600,
            100_000,
            uint40(block.timestamp) + 50_000,
            1,
            address(0),
            0
        );
    }

    function offerOf(bytes32 deviceId, address payIn, uint128 rate) internal view returns (ILeaseEscrow.Offer memory) {
        return offerOf(one(deviceId), payIn, rate);
    }

    /// @dev EIP-712 as PROTOCOL has it, field by field; shares nothing with the contract.
    function offerEncoded(ILeaseEscrow.Offer memory o) internal pure returns (bytes memory) {
        bytes memory first =
            abi.encode(OFFER_TYPE, o.provider, o.operator, keccak256(abi.encodePacked(o.deviceIds)), o.token, o.rate);
        return bytes.concat(
            first, abi.encode(o.minDuration, o.maxDuration, o.validUntil, o.nonce, o.renter, o.notice)
        );
    }

    function signOffer(ILeaseEscrow.Offer memory offer) internal view returns (bytes memory) {
        return signOffer(offer, offer.operator == address(0) ? PROVIDER_KEY : OPERATOR_KEY);
    }

    function signOffer(ILeaseEscrow.Offer memory offer, uint256 key) internal view returns (bytes memory) {
        return signed(key, digestIn(address(escrow), offerEncoded(offer)));
    }

    function costOf(uint256 rate, uint256 duration) internal pure returns (uint96) {
        return uint96((rate * duration + SCALE - 1) / SCALE);
    }

    function streamOf(uint256 rate, uint256 duration) internal pure returns (uint256) {
        return (rate * duration) / SCALE;
    }

    /// @dev On the report of `epoch`, in which all its devices have passed.
    function openLease(ILeaseEscrow.Offer memory offer, uint64 epoch, uint96 deposit) internal returns (uint256 id) {
        bytes memory signature = signOffer(offer);
        IEpochOracle.DeviceLeaf[] memory leaves = passedLeaves(epoch, offer.deviceIds);
        bytes32[][] memory proofs = proofsOf(leaves);
        vm.prank(renter);
        id = escrow.open(offer, signature, deposit, leaves, proofs, 0, 0);
        offers[id] = offer;
    }

    function offerOfLease(uint256 leaseId) internal view returns (ILeaseEscrow.Offer memory) {
        return offers[leaseId];
    }

    function startSignature(uint256 leaseId, ILeaseEscrow.Offer memory offer, uint40 validUntil)
        internal
        view
        returns (bytes memory)
    {
        bytes memory encoded = abi.encode(START_TYPE, leaseId, keccak256(offerEncoded(offer)), HANDOVER, validUntil);
        return signed(RENTER_KEY, digestIn(address(escrow), encoded));
    }

    function startLease(uint256 leaseId) internal {
        startLease(leaseId, provider);
    }

    function startLease(uint256 leaseId, address by) internal {
        uint40 until = uint40(block.timestamp) + 100;
        ILeaseEscrow.Offer memory offer = offers[leaseId];
        bytes memory signature = startSignature(leaseId, offer, until);
        vm.prank(by);
        escrow.start(leaseId, offer, HANDOVER, until, signature);
    }

    function approveBoth(Token payIn, uint256 amount) internal {
        payIn.mint(renter, amount);
        payIn.mint(provider, amount);
        vm.prank(renter);
        payIn.approve(address(escrow), type(uint256).max);
        vm.prank(provider);
        payIn.approve(address(escrow), type(uint256).max);
    }

    /// @dev The provider appoints the test's operator for all of the epochs to come.
    function appoint(uint8 scopes) internal {
        vm.prank(provider);
        registry.setOperator(operator, scopes, type(uint40).max);
    }

    /// @dev The renter submits what a report says of a device of its lease.
    function downtime(uint256 leaseId, IEpochOracle.DeviceLeaf memory leaf) internal {
        bytes32[] memory proof = proofOf(leaf);
        ILeaseEscrow.Offer memory offer = offers[leaseId];
        vm.prank(renter);
        escrow.refundDowntime(leaseId, offer, leaf, proof);
    }

    /// @dev A proof convicts the device of a fault in the running epoch.
    function slashDevice(bytes32 deviceId) internal {
        uint64 epoch = oracle.currentEpoch();
        vm.prank(address(fraud));
        registry.markSlashed(deviceId, epoch);
    }

    function leafHash(IEpochOracle.DeviceLeaf memory leaf) internal pure returns (bytes32) {
        return Trees.standardLeaf(abi.encode(leaf));
    }
}
