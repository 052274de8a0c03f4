// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IDeviceRegistry} from "./interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "./interfaces/IEpochOracle.sol";
import {ILeaseEscrow} from "./interfaces/ILeaseEscrow.sol";
import {IStakeManager} from "./interfaces/IStakeManager.sol";
import {Leases} from "./lease/Leases.sol";
import {Offers} from "./lease/Offers.sol";
import {Parties} from "./lease/Parties.sol";
import {Reports} from "./lease/Reports.sol";
import {Treasury} from "./lease/Treasury.sol";
import {OperatorScopes} from "./libraries/OperatorScopes.sol";
import {StreamMath} from "./libraries/StreamMath.sol";
import {TokenPermits} from "./libraries/TokenPermits.sol";

/// @title Leases
contract LeaseEscrow is Parties, Reports, Treasury {
    using Leases for Leases.Stored;
    using Leases for Lease;
    using Offers for Offer;

    /// @inheritdoc ILeaseEscrow
    uint40 public immutable maxDowntime;
    /// @inheritdoc ILeaseEscrow
    uint40 public immutable forfeitHold;

    uint64 private opened; // in one slot with Treasury's feeBps
    mapping(uint256 leaseId => Leases.Stored) private leases;
    /// @dev The lease that took a device last, over or not.
    mapping(bytes32 deviceId => uint256 leaseId) private latestLease;

    constructor(
        address authority,
        IEpochOracle oracle_,
        IDeviceRegistry deviceRegistry_,
        IStakeManager stakeManager,
        Terms memory terms,
        TokenTerms[] memory tokens
    )
        AccessManaged(authority)
        Parties(deviceRegistry_)
        Reports(oracle_, terms.maxAge, terms.holdback)
        Treasury(terms.feeBps, tokens)
    {
        if (terms.maxDowntime == 0) revert LeaseEscrow_BadBound("maxDowntime", terms.maxDowntime, 1);
        maxDowntime = terms.maxDowntime;
        forfeitHold = stakeManager.slashHold();
    }

    /// @inheritdoc ILeaseEscrow
    function open(
        Offer calldata offer,
        bytes calldata signature,
        uint96 deposit,
        IEpochOracle.DeviceLeaf[] calldata leaves,
        bytes32[][] calldata proofs,
        uint64 minScore,
        uint32 minMemoryMiB
    ) external nonReentrant whenEntryOpen returns (uint256 leaseId) {
        _checkMeasured(offer.deviceIds, leaves, proofs, minScore, minMemoryMiB);
        return _open(offer, signature, deposit);
    }

    /// @inheritdoc ILeaseEscrow
    function openWithPermit(
        Offer calldata offer,
        bytes calldata signature,
        uint96 deposit,
        IEpochOracle.DeviceLeaf[] calldata leaves,
        bytes32[][] calldata proofs,
        uint64 minScore,
        uint32 minMemoryMiB,
        Permit calldata permit
    ) external nonReentrant whenEntryOpen returns (uint256 leaseId) {
        _checkMeasured(offer.deviceIds, leaves, proofs, minScore, minMemoryMiB);
        TokenPermits.tryPermit(offer.token, msg.sender, deposit, permit.deadline, permit.signature);
        return _open(offer, signature, deposit);
    }

    /// @inheritdoc ILeaseEscrow
    function cancel(uint256 leaseId) external {
        (Leases.Stored storage s, Lease memory l) = _rentersIn(leaseId, Status.Pending);
        (s.offerHash, s.openedBlock) = (0, 0);
        emit LeaseCancelled(leaseId, l.deposit);
    }

    /// @inheritdoc ILeaseEscrow
    function start(
        uint256 leaseId,
        Offer calldata offer,
        bytes32 resultRoots,
        uint40 validUntil,
        bytes calldata signature
    ) external nonReentrant {
        // checks
        (Leases.Stored storage s, Lease memory l) = _inStatus(leaseId, Status.Pending);
        bytes32 hash = _checkOffer(s, leaseId, offer);
        if (block.timestamp > validUntil) revert LeaseEscrow_StartExpired(uint256(validUntil), block.timestamp);
        hash = keccak256(abi.encode(START_TYPEHASH, leaseId, hash, resultRoots, validUntil));
        _checkSignature(l.renter, hash, signature);
        bool byProvider = _checkStarter(leaseId, offer);
        // effects
        _takeDevices(leaseId, offer.deviceIds, byProvider);
        s.rate = offer.rate;
        s.start = uint40(block.timestamp);
        s.notice = offer.notice;
        s.devices = uint8(offer.deviceIds.length);
        uint256 bond = StreamMath.cost(offer.rate, offer.minDuration);
        emit LeaseStarted(leaseId, resultRoots, uint40(block.timestamp), uint40(s.stopOf()), uint96(bond));
        if (bond == 0) return;
        if (!byProvider) return _useCredit(offer.provider, offer.token, leaseId, bond);
        // interactions
        _take(offer.token, msg.sender, bond);
    }

    /// @inheritdoc ILeaseEscrow
    function topUp(uint256 leaseId, uint96 amount) external nonReentrant {
        // checks
        (Leases.Stored storage s, Lease memory l) = _rentersIn(leaseId, Status.Active);
        _checkNotLeft(l, leaseId);
        _checkSome(amount);
        uint256 deposit = l.deposit + amount;
        uint256 most = StreamMath.cost(l.rate, l.maxDuration);
        if (most > type(uint96).max) most = type(uint96).max;
        if (deposit > most) revert LeaseEscrow_DepositTooLarge(deposit, most);
        // effects
        s.deposit = uint96(deposit);
        emit LeaseToppedUp(leaseId, amount, uint40(s.stopOf()));
        // interactions
        _take(_tokenOf(s), msg.sender, amount);
    }

    /// @inheritdoc ILeaseEscrow
    function end(uint256 leaseId) external {
        (Leases.Stored storage s, Lease memory l) = _inStatus(leaseId, Status.Active);
        l = s.read(_maxDowntime());
        if (msg.sender == l.renter) _endByRenter(s, l, leaseId);
        else _endByProvider(s, l, leaseId);
        emit LeaseEnded(leaseId, msg.sender, uint40(l.stop), uint96(l.forfeited));
    }

    /// @inheritdoc ILeaseEscrow
    function giveNotice(uint256 leaseId) external {
        (Leases.Stored storage s, Lease memory l) = _inStatus(leaseId, Status.Active);
        _checkSide(l.provider, leaseId, OperatorScopes.END);
        if (l.notice == 0) revert LeaseEscrow_NoNotice(leaseId);
        uint256 noticeAt = s.noticeAt;
        if (noticeAt != 0) revert LeaseEscrow_NoticeAlreadyGiven(leaseId, noticeAt);
        s.noticeAt = uint40(block.timestamp);
        emit NoticeGiven(leaseId, uint40(block.timestamp + l.notice));
    }

    /// @inheritdoc ILeaseEscrow
    function release(uint256 leaseId) external {
        (, Lease memory l) = _inStatus(leaseId, Status.Active);
        bool byProvider = _checkSide(l.provider, leaseId, OperatorScopes.END);
        if (!l.leftEarly) revert LeaseEscrow_NotLeftEarly(leaseId);
        _release(leaseId, byProvider);
    }

    /// @inheritdoc ILeaseEscrow
    function claim(uint256 leaseId, address receiver) external nonReentrant returns (uint256 amount) {
        // checks
        (Leases.Stored storage s, Lease memory l) = _payable(leaseId, receiver);
        _checkReceiver(l.provider, leaseId, receiver);
        uint256 gross = _claimable(l);
        _checkDue(leaseId, gross);
        // effects
        (address token, uint256 floor) = _listingAt(s.tokenIndex);
        uint256 before = l.claimed;
        uint256 fee = StreamMath.fee(before + gross, l.feeBps, floor) - StreamMath.fee(before, l.feeBps, floor);
        amount = gross - fee;
        s.claimed = uint96(before + gross);
        _earnFee(token, fee);
        emit LeaseClaimed(leaseId, receiver, amount, fee);
        // interactions
        _pay(token, receiver, amount);
    }

    /// @inheritdoc ILeaseEscrow
    function refund(uint256 leaseId, address receiver) external nonReentrant returns (uint256 amount) {
        // checks
        (Leases.Stored storage s, Lease memory l) = _payable(leaseId, receiver);
        _checkRenter(l, leaseId);
        amount = l.refundable();
        _checkDue(leaseId, amount);
        // effects
        s.refunded = uint96(l.refunded + amount);
        emit LeaseRefunded(leaseId, receiver, amount);
        // interactions
        _pay(_tokenOf(s), receiver, amount);
    }

    /// @inheritdoc ILeaseEscrow
    function returnBond(uint256 leaseId, address receiver) external nonReentrant returns (uint256 amount) {
        // checks
        (Leases.Stored storage s, Lease memory l) = _payable(leaseId, receiver);
        _checkReceiver(l.provider, leaseId, receiver);
        amount = s.bondDue(l);
        _checkDue(leaseId, amount);
        _checkHeld(leaseId, l.stop + _holdback());
        // effects
        s.mark(s.has(Leases.FORGIVEN) ? Leases.BOND_RETURNED | Leases.FORFEIT_GONE : Leases.BOND_RETURNED);
        emit BondReturned(leaseId, receiver, amount);
        // interactions
        _pay(_tokenOf(s), receiver, amount);
    }

    /// @inheritdoc ILeaseEscrow
    function refundDowntime(
        uint256 leaseId,
        Offer calldata offer,
        IEpochOracle.DeviceLeaf calldata leaf,
        bytes32[] calldata proof
    ) external {
        // checks
        Leases.Stored storage s = leases[leaseId];
        Lease memory l = s.read(_maxDowntime());
        if (msg.sender != l.renter && !isRefunder[l.renter][msg.sender]) {
            revert LeaseEscrow_NotRefunder(leaseId, msg.sender);
        }
        _checkOffer(s, leaseId, offer);
        offer.checkDevice(leaseId, leaf.deviceId);
        uint64 epoch = leaf.epoch;
        uint256 down = _downtimeOf(l, epoch, leaf.uptimeBps);
        Offers.checkReported(_devicesRootOf(epoch), leaf, proof);
        // effects
        s.credit(epoch);
        uint256 amount = StreamMath.streamed(l.rate, down);
        // Whatever else may be wrong, no refund takes what was claimed or credited before.
        uint256 most = l.unclaimedAt(block.timestamp);
        if (amount > most) amount = most;
        l.downtime += down;
        s.downtime = uint32(l.downtime);
        s.downtimeRefund = uint96(l.downtimeRefund + amount);
        emit DowntimeRefunded(leaseId, epoch, leaf.deviceId, amount, uint40(l.downtime));
        if (l.downtime > _maxDowntime()) _emitForfeit(s, l, leaseId);
    }

    /// @inheritdoc ILeaseEscrow
    function deviceSlashed(bytes32 deviceId) external {
        if (msg.sender != address(deviceRegistry)) revert LeaseEscrow_NotRegistry(msg.sender);
        uint256 leaseId = activeLease(deviceId);
        if (leaseId == 0) return;
        Leases.Stored storage s = leases[leaseId];
        Lease memory l = s.read(_maxDowntime());
        s.slashForfeit = uint96(s.slashForfeit + l.unserved(0) / l.devices);
        s.mark(Leases.SLASHED);
        emit DeviceOfLeaseSlashed(leaseId, deviceId);
        _emitForfeit(s, l, leaseId);
    }

    /// @inheritdoc ILeaseEscrow
    function settleForfeit(uint256 leaseId) external {
        (Leases.Stored storage s, Lease memory l) = _openForfeit(leaseId);
        _checkHeld(leaseId, l.stop + _holdback() + forfeitHold);
        s.mark(Leases.FORFEIT_GONE);
        emit ForfeitSettled(leaseId, l.forfeitable);
        _earnFee(_tokenOf(s), l.forfeitable);
    }

    /// @inheritdoc ILeaseEscrow
    function forgiveForfeit(uint256 leaseId) external restricted {
        (Leases.Stored storage s, Lease memory l) = _openForfeit(leaseId);
        s.mark(Leases.FORGIVEN);
        emit ForfeitForgiven(leaseId, l.forfeitable);
    }

    /// @inheritdoc ILeaseEscrow
    function lease(uint256 leaseId) external view returns (Lease memory l) {
        Leases.Stored storage s = leases[leaseId];
        l = s.read(_maxDowntime());
        l.offerHash = s.offerHash;
        l.openedBlock = s.openedBlock;
        l.token = _tokenOf(s);
        if (s.has(Leases.FORGIVEN | Leases.FORFEIT_GONE)) l.forfeitable = 0;
    }

    /// @inheritdoc ILeaseEscrow
    function offerHash(Offer calldata offer) external pure returns (bytes32) {
        return offer.hash();
    }

    /// @inheritdoc ILeaseEscrow
    function streamed(uint256 leaseId) external view returns (uint256) {
        return leases[leaseId].terms().streamedAt(block.timestamp);
    }

    /// @inheritdoc ILeaseEscrow
    function claimable(uint256 leaseId) external view returns (uint256) {
        return _claimable(leases[leaseId].read(_maxDowntime()));
    }

    /// @inheritdoc ILeaseEscrow
    function refundable(uint256 leaseId) external view returns (uint256) {
        return leases[leaseId].read(_maxDowntime()).refundable();
    }

    /// @inheritdoc ILeaseEscrow
    function bondReturnable(uint256 leaseId) external view returns (uint256) {
        Leases.Stored storage s = leases[leaseId];
        Lease memory l = s.read(_maxDowntime());
        return block.timestamp < l.stop + _holdback() ? 0 : s.bondDue(l);
    }

    /// @inheritdoc ILeaseEscrow
    function forfeitable(uint256 leaseId) external view returns (uint256) {
        Leases.Stored storage s = leases[leaseId];
        return s.has(Leases.FORGIVEN | Leases.FORFEIT_GONE) ? 0 : s.read(_maxDowntime()).forfeitable;
    }

    /// @inheritdoc ILeaseEscrow
    function activeLease(bytes32 deviceId) public view returns (uint256 leaseId) {
        leaseId = latestLease[deviceId];
        if (leaseId != 0 && block.timestamp >= leases[leaseId].stopOf()) return 0;
    }

    /// @inheritdoc ILeaseEscrow
    function leaseCount() external view returns (uint256) {
        return opened;
    }

    /// @dev The part of opening that does not depend on what was measured.
    function _open(Offer calldata offer, bytes calldata signature, uint96 deposit) private returns (uint256 leaseId) {
        // checks
        offer.checkTerms();
        bytes32 hash = offer.hash();
        _checkOffered(offer, hash, signature);
        uint8 tokenIndex = _checkAllowed(offer.token);
        uint256 least = offer.costOf(offer.minDuration);
        if (deposit < least) revert LeaseEscrow_DepositTooSmall(uint256(deposit), least);
        uint256 most = offer.costOf(offer.maxDuration);
        if (deposit > most) revert LeaseEscrow_DepositTooLarge(uint256(deposit), most);

        // effects
        leaseId = ++opened;
        Leases.Stored storage s = leases[leaseId];
        s.renter = msg.sender;
        s.tokenIndex = tokenIndex;
        s.feeBps = feeBps;
        s.minDuration = uint32(offer.minDuration);
        s.maxDuration = uint32(offer.maxDuration);
        s.offerHash = bytes27(hash);
        s.openedBlock = uint40(block.number);
        s.provider = offer.provider;
        s.deposit = deposit;
        offer.emitOpened(leaseId, hash, deposit);

        // interactions
        _take(offer.token, msg.sender, deposit);
    }

    function _endByRenter(Leases.Stored storage s, Lease memory l, uint256 leaseId) private {
        bool free = l.downtime > _maxDowntime() || l.noticeAt != 0 || s.has(Leases.SLASHED);
        uint256 least = l.start + l.minDuration;
        uint256 stop = block.timestamp;
        if (l.leftEarly) {
            if (!free) _checkNotLeft(l, leaseId);
            s.unbind(l);
        } else if (!free && stop < least) {
            s.mark(Leases.LEFT_EARLY);
            stop = least;
        }
        s.endAt(l, stop);
    }

    function _endByProvider(Leases.Stored storage s, Lease memory l, uint256 leaseId) private {
        bool byProvider = _checkSide(l.provider, leaseId, OperatorScopes.END);
        _checkNotLeft(l, leaseId);
        bool early = block.timestamp < l.start + l.minDuration;
        bool noticed = l.noticeAt != 0 && block.timestamp >= l.noticeAt + l.notice;
        // Where downtime forfeits the bond already, it is the network's: a renter must not earn by taking a machine down.
        if (early && !noticed && l.downtime <= _maxDowntime()) s.mark(Leases.PROVIDER_LEFT);
        _stopNow(s, l, leaseId, byProvider);
    }

    /// @dev Once downtime forfeits the bond, letting the renter go is no way out of that.
    function _release(uint256 leaseId, bool byProvider) private {
        Leases.Stored storage s = leases[leaseId];
        Lease memory l = s.read(_maxDowntime());
        if (l.downtime > _maxDowntime()) s.unbind(l);
        _stopNow(s, l, leaseId, byProvider);
        emit LeaseReleased(leaseId, uint40(l.stop));
    }

    /// @dev Ends the stream for the provider's side. Of an operator not in a way that forfeits anything; what a slash has taken
    /// is lost either way.
    function _stopNow(Leases.Stored storage s, Lease memory l, uint256 leaseId, bool byProvider) private {
        s.endAt(l, block.timestamp);
        s.settle(l, _maxDowntime());
        if (byProvider) return;
        uint256 amount = l.forfeited + (l.downtime > _maxDowntime() ? l.unserved(l.downtime) : 0);
        if (amount != 0) revert LeaseEscrow_WouldForfeit(leaseId, amount);
    }

    /// @dev All or none; a lease of which the renter has left early makes way.
    function _takeDevices(uint256 leaseId, bytes32[] calldata deviceIds, bool byProvider) private {
        for (uint256 i = 0; i < deviceIds.length; ++i) {
            bytes32 deviceId = deviceIds[i];
            uint256 live = activeLease(deviceId);
            if (live != 0) {
                if (!leases[live].has(Leases.LEFT_EARLY)) revert LeaseEscrow_DeviceLeased(deviceId, live);
                _release(live, byProvider);
            }
            latestLease[deviceId] = leaseId;
        }
    }

    function _emitForfeit(Leases.Stored storage s, Lease memory l, uint256 leaseId) private {
        s.settle(l, _maxDowntime());
        emit BondForfeited(leaseId, l.forfeitable);
    }

    function _claimable(Lease memory l) private view returns (uint256) {
        return l.unclaimedAt(block.timestamp > _holdback() ? block.timestamp - _holdback() : 0);
    }

    /// @dev A lease of which something is forfeited to the network and neither settled nor forgiven.
    function _openForfeit(uint256 leaseId) private view returns (Leases.Stored storage s, Lease memory l) {
        s = leases[leaseId];
        if (s.has(Leases.FORGIVEN | Leases.FORFEIT_GONE)) revert LeaseEscrow_ForfeitClosed(leaseId);
        l = s.read(_maxDowntime());
        _checkDue(leaseId, l.forfeitable);
    }

    /// @dev The offer is the one that the lease was opened on.
    function _checkOffer(
        Leases.Stored storage s,
        uint256 leaseId,
        Offer calldata offer
    ) private view returns (bytes32 hash) {
        hash = offer.hash();
        if (bytes27(hash) != s.offerHash) revert LeaseEscrow_OtherOffer(leaseId, hash);
    }

    function _inStatus(
        uint256 leaseId,
        Status expected
    ) private view returns (Leases.Stored storage s, Lease memory l) {
        s = leases[leaseId];
        l = s.terms();
        if (l.status == expected) return (s, l);
        if (l.status == Status.None) revert LeaseEscrow_UnknownLease(leaseId);
        revert LeaseEscrow_WrongStatus(leaseId, l.status);
    }

    function _rentersIn(
        uint256 leaseId,
        Status expected
    ) private view returns (Leases.Stored storage s, Lease memory l) {
        (s, l) = _inStatus(leaseId, expected);
        _checkRenter(l, leaseId);
    }

    function _checkRenter(Lease memory l, uint256 leaseId) private view {
        if (msg.sender != l.renter) revert LeaseEscrow_NotParty(leaseId, msg.sender);
    }

    function _checkNotLeft(Lease memory l, uint256 leaseId) private pure {
        if (l.leftEarly) revert LeaseEscrow_LeftEarly(leaseId);
    }

    /// @dev Nothing is paid where nothing is due.
    function _checkDue(uint256 leaseId, uint256 amount) private pure {
        if (amount == 0) revert LeaseEscrow_NothingDue(leaseId);
    }

    function _checkHeld(uint256 leaseId, uint256 until) private view {
        if (block.timestamp < until) revert LeaseEscrow_BondHeld(leaseId, until, block.timestamp);
    }

    function _payable(
        uint256 leaseId,
        address receiver
    ) private view returns (Leases.Stored storage s, Lease memory l) {
        s = leases[leaseId];
        l = s.read(_maxDowntime());
        if (l.status == Status.None) revert LeaseEscrow_UnknownLease(leaseId);
        _checkNamed(receiver);
    }

    function _tokenOf(Leases.Stored storage s) private view returns (address) {
        return _tokenAt(s.tokenIndex);
    }

    /// @dev An immutable is 32 bytes of code wherever it stands: this one stands once.
    function _maxDowntime() private view returns (uint256) {
        return maxDowntime;
    }
}
