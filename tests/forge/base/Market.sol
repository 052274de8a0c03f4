// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IFormerEscrow} from "contracts/interfaces/IFormerEscrow.sol";

import {Epochs} from "./Epochs.sol";
import {Token} from "./Extras.sol";
import {Trees} from "./Trees.sol";

/// @title A provider with devices, renters, and leases between them
abstract contract Market is Epochs {
    uint256 internal constant PROVIDER_KEY = 0x9403;
    uint256 internal constant RENTER_KEY = 0x4e47;
    uint256 internal constant DEVICE_KEY = 0xde410000;
    uint256 internal constant SCALE = 1e18;
    bytes32 internal constant OFFER_TYPE = keccak256(
        "Offer(address provider,bytes32 deviceId,address token,uint128 rate,uint40 minDuration,uint40 maxDuration,uint40 validUntil,uint64 nonce,address renter)"
    );

    address internal provider = vm.addr(PROVIDER_KEY);
    address internal renter = vm.addr(RENTER_KEY);

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

    function passedLeaf(uint64 epoch, bytes32 deviceId) internal pure returns (IEpochOracle.DeviceLeaf memory) {
        return IEpochOracle.DeviceLeaf(epoch, deviceId, 0, 1, 500, 0, 10_000, 1, keccak256("result"));
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

    function offerOf(bytes32 deviceId, address payIn, uint128 rate)
        internal
        view
        returns (IFormerEscrow.Offer memory)
    {
        return IFormerEscrow.Offer(
            provider, deviceId, payIn, rate, 600, 100_000, uint40(block.timestamp) + 50_000, 1, address(0)
        );
    }

    function signOffer(IFormerEscrow.Offer memory offer) internal view returns (bytes memory) {
        return signed(PROVIDER_KEY, digestIn(address(escrow), abi.encode(OFFER_TYPE, offer)));
    }

    function costOf(uint256 rate, uint256 duration) internal pure returns (uint128) {
        return uint128((rate * duration + SCALE - 1) / SCALE);
    }

    function streamOf(uint256 rate, uint256 duration) internal pure returns (uint256) {
        return (rate * duration) / SCALE;
    }

    /// @dev Opens on the report of `epoch`, in which the device stands alone.
    function openLease(IFormerEscrow.Offer memory offer, uint64 epoch, uint128 deposit) internal returns (uint256 id) {
        bytes memory signature = signOffer(offer);
        vm.prank(renter);
        return escrow.open(offer, signature, deposit, passedLeaf(epoch, offer.deviceId), new bytes32[](0), 0);
    }

    function startSignature(uint256 leaseId, uint40 validUntil) internal view returns (bytes memory) {
        bytes memory encoded = abi.encode(
            keccak256("LeaseStart(uint256 leaseId,bytes32 resultRoot,uint40 validUntil)"),
            leaseId,
            keccak256("handover"),
            validUntil
        );
        return signed(RENTER_KEY, digestIn(address(escrow), encoded));
    }

    function startLease(uint256 leaseId) internal {
        uint40 until = uint40(block.timestamp) + 100;
        bytes memory signature = startSignature(leaseId, until);
        vm.prank(provider);
        escrow.start(leaseId, keccak256("handover"), until, signature);
    }

    function approveBoth(Token payIn, uint256 amount) internal {
        payIn.mint(renter, amount);
        payIn.mint(provider, amount);
        vm.prank(renter);
        payIn.approve(address(escrow), type(uint256).max);
        vm.prank(provider);
        payIn.approve(address(escrow), type(uint256).max);
    }

    function downtime(uint256 leaseId, IEpochOracle.DeviceLeaf memory leaf) internal {
        escrow.refundDowntime(leaseId, leaf, new bytes32[](0));
    }

    function leafHash(IEpochOracle.DeviceLeaf memory leaf) internal pure returns (bytes32) {
        return Trees.standardLeaf(abi.encode(leaf));
    }
}
