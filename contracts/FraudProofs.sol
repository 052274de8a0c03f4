// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ProofLedger} from "./fraud/ProofLedger.sol";
import {QuorumFaults} from "./fraud/QuorumFaults.sol";
import {SeatFaults} from "./fraud/SeatFaults.sol";
import {IDeviceRegistry} from "./interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "./interfaces/IEpochOracle.sol";
import {IStakeManager} from "./interfaces/IStakeManager.sol";
import {IValidatorSet} from "./interfaces/IValidatorSet.sol";

/// @title The only caller of slash
/// @notice Device faults: wrong element, broken chain, two commitments, and openings that OpeningDemands saw withheld. Seat
/// faults: two statements, false pass. Faults of a quorum: bad seal, unsealed pass, shrunk reward.
contract FraudProofs is SeatFaults, QuorumFaults {
    /// @param oracle_ whose epochs, seals, draws and reports proofs are about
    /// @param deviceRegistry_ knows the devices, and what they answer for
    /// @param stakeManager_ where stake is slashed
    /// @param validatorSet_ knows the seats
    /// @param openingDemands_ may convict for withheld openings
    /// @param commitLifetime_ blocks after which a commitment is worth nothing
    constructor(
        IEpochOracle oracle_,
        IDeviceRegistry deviceRegistry_,
        IStakeManager stakeManager_,
        IValidatorSet validatorSet_,
        address openingDemands_,
        uint32 commitLifetime_
    ) ProofLedger(oracle_, deviceRegistry_, stakeManager_, validatorSet_, openingDemands_, commitLifetime_) {}
}
