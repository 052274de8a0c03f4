// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "../interfaces/IDeviceRegistry.sol";

/// @title What a device has to compute in an epoch, in one hash
/// @notice Whatever changes the work changes the hash; stake, credit, deadline and score's cap are no part of it.
library JobHash {
    /// @notice keccak256(epochSeed ‖ abi.encode(profileId, M, N, K, T, chunk, k, W)).
    /// @param p the profile
    /// @param profileId id of it
    /// @param epochSeed of the epoch
    /// @return hash of the job
    function compute(
        IDeviceRegistry.Profile memory p,
        uint32 profileId,
        bytes32 epochSeed
    ) internal pure returns (bytes32 hash) {
        return keccak256(abi.encode(epochSeed, profileId, p.M, p.N, p.K, p.T, p.chunk, p.k, p.W));
    }
}
