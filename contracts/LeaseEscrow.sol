// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IDeviceRegistry} from "./interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "./interfaces/IEpochOracle.sol";
import {IFormerEscrow} from "./interfaces/IFormerEscrow.sol";
import {OfferBook} from "./lease/OfferBook.sol";
import {LeaseBook} from "./lease/LeaseBook.sol";
import {Treasury} from "./lease/Treasury.sol";
import {StreamMath} from "./libraries/StreamMath.sol";

/// @title Leases
/// @dev Checks, effects, interactions; and a guard over whatever moves tokens.
contract LeaseEscrow is OfferBook, ReentrancyGuardTransient {
    struct Terms {
        uint40 holdback;
        uint40 maxDowntime;
        uint32 maxAge;
        uint16 feeBps;
    }

    uint256 private constant MIN_PAID = 1 minutes;
    uint16 private constant LEASED = 2;

    uint40 public immutable maxDowntime;
    uint32 private immutable epochLength;

    constructor(
        address authority,
        IEpochOracle oracle_,
        IDeviceRegistry deviceRegistry_,
        Terms memory terms,
        TokenTerms[] memory tokens
    )
        AccessManaged(authority)
        Treasury(terms.feeBps, tokens)
        LeaseBook(deviceRegistry_, terms.holdback)
        OfferBook(oracle_, terms.maxAge)
    {
        IEpochOracle.Timing memory t = oracle_.timing();
        // A refund for an epoch must be able to come before the claim that takes its money.
        uint256 least = 2 * uint256(t.epochLength) + t.reportBy;
        if (terms.holdback < least) revert LeaseEscrow_BadBound("holdback", terms.holdback, least);
        uint256 most = uint256(t.epochLength) + t.proofWindow;
        if (terms.holdback >= most) revert LeaseEscrow_BadBound("holdback", terms.holdback, most);
        if (terms.maxDowntime == 0) revert LeaseEscrow_BadBound("maxDowntime", terms.maxDowntime, 1);
        maxDowntime = terms.maxDowntime;
        epochLength = t.epochLength;
    }

    /// @inheritdoc IFormerEscrow
    function open(
        Offer calldata offer,
        bytes calldata signature,
        uint128 deposit,
        IEpochOracle.DeviceLeaf calldata leaf,
        bytes32[] calldata proof,
        uint64 minScore
    ) external nonReentrant whenEntryOpen returns (uint256 leaseId) {
        return _open(offer, signature, deposit, leaf, proof, minScore);
    }

    /// @inheritdoc IFormerEscrow
    function openWithPermit(
        Offer calldata offer,
        bytes calldata signature,
        uint128 deposit,
        IEpochOracle.DeviceLeaf calldata leaf,
        bytes32[] calldata proof,
        uint64 minScore,
        Permit calldata permit
    ) external nonReentrant whenEntryOpen returns (uint256 leaseId) {
        _allowedIndex(offer.token);
        // A permit that somebody else has spent has left its allowance behind.
        try
            IERC20Permit(offer.token).permit(
                msg.sender,
                address(this),
                deposit,
                permit.deadline,
                permit.v,
                permit.r,
                permit.s
            )
        {} catch {}
        return _open(offer, signature, deposit, leaf, proof, minScore);
    }

    /// @inheritdoc IFormerEscrow
    function cancel(uint256 leaseId) external {
        Row storage l = _renterLease(leaseId, Status.Pending);
        l.cancelled = true;
        emit LeaseCancelled(leaseId, l.deposit);
    }

    /// @inheritdoc IFormerEscrow
    function start(
        uint256 leaseId,
        bytes32 resultRoot,
        uint40 validUntil,
        bytes calldata signature
    ) external nonReentrant {
        Row storage l = _inStatus(leaseId, Status.Pending);
        if (msg.sender != l.provider) revert LeaseEscrow_NotParty(leaseId, msg.sender);
        _checkStart(l.renter, leaseId, resultRoot, validUntil, signature);
        uint40 device = l.device;
        (bytes32 deviceId, bool active) = deviceRegistry.deviceNumbered(device);
        uint256 live = _liveLease(device);
        if (live != 0) revert LeaseEscrow_DeviceLeased(deviceId, live);
        if (!active) revert LeaseEscrow_DeviceNotActive(deviceId);

        uint40 now_ = uint40(block.timestamp);
        uint128 rate = l.rate;
        uint40 stop = now_ + StreamMath.term(rate, l.deposit, l.maxDuration);
        uint128 bond = uint128(StreamMath.cost(rate, l.minDuration));
        latestLease[device] = leaseId;
        l.bond = bond;
        l.start = now_;
        emit LeaseStarted(leaseId, resultRoot, now_, stop, bond);
        if (bond != 0) _take(_tokenAt(l.tokenIndex), msg.sender, bond);
    }

    /// @inheritdoc IFormerEscrow
    function topUp(uint256 leaseId, uint128 amount) external nonReentrant {
        Row storage l = _renterLease(leaseId, Status.Active);
        uint40 stop = _stopOf(l);
        if (block.timestamp >= stop) revert LeaseEscrow_Stopped(leaseId, stop);
        uint128 rate = l.rate;
        uint256 deposit = uint256(l.deposit) + amount;
        uint256 most = StreamMath.cost(rate, l.maxDuration);
        if (amount == 0) revert LeaseEscrow_DepositTooSmall(0, 1);
        if (deposit > most) revert LeaseEscrow_DepositTooLarge(deposit, most);
        stop = l.start + StreamMath.term(rate, deposit, l.maxDuration);
        l.deposit = uint128(deposit);
        emit LeaseToppedUp(leaseId, amount, stop);
        _take(_tokenAt(l.tokenIndex), msg.sender, amount);
    }

    /// @inheritdoc IFormerEscrow
    function end(uint256 leaseId) external {
        Row storage l = _inStatus(leaseId, Status.Active);
        bool byRenter = msg.sender == l.renter;
        if (!byRenter && msg.sender != l.provider) revert LeaseEscrow_NotParty(leaseId, msg.sender);
        uint40 now_ = uint40(block.timestamp);
        uint40 stop = _stopOf(l);
        if (now_ >= stop) revert LeaseEscrow_Stopped(leaseId, stop);
        uint256 forfeited;
        uint40 least = l.start + l.minDuration;
        // Whoever keeps the device down loses the bond, and the renter its duty to stay.
        bool free = l.downtime > maxDowntime;
        if (byRenter && !free && now_ < least) {
            if (least < stop) stop = least;
        } else {
            stop = now_;
            if (!byRenter && !free) forfeited = StreamMath.unserved(l.bond, now_ - l.start, l.minDuration);
        }
        l.stop = stop;
        l.endedAt = now_;
        if (forfeited != 0) l.forfeited = uint128(forfeited);
        emit LeaseEnded(leaseId, msg.sender, stop, forfeited);
    }

    /// @inheritdoc IFormerEscrow
    function claim(uint256 leaseId, address receiver) external nonReentrant returns (uint256 amount) {
        Row storage l = _due(leaseId, receiver);
        if (msg.sender != l.provider) revert LeaseEscrow_NotParty(leaseId, msg.sender);
        uint256 gross = _claimable(l);
        if (gross == 0) revert LeaseEscrow_NothingDue(leaseId);
        uint16 index = l.tokenIndex;
        uint256 before = l.claimed;
        uint256 floor = _feeFloorAt(index);
        uint256 fee = StreamMath.fee(before + gross, l.feeBps, floor) - StreamMath.fee(before, l.feeBps, floor);
        amount = gross - fee;
        l.claimed = uint128(before + gross);
        address token = _tokenAt(index);
        _earnFee(token, fee);
        emit LeaseClaimed(leaseId, receiver, amount, fee);
        _pay(token, receiver, amount);
    }

    /// @inheritdoc IFormerEscrow
    function refund(uint256 leaseId, address receiver) external nonReentrant returns (uint256 amount) {
        Row storage l = _due(leaseId, receiver);
        if (msg.sender != l.renter) revert LeaseEscrow_NotParty(leaseId, msg.sender);
        amount = _refundable(l);
        if (amount == 0) revert LeaseEscrow_NothingDue(leaseId);
        l.refunded += uint128(amount);
        emit LeaseRefunded(leaseId, receiver, amount);
        _pay(_tokenAt(l.tokenIndex), receiver, amount);
    }

    /// @inheritdoc IFormerEscrow
    function returnBond(uint256 leaseId, address receiver) external nonReentrant returns (uint256 amount) {
        Row storage l = _due(leaseId, receiver);
        if (msg.sender != l.provider) revert LeaseEscrow_NotParty(leaseId, msg.sender);
        amount = _bondLeft(l);
        if (amount == 0) revert LeaseEscrow_NothingDue(leaseId);
        uint256 until = _bondHeldUntil(l);
        if (block.timestamp < until) revert LeaseEscrow_BondHeld(leaseId, until, block.timestamp);
        l.bondReturned += uint128(amount);
        emit BondReturned(leaseId, receiver, amount);
        _pay(_tokenAt(l.tokenIndex), receiver, amount);
    }

    /// @inheritdoc IFormerEscrow
    function refundDowntime(uint256 leaseId, IEpochOracle.DeviceLeaf calldata leaf, bytes32[] calldata proof) external {
        Row storage l = leases[leaseId];
        if (l.start == 0) revert LeaseEscrow_WrongStatus(leaseId, _statusOf(l));
        uint256 from = oracle.epochStart(leaf.epoch);
        uint256 to = from + epochLength;
        uint256 last = _stopOf(l);
        if (l.endedAt != 0 && l.endedAt < last) last = l.endedAt;
        if (last > block.timestamp) last = block.timestamp; // a report may come before its epoch is over
        if (from < l.start || to > last) revert LeaseEscrow_EpochOutsideLease(leaf.epoch, l.start, last);
        if (leaf.epoch < l.nextEpoch) revert LeaseEscrow_EpochOutOfOrder(leaf.epoch, l.nextEpoch);
        // Claims reach up to now - holdback; later the epoch's money may be gone.
        if (block.timestamp > from + holdback) {
            revert LeaseEscrow_DowntimeTooOld(leaf.epoch, from + holdback, block.timestamp);
        }
        (bytes32 deviceId, ) = deviceRegistry.deviceNumbered(l.device);
        if (leaf.deviceId != deviceId) revert LeaseEscrow_DeviceNotInReport(deviceId, leaf.epoch);
        if (leaf.flags & LEASED == 0) revert LeaseEscrow_NotLeasedInReport(leaf.deviceId, leaf.flags);
        if (leaf.uptimeBps >= 10_000) revert LeaseEscrow_NoDowntime(leaf.epoch, leaf.uptimeBps);
        _checkReported(leaf, proof);

        uint256 down = 10_000 - uint256(leaf.uptimeBps);
        uint256 amount = StreamMath.streamed(l.rate, ((to - from) * down) / 10_000);
        uint40 downtime = l.downtime + uint40(((to - from) * down) / 10_000);
        l.nextEpoch = leaf.epoch + 1;
        l.downtimeRefund += uint128(amount);
        l.downtime = downtime;
        emit DowntimeRefunded(leaseId, leaf.epoch, amount);
        if (downtime > maxDowntime && l.forfeited < l.bond) {
            l.forfeited = l.bond;
            emit BondForfeited(leaseId, l.bond);
        }
    }

    function _open(
        Offer calldata offer,
        bytes calldata signature,
        uint128 deposit,
        IEpochOracle.DeviceLeaf calldata leaf,
        bytes32[] calldata proof,
        uint64 minScore
    ) private returns (uint256 leaseId) {
        uint40 device = _checkOffer(offer, signature);
        _checkMeasured(offer.deviceId, leaf, proof, minScore);
        return _record(offer, device, deposit);
    }

    function _record(Offer calldata offer, uint40 device, uint128 deposit) private returns (uint256 leaseId) {
        uint16 tokenIndex = _allowedIndex(offer.token);
        uint256 least = StreamMath.cost(offer.rate, offer.minDuration > MIN_PAID ? offer.minDuration : MIN_PAID);
        if (deposit < least) revert LeaseEscrow_DepositTooSmall(deposit, least);
        uint256 most = StreamMath.cost(offer.rate, offer.maxDuration > MIN_PAID ? offer.maxDuration : MIN_PAID);
        if (deposit > most) revert LeaseEscrow_DepositTooLarge(deposit, most);

        Row storage l;
        (leaseId, l) = _nextLease();
        l.renter = msg.sender;
        l.tokenIndex = tokenIndex;
        l.maxDuration = uint32(offer.maxDuration);
        l.device = device;
        l.provider = offer.provider;
        l.feeBps = feeBps;
        l.minDuration = uint32(offer.minDuration);
        l.openedAt = uint40(block.timestamp);
        l.rate = offer.rate;
        l.deposit = deposit;
        emit LeaseOpened(leaseId, msg.sender, offer.provider, offer.deviceId, offer.token, offer.rate, deposit);
        _take(offer.token, msg.sender, deposit);
    }
}
