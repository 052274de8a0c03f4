// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IFraudProofs} from "./IFraudProofs.sol";

/// @title Openings demanded on-chain
/// @notice Whoever doubts a sealed device asks it to show one sampled row or one round leaf. Nobody answers in time: the
/// device is slashed. Somebody answers: the answerer is paid from the asker's bond, and a part of the bond is burned.
/// @dev One demand for each (device, epoch, what is asked), for ever. Whoever asks or answers one, the culprit included,
/// takes no room from anybody else's: floods are priced, not counted. Faults of a path, a chunk or a sealed leaf revert with
/// the errors of IFraudProofs, which checks the same things.
interface IOpeningDemands {
    /// @notice Fixed when the contract is made.
    /// @param unitBond about twice a round answer's gas at the reference base fee, in the token's base units
    /// @param referenceBaseFee wei; at a higher base fee bonds grow in proportion
    /// @param answerWindow seconds, at least a day
    struct Terms {
        uint128 unitBond;
        uint64 referenceBaseFee;
        uint40 answerWindow;
    }

    /// @notice Where a demand stands.
    enum DemandStatus {
        None,
        Open,
        Answered,
        Expired
    }

    /// @notice What a device has been asked to show: the row sampled by `index`, or the leaf of round `index`.
    /// @param demander who asked, and paid the bond
    /// @param epoch the epoch that is asked about
    /// @param status where it stands
    /// @param isRow a row, else a round leaf
    /// @param deviceId the device
    /// @param resultRoot root of the sealed work
    /// @param baseFee what bond and reward were reckoned with, wei: never below the reference
    /// @param deadline from here on it can be expired
    /// @param index sample q, or round t
    /// @param t the round asked for
    /// @param i the row asked for; zero for a round leaf
    /// @param ahead demands open against the device when it was asked
    /// @param size of an answer, in entries: 512 for all that comes with it, and N for a row
    struct Demand {
        address demander; // slot 0
        uint64 epoch;
        DemandStatus status;
        bool isRow;
        bytes32 deviceId; // slot 1
        bytes32 resultRoot; // slot 2
        uint64 baseFee; // slot 3
        uint40 deadline;
        uint32 index;
        uint32 t;
        uint32 i;
        uint32 ahead;
        uint24 size;
    }

    /// @notice A device was asked for an opening.
    /// @param demandId keccak256(abi.encode(deviceId, epoch, isRow, index))
    /// @param deviceId the device
    /// @param epoch of the commitment
    /// @param isRow a row, else a round leaf
    /// @param index sample q, or round t
    /// @param t the round asked for
    /// @param i the row asked for; zero for a round leaf
    /// @param deadline from here on it can be expired
    /// @param demander who asked
    /// @param bond that the demander put down
    /// @param reward what the answerer gets of it
    event DemandMade(
        bytes32 indexed demandId,
        bytes32 indexed deviceId,
        uint64 indexed epoch,
        bool isRow,
        uint32 index,
        uint32 t,
        uint32 i,
        uint40 deadline,
        address demander,
        uint128 bond,
        uint128 reward
    );

    /// @notice A demand was answered.
    /// @param demandId the demand
    /// @param answerer who showed the opening, and gets the reward
    /// @param reward credited to the answerer
    /// @param burned of the bond; the rest is credited to the demander
    event DemandAnswered(bytes32 indexed demandId, address indexed answerer, uint128 reward, uint128 burned);

    /// @notice A demand was closed without an answer; the bond is credited to the demander.
    /// @param demandId the demand
    /// @param slashed whether this slashed the device; false where it had been slashed before
    event DemandExpired(bytes32 indexed demandId, bool slashed);

    /// @notice Bonds and rewards were paid out.
    /// @param account who had them to collect
    /// @param receiver who got them
    /// @param amount in the token's base units
    event BondCollected(address indexed account, address indexed receiver, uint256 amount);

    /// @notice A term that makes no sense.
    /// @param what which one
    /// @param value that was to be set
    /// @param bound the least it can be
    error OpeningDemands_BadBound(string what, uint256 value, uint256 bound);

    /// @notice This has been asked before.
    /// @param demandId the demand
    /// @param status where it stands
    error OpeningDemands_AlreadyDemanded(bytes32 demandId, DemandStatus status);

    /// @notice The bond is higher than the caller agreed to.
    /// @param bond that would be taken
    /// @param maxBond that the caller agreed to
    error OpeningDemands_BondTooHigh(uint256 bond, uint256 maxBond);

    /// @notice The device does not answer for this epoch.
    /// @param deviceId the device
    /// @param epoch asked about
    /// @param first epoch it answers for
    /// @param last epoch it answers for
    error OpeningDemands_NotLiable(bytes32 deviceId, uint64 epoch, uint64 first, uint64 last);

    /// @notice The device has been slashed: it can neither be asked nor earn by answering.
    /// @param deviceId the device
    error OpeningDemands_DeviceSlashed(bytes32 deviceId);

    /// @notice No open demand of this id.
    /// @param demandId the demand
    /// @param status where it stands
    error OpeningDemands_NotOpen(bytes32 demandId, DemandStatus status);

    /// @notice A row where a round leaf is asked for, or the other way round.
    /// @param demandId the demand
    /// @param isRow what it asks for
    error OpeningDemands_WrongAnswer(bytes32 demandId, bool isRow);

    /// @notice The answer is about another round.
    /// @param demandId the demand
    /// @param t the round answered for
    /// @param expected the round asked for
    error OpeningDemands_WrongRound(bytes32 demandId, uint32 t, uint32 expected);

    /// @notice The demand cannot be expired yet.
    /// @param demandId the demand
    /// @param deadline until which it can be answered at least
    /// @param timestamp now
    error OpeningDemands_NotExpired(bytes32 demandId, uint40 deadline, uint256 timestamp);

    /// @notice Answers cost a multiple of what the reward was reckoned for: the demand cannot be expired while they do.
    /// @param demandId the demand
    /// @param baseFee now
    /// @param limit up to which it could be expired
    /// @param until from when on it can be, whatever the base fee
    error OpeningDemands_FeesTooHigh(bytes32 demandId, uint256 baseFee, uint256 limit, uint256 until);

    /// @notice No bond or reward to collect.
    /// @param account who called
    error OpeningDemands_NothingToCollect(address account);

    /// @notice A zero receiver.
    error OpeningDemands_ZeroReceiver();

    /// @notice Asks a sealed device to show the row sampled by `index`, or the leaf of round `index`. Takes the bond from the
    /// caller.
    /// @param epoch of the commitment; provable, and one that the device answers for
    /// @param sealed_ the device's leaf under the seal, signed by the device
    /// @param isRow a row, else a round leaf
    /// @param index sample q, or round t
    /// @param maxBond the most that may be taken
    /// @return demandId keccak256(abi.encode(deviceId, epoch, isRow, index))
    function demand(
        uint64 epoch,
        IFraudProofs.Sealed calldata sealed_,
        bool isRow,
        uint32 index,
        uint128 maxBond
    ) external returns (bytes32 demandId);

    /// @notice Answers a demand for a round leaf. Anyone, as long as it is open and the device is not slashed.
    /// @param demandId the demand
    /// @param round the leaf and its path
    function answerRound(bytes32 demandId, IFraudProofs.Round calldata round) external;

    /// @notice Answers a demand for a row. Anyone, as long as it is open and the device is not slashed.
    /// @param demandId the demand
    /// @param round the leaf of the row's round and its path
    /// @param row its 4N bytes
    /// @param path from the row's subtree to the round's root
    function answerRow(
        bytes32 demandId,
        IFraudProofs.Round calldata round,
        bytes calldata row,
        bytes32[] calldata path
    ) external;

    /// @notice Closes a demand that nobody answered in time: the bond goes back to the demander, and the device is slashed,
    /// the bounty the demander's. Where the device has been slashed already, at any time: the bond goes back. Anyone.
    /// @param demandId the demand
    function expireDemand(bytes32 demandId) external;

    /// @notice Pays the caller's bonds and rewards.
    /// @param receiver who gets them
    /// @return amount in the token's base units
    function collectBonds(address receiver) external returns (uint256 amount);

    /// @notice What a demand would take at this block's base fee. Nodes may evaluate calls without a gas price at a base fee
    /// of zero; ask `bondAt` where it matters.
    /// @param deviceId the device
    /// @param isRow a row, else a round leaf
    /// @return bond that is taken from the asker
    /// @return reward that an answerer gets of it
    /// @return burned of it where it is answered; the rest goes back to the asker
    function bondFor(bytes32 deviceId, bool isRow) external view returns (uint128 bond, uint128 reward, uint128 burned);

    /// @notice What a demand would take at a given base fee.
    /// @param deviceId the device
    /// @param isRow a row, else a round leaf
    /// @param baseFee in wei
    /// @return bond that is taken from the asker
    /// @return reward that an answerer gets of it
    /// @return burned of it where it is answered; the rest goes back to the asker
    function bondAt(
        bytes32 deviceId,
        bool isRow,
        uint256 baseFee
    ) external view returns (uint128 bond, uint128 reward, uint128 burned);

    /// @notice What became or becomes of a demand's bond; zeros for an unknown demand.
    /// @param demandId the demand
    /// @return bond that was taken from the demander
    /// @return reward that an answerer gets of it
    /// @return burned of it where it is answered
    function bondOfDemand(bytes32 demandId) external view returns (uint128 bond, uint128 reward, uint128 burned);

    /// @notice One demand; zeros for an unknown id.
    /// @param demandId the demand
    /// @return demand_ what it asks and where it stands
    function demandOf(bytes32 demandId) external view returns (Demand memory demand_);

    /// @notice Id of a demand, whether it was made or not.
    /// @param deviceId the device
    /// @param epoch of the commitment
    /// @param isRow a row, else a round leaf
    /// @param index sample q, or round t
    /// @return demandId keccak256(abi.encode(deviceId, epoch, isRow, index))
    function demandIdOf(
        bytes32 deviceId,
        uint64 epoch,
        bool isRow,
        uint32 index
    ) external pure returns (bytes32 demandId);

    /// @notice Demands open against a device; while there are any, its stake stays reserved.
    /// @param deviceId the device
    /// @return count of them
    function openDemandsOf(bytes32 deviceId) external view returns (uint256 count);

    /// @notice Demands open in the whole network.
    /// @return count of them
    function openDemands() external view returns (uint256 count);

    /// @notice Demands ever made.
    /// @return count of them
    function demandCount() external view returns (uint256 count);

    /// @notice What an account can collect.
    /// @param account the account
    /// @return amount in the token's base units
    function bondOf(address account) external view returns (uint256 amount);

    /// @notice The terms fixed when the contract was made.
    /// @return terms_ of demands
    function terms() external view returns (Terms memory terms_);
}
