// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {MerkleProofLib} from "solady/src/utils/MerkleProofLib.sol";

import {IEmission} from "./interfaces/IEmission.sol";
import {IEpochOracle} from "./interfaces/IEpochOracle.sol";
import {INetworkToken} from "./interfaces/INetworkToken.sol";
import {IRewardsDistributor} from "./interfaces/IRewardsDistributor.sol";
import {ITimelock} from "./interfaces/ITimelock.sol";
import {EmissionCurve} from "./libraries/EmissionCurve.sol";
import {OracleTypes} from "./libraries/OracleTypes.sol";

/// @title Emission, claimed against report roots
/// @notice Pays what reports say was earned, after a delay in which they can be vetoed.
contract RewardsDistributor is IRewardsDistributor, AccessManaged {
    /// @dev All that changes but the claims, in one slot.
    struct State {
        uint40 suspendedUntil; // the guardian's last suspension; it lasts the long claim delay
        uint40 suspendedBefore; // the one before
        uint64 firstEpoch; // the largest number until emission begins
        uint64 lastEpoch; // the largest number until emission ends
    }

    uint256 public constant MAX_VETOES_IN_A_ROW = 3;

    INetworkToken public immutable token;
    IEpochOracle public immutable oracle;
    uint40 public immutable claimDelay;
    uint40 public immutable longClaimDelay;
    uint256 public immutable maxPerCredit;

    uint256 private immutable initialEmission;
    uint256 private immutable eraEpochs;
    uint256 private immutable providerBps;
    uint256 private immutable reportBy;

    State private state;
    mapping(address account => uint256) public claimed;

    modifier onlyToken() {
        if (msg.sender != address(token)) revert RewardsDistributor_NotToken(msg.sender);
        _;
    }

    constructor(
        address authority,
        INetworkToken token_,
        IEpochOracle oracle_,
        ITimelock timelock,
        Terms memory terms
    ) AccessManaged(authority) {
        if (terms.providerBps > 10_000) revert RewardsDistributor_BadBound("providerBps", terms.providerBps, 10_000);
        if (terms.claimDelay == 0 || terms.claimDelay >= terms.longClaimDelay) {
            revert RewardsDistributor_BadBound("claimDelay", terms.claimDelay, terms.longClaimDelay);
        }
        uint256 longest = timelock.longestDelay();
        if (terms.longClaimDelay <= longest) {
            revert RewardsDistributor_BadBound("longClaimDelay", terms.longClaimDelay, longest);
        }
        IEpochOracle.Timing memory t = oracle_.timing();
        // A root must outlive its delay in the ring with an epoch to spare.
        if (uint256(terms.longClaimDelay) + t.reportBy > t.proofWindow) {
            revert RewardsDistributor_BadBound("longClaimDelay", terms.longClaimDelay, t.proofWindow);
        }
        // The token counts the epochs that are reported.
        INetworkToken.Schedule memory s = token_.schedule();
        if (s.genesis != t.genesis) revert RewardsDistributor_BadBound("genesis", t.genesis, s.genesis);
        if (s.epochLength != t.epochLength) {
            revert RewardsDistributor_BadBound("epochLength", t.epochLength, s.epochLength);
        }
        token = token_;
        oracle = oracle_;
        claimDelay = terms.claimDelay;
        longClaimDelay = terms.longClaimDelay;
        maxPerCredit = terms.maxPerCredit;
        providerBps = terms.providerBps;
        initialEmission = s.initialEmission;
        eraEpochs = s.eraEpochs;
        reportBy = t.reportBy;
        // The first minter is named before there is anything to tell; later ones are told.
        state.firstEpoch = token_.minter() == address(this) ? 0 : type(uint64).max;
        state.lastEpoch = type(uint64).max;
    }

    /// @inheritdoc IRewardsDistributor
    function claim(
        uint64 epoch,
        uint256 cumulative,
        bytes32[] calldata proof,
        address receiver
    ) external returns (uint256 amount) {
        if (receiver == address(0)) revert RewardsDistributor_ZeroReceiver();
        (bytes32 root, uint256 limit, uint40 reportedAt, bool isVetoed) = oracle.rewardsOf(epoch);
        if (root == 0) revert RewardsDistributor_NoReport(epoch);
        if (isVetoed) revert RewardsDistributor_Vetoed(epoch);
        uint256 opensAt = _claimableAt(reportedAt);
        if (block.timestamp < opensAt) revert RewardsDistributor_TooEarly(epoch, opensAt, block.timestamp);
        if (!MerkleProofLib.verifyCalldata(proof, root, OracleTypes.rewardLeaf(msg.sender, cumulative))) {
            revert RewardsDistributor_NotInReport(msg.sender, epoch);
        }

        uint256 before = claimed[msg.sender];
        if (cumulative <= before) revert RewardsDistributor_NothingDue(msg.sender, cumulative, before);
        amount = cumulative - before;
        uint256 total = Math.saturatingAdd(totalClaimed(), amount);
        if (total > limit) revert RewardsDistributor_BeyondReport(total, limit);

        claimed[msg.sender] = cumulative;
        emit RewardsClaimed(msg.sender, receiver, epoch, amount);
        token.mint(receiver, amount);
    }

    /// @inheritdoc IRewardsDistributor
    function veto(uint64 epoch) external restricted {
        uint40 reportedAt = _standing(epoch);
        uint40 until = state.suspendedUntil;
        if (reportedAt < until) revert RewardsDistributor_GuardianSuspended(epoch, until);
        // Not the longer time that a suspension leaves to the timelock: else each would let the guardian fell as much again.
        uint256 inARow = _veto(epoch, uint256(reportedAt) + claimDelay);
        if (inARow < MAX_VETOES_IN_A_ROW) return;
        uint40 from = uint40(block.timestamp);
        state.suspendedBefore = until;
        state.suspendedUntil = from + longClaimDelay;
        emit GuardianSuspended(from, from + longClaimDelay);
    }

    /// @inheritdoc IRewardsDistributor
    function vetoByTimelock(uint64 epoch) external restricted {
        _veto(epoch, _claimableAt(_standing(epoch)));
    }

    /// @inheritdoc IEmission
    function beginEmission(uint64 firstEpoch_) external onlyToken {
        if (state.firstEpoch != type(uint64).max) revert RewardsDistributor_AlreadySet(state.firstEpoch);
        state.firstEpoch = firstEpoch_;
        emit EmissionBegun(firstEpoch_);
    }

    /// @inheritdoc IEmission
    function endEmission(uint64 lastEpoch_) external onlyToken {
        if (state.lastEpoch != type(uint64).max) revert RewardsDistributor_AlreadySet(state.lastEpoch);
        state.lastEpoch = lastEpoch_;
        emit EmissionEnded(lastEpoch_);
    }

    /// @inheritdoc IEmission
    function finalTotal() external view returns (uint256 total, bool isFinal) {
        (total, , ) = oracle.lastReport();
        uint64 last = state.lastEpoch;
        if (last == type(uint64).max) return (total, false);
        // Reports of later epochs add nothing, and when they are vetoed nothing is lost.
        uint256 reportedBy = oracle.epochStart(last) + reportBy;
        isFinal = block.timestamp > reportedBy && block.timestamp >= _claimableAt(reportedBy);
    }

    /// @inheritdoc IRewardsDistributor
    function claimableAt(uint64 epoch) external view returns (uint256) {
        (bytes32 root, , uint40 reportedAt, ) = oracle.rewardsOf(epoch);
        return root == 0 ? 0 : _claimableAt(reportedAt);
    }

    /// @inheritdoc IRewardsDistributor
    function guardianSuspendedUntil() external view returns (uint40) {
        return state.suspendedUntil;
    }

    /// @inheritdoc IRewardsDistributor
    function vetoed(uint64 epoch) external view returns (bool isVetoed) {
        (, , , isVetoed) = oracle.rewardsOf(epoch);
    }

    /// @inheritdoc IRewardsDistributor
    function totalClaimed() public view returns (uint256) {
        return token.mintedBy(address(this));
    }

    /// @inheritdoc IRewardsDistributor
    function emission(
        uint64 epoch
    ) external view returns (uint256 providerPool, uint256 validatorPool, uint256 maxPerCredit_) {
        uint256 pool = emissionOf(epoch);
        providerPool = (pool * providerBps) / 10_000;
        return (providerPool, pool - providerPool, maxPerCredit);
    }

    /// @inheritdoc IRewardsDistributor
    function emissionOf(uint64 epoch) public view returns (uint256) {
        if (epoch < state.firstEpoch || epoch > state.lastEpoch) return 0;
        return EmissionCurve.at(initialEmission, eraEpochs, epoch);
    }

    /// @inheritdoc IRewardsDistributor
    function firstEpoch() external view returns (uint64) {
        return state.firstEpoch;
    }

    /// @inheritdoc IRewardsDistributor
    function lastEpoch() external view returns (uint64) {
        return state.lastEpoch;
    }

    /// @dev Vetoes the report and those that went on from it: none of them can be claimed against yet, since a later one never
    /// can be before an earlier one.
    function _veto(uint64 epoch, uint256 closesAt) private returns (uint256 inARow) {
        if (block.timestamp >= closesAt) revert RewardsDistributor_VetoTooLate(epoch, closesAt, block.timestamp);
        uint64[] memory epochs;
        (epochs, inARow) = oracle.markVetoed(epoch);
        for (uint256 i = 0; i < epochs.length; ++i) {
            (bytes32 root, , , ) = oracle.rewardsOf(epochs[i]);
            emit RewardsVetoed(epochs[i], root);
        }
    }

    /// @dev When the report was made; reverts unless there is one that counts.
    function _standing(uint64 epoch) private view returns (uint40 reportedAt) {
        bytes32 root;
        bool isVetoed;
        (root, , reportedAt, isVetoed) = oracle.rewardsOf(epoch);
        if (root == 0) revert RewardsDistributor_NoReport(epoch);
        if (isVetoed) revert RewardsDistributor_Vetoed(epoch);
    }

    /// @dev Reports made while the guardian is suspended wait the long delay; later ones for the last of these, so that nobody
    /// goes round its delay by a report that went on from it. Two suspensions do: when a third begins, all that was reported
    /// before the second has waited long enough.
    function _claimableAt(uint256 reportedAt) private view returns (uint256 at) {
        at = reportedAt + claimDelay;
        (uint256 until, uint256 before) = (state.suspendedUntil, state.suspendedBefore);
        if (until == 0) return at;
        at = Math.max(at, _after(until, reportedAt));
        if (before != 0) at = Math.max(at, _after(before, reportedAt));
    }

    function _after(uint256 suspendedUntil, uint256 reportedAt) private view returns (uint256) {
        if (reportedAt + longClaimDelay < suspendedUntil) return 0; // made before it began
        return Math.min(reportedAt, suspendedUntil) + longClaimDelay;
    }
}
