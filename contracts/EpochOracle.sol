// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Blockhash} from "@openzeppelin/contracts/utils/Blockhash.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {EfficientHashLib} from "solady/src/utils/EfficientHashLib.sol";
import {MerkleProofLib} from "solady/src/utils/MerkleProofLib.sol";

import {IEpochOracle} from "./interfaces/IEpochOracle.sol";
import {IRewardsDistributor} from "./interfaces/IRewardsDistributor.sol";
import {IValidatorSet} from "./interfaces/IValidatorSet.sol";
import {OracleTypes} from "./libraries/OracleTypes.sol";
import {QuorumSignatures} from "./libraries/QuorumSignatures.sol";
import {SeatBlob} from "./libraries/SeatBlob.sol";

/// @title Epochs in a ring of storage
/// @notice Opens, seals, draws and reports epochs, and keeps them through their proof window.
/// @dev Slots are reused epoch after epoch, so that a write costs 5,000 gas and not 22,100. A slot's age shows in `openedAt`:
/// an epoch can only be opened within itself. Whatever is stale is read as zero.
contract EpochOracle is IEpochOracle, EIP712 {
    /// @dev What the ring keeps of one epoch.
    struct EpochRecord {
        uint40 openedAt; // slot 0, written by open, seal, draw, void
        uint48 sealBlock;
        uint32 setId;
        uint32 sealCount;
        uint32 sealSigners;
        uint8 seats;
        bool drawn;
        bool voided;
        uint128 rewardsTotal; // slot 1, written by report and veto; names its epoch, so that readers of reports need no other
        uint48 reportedEpoch;
        uint40 reportedAt;
        uint32 reportSigners;
        bool vetoed;
        bytes32 beacon;
        bytes32 sealRoot;
        bytes32 rho;
        bytes32 devicesRoot;
        bytes32 rewardsRoot;
        bytes32 dataHash;
    }

    /// @dev What opening and reporting have to know of the epochs before, in one slot.
    struct History {
        uint96 rewardsTotal; // of the last report that counts
        uint96 forgottenTotal; // of the last report that counted when the ring overwrote it
        uint32 nextReport; // the earliest epoch that can still be reported; 0 before any report
        uint24 setId; // that of the last epoch opened; 0: ask the ValidatorSet, since a change may be due
        uint8 seats;
    }

    IValidatorSet public immutable validatorSet;
    IRewardsDistributor public immutable schedule;
    uint64 public immutable ringSize;

    uint40 private immutable genesis;
    uint32 private immutable epochLength;
    uint32 private immutable openBy;
    uint32 private immutable sealBy;
    uint32 private immutable drawBy;
    uint32 private immutable reportBy;
    uint32 private immutable drawDelay;
    uint40 private immutable proofWindow;

    uint256 private constant REWARDED_SEATS = 4;

    History private history;
    mapping(uint256 index => EpochRecord) private ring;

    constructor(IValidatorSet validatorSet_, IRewardsDistributor schedule_, Timing memory t) EIP712("Assay", "1") {
        if (t.epochLength == 0) revert EpochOracle_BadTiming("epochLength", t.epochLength, 1);
        if (t.openBy == 0 || t.openBy >= t.sealBy) revert EpochOracle_BadTiming("openBy", t.openBy, t.sealBy);
        if (t.sealBy >= t.drawBy) revert EpochOracle_BadTiming("sealBy", t.sealBy, t.drawBy);
        if (t.drawBy >= t.epochLength) revert EpochOracle_BadTiming("drawBy", t.drawBy, t.epochLength);
        // Whoever was left out of a report made in the last second can still add its signature.
        if (t.reportBy <= t.drawBy || t.reportBy >= uint256(t.epochLength) + t.drawBy) {
            revert EpochOracle_BadTiming("reportBy", t.reportBy, uint256(t.epochLength) + t.drawBy);
        }
        if (t.drawDelay == 0) revert EpochOracle_BadTiming("drawDelay", t.drawDelay, 1);
        if (t.proofWindow <= t.reportBy) revert EpochOracle_BadTiming("proofWindow", t.proofWindow, t.reportBy);
        validatorSet = validatorSet_;
        schedule = schedule_;
        genesis = t.genesis;
        epochLength = t.epochLength;
        openBy = t.openBy;
        sealBy = t.sealBy;
        drawBy = t.drawBy;
        reportBy = t.reportBy;
        drawDelay = t.drawDelay;
        proofWindow = t.proofWindow;
        // A record is overwritten no sooner than its epoch's proof window has closed.
        ringSize = uint64(t.proofWindow / t.epochLength) + 3;
    }

    /// @inheritdoc IEpochOracle
    function openEpoch(uint64 epoch) external returns (bytes32 beacon) {
        uint256 opens = epochStart(epoch);
        if (block.timestamp < opens) revert EpochOracle_TooEarly(epoch, opens, block.timestamp);
        if (block.timestamp > opens + openBy) revert EpochOracle_TooLate(epoch, opens + openBy, block.timestamp);
        EpochRecord storage p = ring[epoch % ringSize];
        if (_isOf(p.openedAt, epoch)) revert EpochOracle_WrongPhase(epoch, _phaseOf(p, epoch));

        History memory h = history;
        uint32 setId = h.setId;
        uint8 seats = h.seats;
        // Most epochs begin with the set of the last: then nobody need be asked.
        if (setId == 0) {
            bool waiting;
            (setId, seats, waiting) = validatorSet.snapshot(epoch);
            if (seats == 0) revert EpochOracle_NoSeats(epoch);
            history.setId = waiting || setId > type(uint24).max ? 0 : uint24(setId);
            history.seats = seats;
        }
        bytes32 lastRoot = h.nextReport == 0 ? bytes32(0) : ring[(h.nextReport - 1) % ringSize].devicesRoot;
        beacon = keccak256(abi.encode(block.prevrandao, blockhash(block.number - 1), epoch, lastRoot));
        p.openedAt = uint40(block.timestamp);
        p.sealBlock = 0;
        p.setId = setId;
        p.sealCount = 0;
        p.sealSigners = 0;
        p.seats = seats;
        p.drawn = false;
        p.voided = false;
        p.beacon = beacon;
        emit EpochOpened(epoch, setId, beacon, _epochSeed(epoch, beacon));
    }

    /// @inheritdoc IEpochOracle
    function seal(uint64 epoch, uint32 round, bytes32 sealRoot, uint32 count, Quorum calldata quorum) external {
        EpochRecord storage p = _recordIn(epoch, Phase.Open);
        _notAfter(epoch, sealBy);
        // An epoch in which every device is leased seals nothing, and still reports uptime.
        if ((sealRoot == 0) != (count == 0)) revert EpochOracle_ZeroRoot(epoch);
        bytes32 digest = _sealDigest(epoch, p, round, sealRoot, count);
        _checkQuorum(digest, p.setId, quorum, QuorumSignatures.quorumOf(p.seats));
        p.sealCount = count;
        p.sealBlock = uint48(block.number);
        p.sealSigners = quorum.signers;
        p.sealRoot = sealRoot;
        emit EpochSealed(epoch, round, sealRoot, count, quorum.signers);
    }

    /// @inheritdoc IEpochOracle
    function draw(uint64 epoch) external returns (bytes32 rho) {
        EpochRecord storage p = _recordIn(epoch, Phase.Sealed);
        _notAfter(epoch, drawBy);
        uint256 drawBlock = uint256(p.sealBlock) + drawDelay;
        if (block.number <= drawBlock) revert EpochOracle_TooEarly(epoch, drawBlock + 1, block.number);
        bytes32 hash = Blockhash.blockHash(drawBlock);
        if (hash == 0) revert EpochOracle_BlockhashGone(epoch, drawBlock);
        rho = EfficientHashLib.hash(hash, p.sealRoot);
        p.drawn = true;
        p.rho = rho;
        emit EpochDrawn(epoch, rho);
    }

    /// @inheritdoc IEpochOracle
    function report(Report calldata r, Quorum calldata quorum) external {
        EpochRecord storage p = _recordIn(r.epoch, Phase.Drawn);
        _notAfter(r.epoch, reportBy);
        if (r.devicesRoot == 0 || (r.rewardsRoot == 0 && r.rewardsTotal != 0)) revert EpochOracle_ZeroRoot(r.epoch);
        (uint32 setId, uint8 seats) = (p.setId, p.seats);
        History memory h = history;
        _checkRewards(r, seats, h);
        bytes32 digest = _hashTypedDataV4(OracleTypes.reportHashOf(r, setId, p.rho));
        _checkQuorum(digest, setId, quorum, QuorumSignatures.quorumOf(seats));

        h.rewardsTotal = uint96(r.rewardsTotal);
        h.nextReport = uint32(r.epoch + 1);
        // What this overwrites is too old to be vetoed; should all that the ring still keeps be, totals go on from there.
        if (!p.vetoed && p.rewardsTotal > h.forgottenTotal) h.forgottenTotal = uint96(p.rewardsTotal);
        history = h;
        p.rewardsTotal = uint128(r.rewardsTotal);
        p.reportedEpoch = uint48(r.epoch);
        p.reportedAt = uint40(block.timestamp);
        p.reportSigners = quorum.signers;
        p.vetoed = false;
        p.devicesRoot = r.devicesRoot;
        p.rewardsRoot = r.rewardsRoot;
        p.dataHash = r.dataHash;
        emit EpochReported(r.epoch, r.round, r.devicesRoot, r.rewardsRoot, r.rewardsTotal, r.dataHash, quorum.signers);
    }

    /// @inheritdoc IEpochOracle
    function addSignatures(uint64 epoch, bool isReport, uint32 round, Quorum calldata quorum) external {
        EpochRecord storage p = ring[epoch % ringSize];
        Phase phase = _phaseOf(p, epoch);
        // Presence counts until the report that pays for it can be made.
        uint256 closes = epochStart(epoch) + (isReport ? epochLength + uint256(drawBy) : drawBy);
        if (block.timestamp > closes) revert EpochOracle_TooLate(epoch, closes, block.timestamp);
        bytes32 digest;
        if (isReport) {
            if (phase != Phase.Reported) revert EpochOracle_WrongPhase(epoch, phase);
            Report memory r = Report(epoch, round, p.devicesRoot, p.rewardsRoot, p.rewardsTotal, p.dataHash);
            digest = _hashTypedDataV4(OracleTypes.reportHash(r, p.setId, p.rho));
        } else {
            if (p.sealBlock == 0 || phase == Phase.None) revert EpochOracle_WrongPhase(epoch, phase);
            digest = _sealDigest(epoch, p, round, p.sealRoot, p.sealCount);
        }
        _checkQuorum(digest, p.setId, quorum, 1);
        uint32 signers = (isReport ? p.reportSigners : p.sealSigners) | quorum.signers;
        if (isReport) p.reportSigners = signers;
        else p.sealSigners = signers;
        emit SignaturesAdded(epoch, isReport, signers);
    }

    /// @inheritdoc IEpochOracle
    function voidEpoch(uint64 epoch) external {
        EpochRecord storage p = ring[epoch % ringSize];
        Phase phase = _phaseOf(p, epoch);
        uint256 deadline;
        if (phase == Phase.Open) deadline = sealBy;
        else if (phase == Phase.Sealed) deadline = drawBy;
        else if (phase == Phase.Drawn) deadline = reportBy;
        else revert EpochOracle_WrongPhase(epoch, phase);
        if (block.timestamp <= epochStart(epoch) + deadline) revert EpochOracle_NotDue(epoch);
        p.voided = true;
        emit EpochVoided(epoch, phase);
    }

    /// @inheritdoc IEpochOracle
    function markVetoed(uint64 epoch) external returns (uint64[] memory vetoedNow, uint256 inARow) {
        if (msg.sender != address(schedule)) revert EpochOracle_NotSchedule(msg.sender);
        if (!_isReported(ring[epoch % ringSize], epoch)) {
            revert EpochOracle_WrongPhase(epoch, _phaseOf(ring[epoch % ringSize], epoch));
        }
        vetoedNow = _vetoFrom(epoch);
        // Whatever still counts is earlier. Records are looked at whatever their age: after an outage the last that counts is old.
        uint96 total = history.forgottenTotal;
        uint256 next;
        for (uint256 at = 0; at < ringSize; ++at) {
            EpochRecord storage p = ring[at];
            if (p.reportedAt == 0 || p.vetoed || p.reportedEpoch < next) continue;
            next = uint256(p.reportedEpoch) + 1;
            if (p.rewardsTotal > total) total = uint96(p.rewardsTotal);
        }
        history.rewardsTotal = total;
        for (uint256 at = 0; at < ringSize; ++at) if (ring[at].vetoed && ring[at].reportedEpoch >= next) ++inARow;
    }

    /// @inheritdoc IEpochOracle
    function noteSetChange() external {
        if (msg.sender != address(validatorSet)) revert EpochOracle_NotValidatorSet(msg.sender);
        history.setId = 0;
    }

    /// @inheritdoc IEpochOracle
    function epochState(uint64 epoch) external view returns (EpochState memory s) {
        EpochRecord storage p = ring[epoch % ringSize];
        s.phase = _phaseOf(p, epoch);
        if (s.phase == Phase.None) return s;
        s.setId = p.setId;
        s.seats = p.seats;
        s.openedAt = p.openedAt;
        s.beacon = p.beacon;
        s.epochSeed = _epochSeed(epoch, p.beacon);
        if (p.sealBlock != 0) {
            s.sealCount = p.sealCount;
            s.sealBlock = p.sealBlock;
            s.sealSigners = p.sealSigners;
            s.sealRoot = p.sealRoot;
        }
        if (p.drawn) s.rho = p.rho;
        if (s.phase == Phase.Reported) {
            s.reportedAt = p.reportedAt;
            s.reportSigners = p.reportSigners;
            s.devicesRoot = p.devicesRoot;
            s.rewardsRoot = p.rewardsRoot;
            s.rewardsTotal = p.rewardsTotal;
            s.dataHash = p.dataHash;
        }
    }

    /// @inheritdoc IEpochOracle
    function epochSeed(uint64 epoch) external view returns (bytes32) {
        EpochRecord storage p = ring[epoch % ringSize];
        return _isOf(p.openedAt, epoch) ? _epochSeed(epoch, p.beacon) : bytes32(0);
    }

    /// @inheritdoc IEpochOracle
    function sealOf(uint64 epoch) external view returns (bytes32 sealRoot, uint32 count, uint32 signers, bytes32 rho) {
        EpochRecord storage p = ring[epoch % ringSize];
        if (!_isOf(p.openedAt, epoch) || p.sealBlock == 0) return (0, 0, 0, 0);
        return (p.sealRoot, p.sealCount, p.sealSigners, p.drawn ? p.rho : bytes32(0));
    }

    /// @inheritdoc IEpochOracle
    function rewardsOf(
        uint64 epoch
    ) external view returns (bytes32 root, uint256 total, uint40 reportedAt, bool vetoed) {
        EpochRecord storage p = ring[epoch % ringSize];
        if (!_isReported(p, epoch)) return (0, 0, 0, false);
        return (p.rewardsRoot, p.rewardsTotal, p.reportedAt, p.vetoed);
    }

    /// @inheritdoc IEpochOracle
    function lastReport() external view returns (uint128 rewardsTotal, uint64 epoch, bool any) {
        uint32 next = history.nextReport;
        return (history.rewardsTotal, next == 0 ? 0 : next - 1, next != 0);
    }

    /// @inheritdoc IEpochOracle
    function presence(uint64 epoch) external view returns (uint32 setId, uint32 sealSigners, uint32 reportSigners) {
        EpochRecord storage p = ring[epoch % ringSize];
        if (!_isOf(p.openedAt, epoch)) return (0, 0, 0);
        return (p.setId, p.sealSigners, _isReported(p, epoch) ? p.reportSigners : 0);
    }

    /// @inheritdoc IEpochOracle
    function devicesRootOf(uint64 epoch) public view returns (bytes32) {
        EpochRecord storage p = ring[epoch % ringSize];
        return _isReported(p, epoch) ? p.devicesRoot : bytes32(0);
    }

    /// @inheritdoc IEpochOracle
    function verifyDevice(DeviceLeaf calldata leaf, bytes32[] calldata proof) external view returns (bool) {
        bytes32 root = devicesRootOf(leaf.epoch);
        return root != 0 && MerkleProofLib.verifyCalldata(proof, root, OracleTypes.deviceLeaf(leaf));
    }

    /// @inheritdoc IEpochOracle
    function currentEpoch() external view returns (uint64) {
        return block.timestamp < genesis ? 0 : uint64((block.timestamp - genesis) / epochLength);
    }

    /// @inheritdoc IEpochOracle
    function epochStart(uint64 epoch) public view returns (uint256) {
        return genesis + uint256(epoch) * epochLength;
    }

    /// @inheritdoc IEpochOracle
    function timing() external view returns (Timing memory) {
        return Timing(genesis, epochLength, openBy, sealBy, drawBy, reportBy, drawDelay, proofWindow);
    }

    /// @inheritdoc IEpochOracle
    function provable(uint64 epoch) external view returns (bool) {
        return
            _isOf(ring[epoch % ringSize].openedAt, epoch) &&
            block.timestamp <= epochStart(epoch) + epochLength + proofWindow;
    }

    /// @inheritdoc IEpochOracle
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @dev Sets the mark on the report and on all later ones, which went on from it.
    function _vetoFrom(uint64 epoch) private returns (uint64[] memory vetoedNow) {
        uint64 end = history.nextReport;
        vetoedNow = new uint64[](end - epoch);
        uint256 n;
        for (uint64 e = epoch; e < end; ++e) {
            EpochRecord storage p = ring[e % ringSize];
            if (!_isReported(p, e) || p.vetoed) continue;
            p.vetoed = true;
            vetoedNow[n++] = e;
        }
        assembly ("memory-safe") {
            mstore(vetoedNow, n)
        }
    }

    function _checkRewards(Report calldata r, uint8 seats, History memory h) private view {
        (uint256 before, uint32 next) = (h.rewardsTotal, h.nextReport);
        if (r.epoch < next) revert EpochOracle_OutOfOrder(r.epoch, next - 1);
        if (r.rewardsTotal < before) revert EpochOracle_RewardsShrank(r.rewardsTotal, before);
        if (r.rewardsTotal == before) return;
        // Below four seats no fault is tolerated, so nothing new is earned.
        uint256 limit = seats < REWARDED_SEATS ? before : before + schedule.emissionOf(r.epoch);
        if (r.rewardsTotal > limit || r.rewardsTotal > type(uint96).max) {
            revert EpochOracle_RewardsBeyondEmission(r.rewardsTotal, limit);
        }
    }

    function _checkQuorum(bytes32 digest, uint32 setId, Quorum calldata quorum, uint256 least) private view {
        address blob = SeatBlob.addressOf(address(validatorSet), setId);
        QuorumSignatures.check(digest, blob, quorum.signers, quorum.signatures, least);
    }

    function _sealDigest(
        uint64 epoch,
        EpochRecord storage p,
        uint32 round,
        bytes32 sealRoot,
        uint32 count
    ) private view returns (bytes32) {
        bytes32 seed = _epochSeed(epoch, p.beacon);
        return _hashTypedDataV4(OracleTypes.sealHash(epoch, p.setId, round, seed, sealRoot, count));
    }

    function _epochSeed(uint64 epoch, bytes32 beacon) private view returns (bytes32) {
        return OracleTypes.epochSeed(address(this), epoch, beacon);
    }

    function _recordIn(uint64 epoch, Phase expected) private view returns (EpochRecord storage p) {
        p = ring[epoch % ringSize];
        Phase phase = _phaseOf(p, epoch);
        if (phase != expected) revert EpochOracle_WrongPhase(epoch, phase);
    }

    function _phaseOf(EpochRecord storage p, uint64 epoch) private view returns (Phase) {
        if (!_isOf(p.openedAt, epoch)) return Phase.None;
        if (p.voided) return Phase.Void;
        if (p.drawn) return _isReported(p, epoch) ? Phase.Reported : Phase.Drawn;
        return p.sealBlock != 0 ? Phase.Sealed : Phase.Open;
    }

    function _isReported(EpochRecord storage p, uint64 epoch) private view returns (bool) {
        return p.reportedEpoch == epoch && p.reportedAt != 0;
    }

    /// @dev An epoch is opened within itself, so the time of opening names the epoch.
    function _isOf(uint40 openedAt, uint64 epoch) private view returns (bool) {
        if (openedAt == 0) return false;
        uint256 start = epochStart(epoch);
        return openedAt >= start && openedAt < start + epochLength;
    }

    function _notAfter(uint64 epoch, uint32 deadline) private view {
        uint256 closes = epochStart(epoch) + deadline;
        if (block.timestamp > closes) revert EpochOracle_TooLate(epoch, closes, block.timestamp);
    }
}
