// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {MerkleProofLib} from "solady/src/utils/MerkleProofLib.sol";

import {IEpochOracle} from "../interfaces/IEpochOracle.sol";
import {ILeaseErrors} from "../interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "../interfaces/ILeaseEscrow.sol";
import {OracleTypes} from "../libraries/OracleTypes.sol";
import {StreamMath} from "../libraries/StreamMath.sol";

/// @title What an offer says by itself, and what a report says of its devices
library Offers {
    bytes32 internal constant OFFER_TYPEHASH =
        keccak256(
            "Offer(address provider,address operator,bytes32[] deviceIds,address token,uint128 rate,uint40 minDuration,uint40 maxDuration,uint40 validUntil,uint64 nonce,address renter,uint32 notice)"
        );

    uint256 private constant MIN_NOTICE = 1 minutes;
    uint256 private constant MIN_PAID = 1 minutes;

    /// @notice keccak256(abi.encode(OFFER_TYPEHASH, offer)), with the hash of the device ids in their place.
    /// @dev Takes the fields as they stand: `open` reads all of them, and so has them checked to fit their types.
    function hash(ILeaseEscrow.Offer calldata offer) internal pure returns (bytes32 offerHash) {
        bytes32 typeHash = OFFER_TYPEHASH;
        bytes32[] calldata ids = offer.deviceIds;
        assembly ("memory-safe") {
            let free := mload(0x40)
            let size := shl(5, ids.length)
            calldatacopy(free, ids.offset, size)
            let devices := keccak256(free, size)
            mstore(free, typeHash)
            calldatacopy(add(free, 0x20), offer, 0x160)
            mstore(add(free, 0x60), devices)
            offerHash := keccak256(free, 0x180)
        }
    }

    /// @notice Emits LeaseOpened: `abi.encode(offerHash, offer, deposit)` by hand, since the fields lie in the calldata as the log
    /// wants them.
    function emitOpened(
        ILeaseEscrow.Offer calldata offer,
        uint256 leaseId,
        bytes32 offerHash,
        uint256 deposit
    ) internal {
        bytes32 selector = ILeaseEscrow.LeaseOpened.selector;
        address provider = offer.provider;
        bytes32[] calldata ids = offer.deviceIds;
        assembly ("memory-safe") {
            let free := mload(0x40)
            let size := shl(5, ids.length)
            mstore(free, offerHash)
            mstore(add(free, 0x20), 0x60)
            mstore(add(free, 0x40), deposit)
            calldatacopy(add(free, 0x60), offer, 0x160)
            mstore(add(free, 0xa0), 0x160) // where the device ids are, behind the other fields
            mstore(add(free, 0x1c0), ids.length)
            calldatacopy(add(free, 0x1e0), ids.offset, size)
            log4(free, add(0x1e0, size), selector, leaseId, caller(), provider)
        }
    }

    /// @notice Who has to have signed it.
    function signerOf(ILeaseEscrow.Offer calldata offer) internal pure returns (address) {
        return offer.operator == address(0) ? offer.provider : offer.operator;
    }

    /// @notice What it takes to pay for a duration; for a minute at least.
    function costOf(ILeaseEscrow.Offer calldata offer, uint256 duration) internal pure returns (uint256) {
        return StreamMath.cost(offer.rate, duration > MIN_PAID ? duration : MIN_PAID);
    }

    /// @notice Reverts unless the terms are possible, and open to the caller now.
    function checkTerms(ILeaseEscrow.Offer calldata offer) internal view {
        uint256 validUntil = offer.validUntil;
        if (block.timestamp > validUntil) revert ILeaseErrors.LeaseEscrow_OfferExpired(validUntil, block.timestamp);
        address renter = offer.renter;
        if (renter != address(0) && renter != msg.sender) {
            revert ILeaseErrors.LeaseEscrow_NotForRenter(renter, msg.sender);
        }
        if (offer.rate == 0) revert ILeaseErrors.LeaseEscrow_ZeroRate();
        (uint256 least, uint256 most) = (offer.minDuration, offer.maxDuration);
        if (most < least || most > type(uint32).max || most == 0) {
            revert ILeaseErrors.LeaseEscrow_BadDurations(least, most);
        }
        uint256 notice = offer.notice;
        if (notice != 0 && notice < MIN_NOTICE) revert ILeaseErrors.LeaseEscrow_BadNotice(notice, MIN_NOTICE);
    }

    /// @notice Reverts where the signer has cancelled the offer for any of its devices.
    function checkFloors(
        ILeaseEscrow.Offer calldata offer,
        address signer,
        mapping(bytes32 deviceId => mapping(address signer => uint64)) storage floors
    ) internal view {
        bytes32[] calldata ids = offer.deviceIds;
        uint256 nonce = offer.nonce;
        for (uint256 i = 0; i < ids.length; ++i) {
            uint256 floor = floors[ids[i]][signer];
            if (nonce < floor) revert ILeaseErrors.LeaseEscrow_OfferCancelled(ids[i], nonce, floor);
        }
    }

    /// @notice Reverts unless there is a leaf for every device, all of one epoch, that says that it passed, flags exactly 1, with
    /// the score and the memory asked for. Whether a report says so too is for `checkAllReported`.
    function checkMeasured(
        bytes32[] calldata ids,
        IEpochOracle.DeviceLeaf[] calldata leaves,
        uint256 minScore,
        uint256 minMemoryMiB
    ) internal pure returns (uint256 epoch) {
        if (leaves.length != ids.length || ids.length == 0) {
            revert ILeaseErrors.LeaseEscrow_LeafCount(ids.length, leaves.length);
        }
        epoch = leaves[0].epoch;
        for (uint256 i = 0; i < ids.length; ++i) {
            IEpochOracle.DeviceLeaf calldata leaf = leaves[i];
            bytes32 id = ids[i];
            if (leaf.deviceId != id) revert ILeaseErrors.LeaseEscrow_DeviceNotInReport(id, epoch);
            (uint256 value, uint256 bound) = (leaf.epoch, epoch);
            if (value != bound) revert ILeaseErrors.LeaseEscrow_OtherEpoch(id, value, bound);
            (value, bound) = (leaf.flags, OracleTypes.PASSED);
            if (value != bound) revert ILeaseErrors.LeaseEscrow_DeviceNotPassed(id, value);
            (value, bound) = (leaf.scoreGops, minScore);
            if (value < bound) revert ILeaseErrors.LeaseEscrow_ScoreTooLow(id, value, bound);
            (value, bound) = (leaf.memoryMiB, minMemoryMiB);
            if (value < bound) revert ILeaseErrors.LeaseEscrow_MemoryTooSmall(id, value, bound);
        }
    }

    /// @notice Reverts unless each leaf has a proof and stands in the report with this root of devices.
    function checkAllReported(
        bytes32 root,
        IEpochOracle.DeviceLeaf[] calldata leaves,
        bytes32[][] calldata proofs
    ) internal pure {
        if (proofs.length != leaves.length) revert ILeaseErrors.LeaseEscrow_LeafCount(proofs.length, leaves.length);
        for (uint256 i = 0; i < leaves.length; ++i) checkReported(root, leaves[i], proofs[i]);
    }

    /// @notice Reverts unless the leaf stands in the report with this root of devices; a root of zero is no report.
    /// @dev The leaf's fields are read by the caller, or hashed as they stand: one out of its type's range is in no report.
    function checkReported(
        bytes32 root,
        IEpochOracle.DeviceLeaf calldata leaf,
        bytes32[] calldata proof
    ) internal pure {
        if (root == 0 || !MerkleProofLib.verifyCalldata(proof, root, OracleTypes.deviceLeaf(leaf))) {
            revert ILeaseErrors.LeaseEscrow_DeviceNotInReport(leaf.deviceId, leaf.epoch);
        }
    }

    /// @notice Reverts unless the device is one of the offer's.
    function checkDevice(ILeaseEscrow.Offer calldata offer, uint256 leaseId, bytes32 deviceId) internal pure {
        bytes32[] calldata ids = offer.deviceIds;
        for (uint256 i = 0; i < ids.length; ++i) {
            if (ids[i] == deviceId) return;
        }
        revert ILeaseErrors.LeaseEscrow_DeviceNotOfLease(leaseId, deviceId);
    }
}
