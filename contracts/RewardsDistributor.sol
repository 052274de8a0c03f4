// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {MerkleProofLib} from "solady/src/utils/MerkleProofLib.sol";

import {NetworkToken} from "./NetworkToken.sol";
import {IEpochOracle} from "./interfaces/IEpochOracle.sol";
import {IRewardsDistributor} from "./interfaces/IRewardsDistributor.sol";
import {EmissionCurve} from "./libraries/EmissionCurve.sol";
import {OracleTypes} from "./libraries/OracleTypes.sol";

/// @title Emission, claimed against report roots
contract RewardsDistributor is IRewardsDistributor, AccessManaged {
    /// @dev What the curve and the claims depend on; fixed for ever.
    struct Schedule {
        uint128 initialEmission; // of one epoch of the first era
        uint32 eraEpochs;
        uint16 providerBps; // share of providers; validators have the rest
        uint128 maxPerCredit;
        uint40 claimDelay;
    }

    NetworkToken public immutable token;
    IEpochOracle public immutable oracle;
    uint40 public immutable claimDelay;
    uint256 public immutable maxPerCredit;

    uint256 private immutable initialEmission;
    uint256 private immutable eraEpochs;
    uint256 private immutable providerBps;
    uint256 private immutable mintedBefore;

    mapping(address account => uint256) public claimed;

    constructor(
        address authority,
        NetworkToken token_,
        IEpochOracle oracle_,
        Schedule memory s
    ) AccessManaged(authority) {
        if (s.eraEpochs == 0) revert RewardsDistributor_BadBound("eraEpochs", s.eraEpochs, 1);
        if (s.providerBps > 10_000) revert RewardsDistributor_BadBound("providerBps", s.providerBps, 10_000);
        IEpochOracle.Timing memory t = oracle_.timing();
        // The root must outlive its delay in the ring with an epoch to spare.
        if (s.claimDelay == 0 || s.claimDelay + t.reportBy > t.proofWindow) {
            revert RewardsDistributor_BadBound("claimDelay", s.claimDelay, t.proofWindow);
        }
        uint256 most = EmissionCurve.total(s.initialEmission, s.eraEpochs);
        mintedBefore = token_.minted();
        uint256 room = token_.cap() - mintedBefore;
        if (most > room) revert RewardsDistributor_BadBound("initialEmission", most, room);
        token = token_;
        oracle = oracle_;
        claimDelay = s.claimDelay;
        maxPerCredit = s.maxPerCredit;
        initialEmission = s.initialEmission;
        eraEpochs = s.eraEpochs;
        providerBps = s.providerBps;
    }

    /// @inheritdoc IRewardsDistributor
    function claim(
        uint64 epoch,
        uint256 cumulative,
        bytes32[] calldata proof,
        address receiver
    ) external returns (uint256 amount) {
        if (receiver == address(0)) revert RewardsDistributor_ZeroReceiver();
        (bytes32 root, , uint40 reportedAt, bool isVetoed) = oracle.rewardsOf(epoch);
        if (root == 0) revert RewardsDistributor_NoReport(epoch);
        if (isVetoed) revert RewardsDistributor_Vetoed(epoch);
        uint256 claimableAt = uint256(reportedAt) + claimDelay;
        if (block.timestamp < claimableAt) revert RewardsDistributor_TooEarly(epoch, claimableAt, block.timestamp);
        if (!MerkleProofLib.verifyCalldata(proof, root, OracleTypes.rewardLeaf(msg.sender, cumulative))) {
            revert RewardsDistributor_NotInReport(msg.sender, epoch);
        }

        uint256 before = claimed[msg.sender];
        if (cumulative <= before) revert RewardsDistributor_NothingDue(msg.sender, cumulative, before);
        amount = cumulative - before;
        uint256 total = Math.saturatingAdd(totalClaimed(), amount);
        uint256 limit = scheduleLimit(epoch);
        if (total > limit) revert RewardsDistributor_BeyondSchedule(total, limit);

        claimed[msg.sender] = cumulative;
        emit RewardsClaimed(msg.sender, receiver, epoch, amount);
        token.mint(receiver, amount);
    }

    /// @inheritdoc IRewardsDistributor
    function veto(uint64 epoch) external restricted {
        (bytes32 root, , uint40 reportedAt, ) = oracle.rewardsOf(epoch);
        if (root == 0) revert RewardsDistributor_NoReport(epoch);
        uint256 claimableAt = uint256(reportedAt) + claimDelay;
        if (block.timestamp >= claimableAt) {
            revert RewardsDistributor_VetoTooLate(epoch, claimableAt, block.timestamp);
        }
        emit RewardsVetoed(epoch, root);
        oracle.markVetoed(epoch);
    }

    /// @inheritdoc IRewardsDistributor
    function vetoed(uint64 epoch) external view returns (bool isVetoed) {
        (, , , isVetoed) = oracle.rewardsOf(epoch);
    }

    /// @notice All that was ever claimed: nobody else mints.
    function totalClaimed() public view returns (uint256) {
        return token.minted() - mintedBefore;
    }

    /// @inheritdoc IRewardsDistributor
    function emission(
        uint64 epoch
    ) external view returns (uint256 providerPool, uint256 validatorPool, uint256 maxPerCredit_) {
        uint256 pool = EmissionCurve.at(initialEmission, eraEpochs, epoch);
        providerPool = (pool * providerBps) / 10_000;
        return (providerPool, pool - providerPool, maxPerCredit);
    }

    /// @inheritdoc IRewardsDistributor
    function scheduleLimit(uint64 epoch) public view returns (uint256) {
        return EmissionCurve.upTo(initialEmission, eraEpochs, epoch);
    }
}
