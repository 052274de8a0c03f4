// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";
import {IOpeningDemands} from "contracts/interfaces/IOpeningDemands.sol";
import {INetworkToken} from "contracts/interfaces/INetworkToken.sol";
import {IRewardsDistributor} from "contracts/interfaces/IRewardsDistributor.sol";
import {IStakeManager} from "contracts/interfaces/IStakeManager.sol";
import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

// The contracts as tests call them: their interfaces, and what is public beside them. Tests deploy by artifact, so that a
// change of a contract does not recompile them.

interface Token is INetworkToken {
    function transfer(address to, uint256 amount) external returns (bool);
    function approve(address spender, uint256 amount) external returns (bool);
    function balanceOf(address account) external view returns (uint256);
    function totalSupply() external view returns (uint256);
    function allowance(address owner, address spender) external view returns (uint256);
    function nonces(address owner) external view returns (uint256);
    function DOMAIN_SEPARATOR() external view returns (bytes32);
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external;
}

interface Pausable {
    function pauseEntry(uint40 duration) external;
    function resumeEntry() external;
    function pausedUntil() external view returns (uint40);
}

interface Stake is IStakeManager { }

interface Demands is IOpeningDemands { }

interface Seats is IValidatorSet, Pausable { }

interface Escrow is ILeaseEscrow, Pausable { }

interface Fraud is IFraudProofs { }

interface Rewards is IRewardsDistributor { }

interface Oracle is IEpochOracle { }
