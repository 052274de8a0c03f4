// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "../interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "../interfaces/IEpochOracle.sol";
import {IFraudErrors} from "../interfaces/IFraudErrors.sol";

/// @title A device's job in an epoch that can still be proven against
/// @notice Shared by all that convict devices: what the chain itself knows of the epoch and of the device.
library DeviceJob {
    /// @notice Seed of the epoch; reverts unless it can be proven against.
    /// @param oracle knows the epochs
    /// @param epoch the epoch
    /// @return seed of it
    function provableSeed(IEpochOracle oracle, uint64 epoch) internal view returns (bytes32 seed) {
        seed = oracle.epochSeed(epoch);
        if (seed == 0 || !oracle.provable(epoch)) revert IFraudErrors.FraudProofs_NotProvable(epoch);
    }

    /// @notice Profile, key and epoch seed of the job; reverts unless `jobHash` is its hash.
    /// @param oracle knows the epochs
    /// @param registry knows the devices
    /// @param deviceId the device
    /// @param epoch the epoch
    /// @param jobHash as the device signed it
    /// @return p the device's profile
    /// @return profileId id of it
    /// @return deviceKey that signs for the device
    /// @return seed of the epoch
    function find(
        IEpochOracle oracle,
        IDeviceRegistry registry,
        bytes32 deviceId,
        uint64 epoch,
        bytes32 jobHash
    ) internal view returns (IDeviceRegistry.Profile memory p, uint32 profileId, address deviceKey, bytes32 seed) {
        bytes32 expected;
        seed = provableSeed(oracle, epoch);
        (p, profileId, , deviceKey, expected) = registry.jobOf(deviceId, seed);
        if (profileId == 0) revert IFraudErrors.FraudProofs_UnknownDevice(deviceId);
        if (jobHash != expected) revert IFraudErrors.FraudProofs_JobMismatch(jobHash, expected);
    }
}
