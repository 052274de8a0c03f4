// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

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

    /// @notice The domain of the oracle on the chain this runs on, computed anew: a fork has its own.
    function domain(address oracle) internal view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN, keccak256("Assay"), keccak256("1"), block.chainid, oracle));
    }

    function digest(bytes32 domain_, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domain_, structHash));
    }
}
