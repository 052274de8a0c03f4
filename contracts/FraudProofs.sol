// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {DeviceFaults} from "./fraud/DeviceFaults.sol";
import {ProofLedger} from "./fraud/ProofLedger.sol";
import {IDeviceRegistry} from "./interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "./interfaces/IEpochOracle.sol";
import {IStakeManager} from "./interfaces/IStakeManager.sol";
import {IValidatorSet} from "./interfaces/IValidatorSet.sol";

/// @title The only caller of slash
contract FraudProofs is DeviceFaults {
    /// @notice Seconds in which a demand must be answered.
    uint40 public immutable answerWindow;

    constructor(
        IEpochOracle oracle_,
        IDeviceRegistry deviceRegistry_,
        IStakeManager stakeManager_,
        IValidatorSet validatorSet_,
        uint32 commitLifetime_,
        uint40 answerWindow_
    ) ProofLedger(oracle_, deviceRegistry_, stakeManager_, validatorSet_, commitLifetime_) {
        answerWindow = answerWindow_;
    }
}
