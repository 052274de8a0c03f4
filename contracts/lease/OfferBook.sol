// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MerkleProofLib} from "solady/src/utils/MerkleProofLib.sol";

import {IEpochOracle} from "../interfaces/IEpochOracle.sol";
import {IFormerEscrow} from "../interfaces/IFormerEscrow.sol";
import {OracleTypes} from "../libraries/OracleTypes.sol";
import {PartySignature} from "../libraries/PartySignature.sol";
import {LeaseBook} from "./LeaseBook.sol";

/// @title What must hold of an offer and of the device behind it
abstract contract OfferBook is LeaseBook, EIP712 {
    bytes32 public constant OFFER_TYPEHASH =
        keccak256(
            "Offer(address provider,bytes32 deviceId,address token,uint128 rate,uint40 minDuration,uint40 maxDuration,uint40 validUntil,uint64 nonce,address renter)"
        );
    bytes32 public constant START_TYPEHASH =
        keccak256("LeaseStart(uint256 leaseId,bytes32 resultRoot,uint40 validUntil)");

    uint16 private constant PASSED = 1;

    IEpochOracle public immutable oracle;
    uint32 public immutable maxAge;

    mapping(bytes32 deviceId => uint64) public nonceFloor;

    constructor(IEpochOracle oracle_, uint32 maxAge_) EIP712("Assay", "1") {
        if (maxAge_ == 0 || maxAge_ >= oracle_.ringSize()) {
            revert LeaseEscrow_BadBound("maxAge", maxAge_, oracle_.ringSize());
        }
        oracle = oracle_;
        maxAge = maxAge_;
    }

    /// @inheritdoc IFormerEscrow
    function cancelOffers(bytes32 deviceId, uint64 floor) external {
        if (deviceRegistry.device(deviceId).provider != msg.sender) {
            revert LeaseEscrow_NotProvider(deviceId, msg.sender);
        }
        if (floor <= nonceFloor[deviceId]) revert LeaseEscrow_FloorNotRaised(floor, nonceFloor[deviceId]);
        nonceFloor[deviceId] = floor;
        emit OffersCancelled(deviceId, floor);
    }

    /// @dev The number of the device offered.
    function _checkOffer(Offer calldata offer, bytes calldata signature) internal view returns (uint40 device) {
        if (block.timestamp > offer.validUntil) revert LeaseEscrow_OfferExpired(offer.validUntil, block.timestamp);
        if (offer.renter != address(0) && offer.renter != msg.sender) {
            revert LeaseEscrow_NotForRenter(offer.renter, msg.sender);
        }
        uint64 floor = nonceFloor[offer.deviceId];
        if (offer.nonce < floor) revert LeaseEscrow_OfferCancelled(offer.nonce, floor);
        if (offer.rate == 0) revert LeaseEscrow_ZeroRate();
        if (offer.maxDuration < offer.minDuration || offer.maxDuration > type(uint32).max || offer.maxDuration == 0) {
            revert LeaseEscrow_BadDurations(offer.minDuration, offer.maxDuration);
        }
        address provider;
        (provider, device) = deviceRegistry.offered(offer.deviceId);
        if (provider == address(0)) revert LeaseEscrow_DeviceNotActive(offer.deviceId);
        if (provider != offer.provider) revert LeaseEscrow_NotProvider(offer.deviceId, offer.provider);
        if (!PartySignature.isValid(provider, _hashTypedDataV4(_offerHash(offer)), signature)) {
            revert LeaseEscrow_BadSignature(provider);
        }
    }

    /// @dev keccak256(abi.encode(OFFER_TYPEHASH, offer)), all of whose fields are read above or when it is recorded, and so
    /// have been checked to fit their types.
    function _offerHash(Offer calldata offer) private pure returns (bytes32 hash) {
        bytes32 typeHash = OFFER_TYPEHASH;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            calldatacopy(add(free, 0x20), offer, 0x120)
            hash := keccak256(free, 0x140)
        }
    }

    /// @dev The device passed, flags exactly 1, in a recent enough epoch, with the score asked for.
    function _checkMeasured(
        bytes32 deviceId,
        IEpochOracle.DeviceLeaf calldata leaf,
        bytes32[] calldata proof,
        uint64 minScore
    ) internal view {
        uint64 current = oracle.currentEpoch();
        uint64 oldest = current > maxAge ? current - maxAge : 0;
        if (leaf.epoch < oldest) revert LeaseEscrow_ReportTooOld(leaf.epoch, oldest);
        if (leaf.deviceId != deviceId) revert LeaseEscrow_DeviceNotInReport(deviceId, leaf.epoch);
        if (leaf.flags != PASSED) revert LeaseEscrow_DeviceNotPassed(deviceId, leaf.flags);
        if (leaf.scoreGops < minScore) revert LeaseEscrow_ScoreTooLow(leaf.scoreGops, minScore);
        _checkReported(leaf, proof);
    }

    /// @dev The leaf's fields are read by the caller, or hashed as they stand: one out of its type's range is in no report.
    function _checkReported(IEpochOracle.DeviceLeaf calldata leaf, bytes32[] calldata proof) internal view {
        bytes32 root = oracle.devicesRootOf(leaf.epoch);
        if (root == 0 || !MerkleProofLib.verifyCalldata(proof, root, OracleTypes.deviceLeaf(leaf))) {
            revert LeaseEscrow_DeviceNotInReport(leaf.deviceId, leaf.epoch);
        }
    }

    function _checkStart(
        address renter,
        uint256 leaseId,
        bytes32 resultRoot,
        uint40 validUntil,
        bytes calldata signature
    ) internal view {
        if (block.timestamp > validUntil) revert LeaseEscrow_StartExpired(validUntil, block.timestamp);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(START_TYPEHASH, leaseId, resultRoot, validUntil)));
        if (!PartySignature.isValid(renter, digest, signature)) revert LeaseEscrow_BadSignature(renter);
    }
}
