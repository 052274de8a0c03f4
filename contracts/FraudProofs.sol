// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {Demands} from "./fraud/Demands.sol";
import {ProofLedger} from "./fraud/ProofLedger.sol";
import {QuorumFaults} from "./fraud/QuorumFaults.sol";
import {SeatFaults} from "./fraud/SeatFaults.sol";
import {IDeviceRegistry} from "./interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "./interfaces/IEpochOracle.sol";
import {IStakeManager} from "./interfaces/IStakeManager.sol";
import {IValidatorSet} from "./interfaces/IValidatorSet.sol";

/// @title The only caller of slash
/// @notice Device faults: wrong element, broken chain, two commitments. Seat faults: two statements, false pass. Faults of
/// a quorum: bad seal, unsealed pass, shrunk reward. And openings that were demanded and withheld.
contract FraudProofs is SeatFaults, QuorumFaults, Demands {
    constructor(
        IEpochOracle oracle_,
        IDeviceRegistry deviceRegistry_,
        IStakeManager stakeManager_,
        IValidatorSet validatorSet_,
        IERC20 token_,
        uint32 commitLifetime_,
        uint40 answerWindow_,
        uint128 demandBond_
    )
        ProofLedger(oracle_, deviceRegistry_, stakeManager_, validatorSet_, commitLifetime_)
        Demands(token_, demandBond_, answerWindow_)
    {}
}
