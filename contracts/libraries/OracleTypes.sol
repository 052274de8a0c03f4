// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {EfficientHashLib} from "solady/src/utils/EfficientHashLib.sol";

import {IEpochOracle} from "../interfaces/IEpochOracle.sol";

/// @title EIP-712 of what validators and devices sign in EpochOracle's domain
library OracleTypes {
    bytes32 internal constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 internal constant COMMITMENT =
        keccak256("Commitment(uint64 epoch,bytes32 jobHash,bytes32 deviceId,bytes32 nonceRoot,bytes32 resultRoot)");
    bytes32 internal constant SEAL =
        keccak256("Seal(uint64 epoch,uint32 setId,uint32 round,bytes32 epochSeed,bytes32 sealRoot,uint32 count)");
    bytes32 internal constant OBSERVATIONS =
        keccak256("Observations(uint64 epoch,uint32 setId,bytes32 rho,bytes32 batchRoot)");
    bytes32 internal constant REPORT =
        keccak256(
            "EpochReport(uint64 epoch,uint32 setId,uint32 round,bytes32 rho,bytes32 devicesRoot,bytes32 rewardsRoot,uint256 rewardsTotal,bytes32 dataHash)"
        );

    /// @notice Flag of a device that did everything asked of it, in a batch and in a report.
    uint16 internal constant PASSED = 1;

    /// @notice The domain of the oracle on the chain this runs on, computed anew: a fork has its own.
    function domain(address oracle) internal view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN, keccak256("Assay"), keccak256("1"), block.chainid, oracle));
    }

    function digest(bytes32 domain_, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domain_, structHash));
    }

    /// @notice keccak256("assay.B" ‖ u256(chain id) ‖ u256(oracle) ‖ u256(epoch) ‖ beacon).
    function epochSeed(address oracle, uint256 epoch, bytes32 beacon) internal view returns (bytes32 seed) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, "assay.B")
            mstore(add(free, 0x07), chainid())
            mstore(add(free, 0x27), shr(96, shl(96, oracle)))
            mstore(add(free, 0x47), epoch)
            mstore(add(free, 0x67), beacon)
            seed := keccak256(free, 0x87)
        }
    }

    function sealHash(
        uint64 epoch,
        uint32 setId,
        uint32 round,
        bytes32 seed,
        bytes32 sealRoot,
        uint32 count
    ) internal pure returns (bytes32) {
        return
            EfficientHashLib.hash(
                SEAL,
                bytes32(uint256(epoch)),
                bytes32(uint256(setId)),
                bytes32(uint256(round)),
                seed,
                sealRoot,
                bytes32(uint256(count))
            );
    }

    /// @notice As below, of a report in the calldata, whose last four fields are the hash's last four words.
    function reportHashOf(
        IEpochOracle.Report calldata r,
        uint256 setId,
        bytes32 rho
    ) internal pure returns (bytes32 hash) {
        bytes32 typeHash = REPORT;
        uint256 epoch = r.epoch;
        uint256 round = r.round;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            mstore(add(free, 0x20), epoch)
            mstore(add(free, 0x40), setId)
            mstore(add(free, 0x60), round)
            mstore(add(free, 0x80), rho)
            calldatacopy(add(free, 0xa0), add(r, 0x40), 0x80)
            hash := keccak256(free, 0x120)
        }
    }

    function reportHash(IEpochOracle.Report memory r, uint32 setId, bytes32 rho) internal pure returns (bytes32) {
        return
            EfficientHashLib.hash(
                REPORT,
                bytes32(uint256(r.epoch)),
                bytes32(uint256(setId)),
                bytes32(uint256(r.round)),
                rho,
                r.devicesRoot,
                r.rewardsRoot,
                bytes32(r.rewardsTotal),
                r.dataHash
            );
    }

    /// @notice keccak256(keccak256(abi.encode(leaf))): OpenZeppelin's StandardMerkleTree.
    function deviceLeaf(IEpochOracle.DeviceLeaf calldata leaf) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, leaf, 0x120)
            mstore(0x00, keccak256(free, 0x120))
            hash := keccak256(0x00, 0x20)
        }
    }

    /// @notice keccak256(keccak256(abi.encode(account, cumulative))): OpenZeppelin's StandardMerkleTree.
    function rewardLeaf(address account, uint256 cumulative) internal pure returns (bytes32) {
        return EfficientHashLib.hash(EfficientHashLib.hash(bytes32(uint256(uint160(account))), bytes32(cumulative)));
    }
}
