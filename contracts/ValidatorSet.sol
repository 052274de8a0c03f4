// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {PausableEntry} from "./governance/PausableEntry.sol";
import {IEpochOracle} from "./interfaces/IEpochOracle.sol";
import {IStakeManager} from "./interfaces/IStakeManager.sol";
import {IValidatorSet} from "./interfaces/IValidatorSet.sol";
import {CompactSignature} from "./libraries/CompactSignature.sol";
import {SeatBlob} from "./libraries/SeatBlob.sol";
import {SetQueue} from "./libraries/SetQueue.sol";

/// @title Validator seats
/// @dev `live` is the set of the latest epoch in signing order; `planned` is what it will be when every queued change has
/// taken effect. Joins, outbids, leaves and evictions all pass through one queue.
contract ValidatorSet is IValidatorSet, PausableEntry, EIP712 {
    using SetQueue for SetQueue.Queue;

    bytes32 public constant SEAT_TYPEHASH = keccak256("Seat(address account,address signer,uint64 nonce)");
    uint256 public constant MAX_ENDPOINT = 256;
    uint256 public constant MAX_WAITING = 62;
    uint64 private constant NOTICE = 2;

    IEpochOracle public immutable oracle;
    IStakeManager public immutable stakeManager;
    address public immutable fraudProofs;
    uint128 public immutable seatStake;
    uint32 public immutable idleEpochs;

    uint32 public currentSetId; // one slot
    bool private started;
    bool private changed;
    uint8 private liveSeats; // in the set of currentSetId

    address[] private live;
    address[] private planned;
    SetQueue.Queue private queue;
    mapping(address account => Member) private members;
    mapping(address account => uint64) public seatNonce;
    mapping(address signer => bool) public signerUsed;

    modifier onlyFraudProofs() {
        if (msg.sender != fraudProofs) revert ValidatorSet_NotFraudProofs(msg.sender);
        _;
    }

    constructor(
        address authority,
        IEpochOracle oracle_,
        IStakeManager stakeManager_,
        address fraudProofs_,
        uint128 seatStake_,
        uint32 idleEpochs_
    ) AccessManaged(authority) EIP712("Assay", "1") {
        uint64 ring = oracle_.ringSize();
        // Idleness is read from the oracle's ring.
        if (idleEpochs_ < 2 || idleEpochs_ + 2 >= ring) revert ValidatorSet_BadBound("idleEpochs", idleEpochs_, ring);
        if (seatStake_ == 0) revert ValidatorSet_BadBound("seatStake", seatStake_, 1);
        oracle = oracle_;
        stakeManager = stakeManager_;
        fraudProofs = fraudProofs_;
        seatStake = seatStake_;
        idleEpochs = idleEpochs_;
    }

    /// @inheritdoc IValidatorSet
    function join(
        address signer,
        string calldata endpoint,
        bytes32 tlsFingerprint,
        bytes calldata signature
    ) external whenEntryOpen {
        Member storage m = members[msg.sender];
        if (signer == address(0)) revert ValidatorSet_ZeroAddress();
        if (m.status != Status.None) revert ValidatorSet_AlreadySeated(msg.sender);
        if (signerUsed[signer]) revert ValidatorSet_SignerUsed(signer);
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(SEAT_TYPEHASH, msg.sender, signer, seatNonce[msg.sender]++))
        );
        address recovered = CompactSignature.recover(digest, signature);
        if (recovered != signer) revert ValidatorSet_BadSignature(signer, recovered);

        signerUsed[signer] = true;
        uint128 stake = planned.length < SeatBlob.MAX_SEATS ? seatStake : 0;
        address outbid;
        if (stake == 0) (outbid, stake) = _lowestSeat();
        m.signer = signer;
        m.stake = stake;
        m.reserved = true;
        m.leftFrom = 0;
        stakeManager.reserve(msg.sender, stake);
        _seat(m, outbid);
        _announce(endpoint, tlsFingerprint);
    }

    /// @inheritdoc IValidatorSet
    function raiseStake(uint128 amount) external {
        Member storage m = _plannedMember(msg.sender);
        // More than fits is more than there is, which the reservation refuses by name.
        unchecked {
            m.stake += amount;
        }
        emit SeatRaised(msg.sender, m.stake);
        stakeManager.reserve(msg.sender, amount);
    }

    /// @inheritdoc IValidatorSet
    function checkIn() external {
        uint64 epoch = oracle.currentEpoch();
        _plannedMember(msg.sender).checkedIn = uint40(epoch) + 1;
        emit CheckedIn(msg.sender, epoch);
    }

    /// @inheritdoc IValidatorSet
    function leave() external {
        _plannedMember(msg.sender);
        emit SeatLeft(msg.sender, _unseat(msg.sender));
    }

    /// @inheritdoc IValidatorSet
    function evict(address account) external {
        Member storage m = _plannedMember(account);
        uint64 epoch = oracle.currentEpoch();
        uint64 active = _lastActive(account, m, epoch);
        // Reports of the last two epochs may still be on their way.
        if (active + idleEpochs + NOTICE > epoch) revert ValidatorSet_NotIdle(account, active);
        emit SeatEvicted(account, active, _unseat(account));
    }

    /// @inheritdoc IValidatorSet
    function markSlashed(address account) external onlyFraudProofs returns (uint128 stake) {
        Member storage m = members[account];
        if (m.status == Status.Joining || m.status == Status.Seated) emit SeatSlashed(account, _unseat(account));
        if (m.reserved) _release(account, m);
        return m.stake;
    }

    /// @inheritdoc IValidatorSet
    function releaseStake(address account) external {
        Member storage m = members[account];
        if (m.status != Status.Leaving && m.status != Status.Left) revert ValidatorSet_NotSeated(account);
        IEpochOracle.Timing memory t = oracle.timing();
        uint256 releasableAt = oracle.epochStart(m.leftFrom) + t.proofWindow;
        if (block.timestamp < releasableAt) revert ValidatorSet_StillProvable(account, releasableAt);
        m.status = Status.None;
        if (m.reserved) _release(account, m);
    }

    /// @inheritdoc IValidatorSet
    function setEndpoint(string calldata endpoint, bytes32 tlsFingerprint) external {
        _plannedMember(msg.sender);
        _announce(endpoint, tlsFingerprint);
    }

    /// @inheritdoc IValidatorSet
    function snapshot(uint64 epoch) external returns (uint32 setId, uint8 seats, bool waiting) {
        if (msg.sender != address(oracle)) revert ValidatorSet_NotOracle(msg.sender);
        while (_applyNext(epoch)) {}
        waiting = queue.waiting() != 0;
        if (!started) started = true;
        if (!changed) return (currentSetId, liveSeats, waiting);
        changed = false;
        seats = uint8(live.length);
        liveSeats = seats;
        setId = ++currentSetId;
        address[] memory accounts = live;
        address[] memory signers = new address[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) signers[i] = members[accounts[i]].signer;
        SeatBlob.write(signers, accounts);
        emit SetChanged(setId, epoch, seats);
    }

    /// @inheritdoc IValidatorSet
    function seatsOf(uint32 setId) external view returns (Seat[] memory seats) {
        address blob = SeatBlob.addressOf(address(this), setId);
        uint256 n = setId == 0 ? 0 : SeatBlob.count(blob);
        if (n == 0) revert ValidatorSet_UnknownSet(setId);
        seats = new Seat[](n);
        for (uint256 i = 0; i < n; ++i) (seats[i].account, seats[i].signer) = SeatBlob.seat(blob, i);
    }

    /// @inheritdoc IValidatorSet
    function seatAt(uint32 setId, uint256 index) external view returns (address account, address signer) {
        if (setId == 0) return (address(0), address(0));
        return SeatBlob.seat(SeatBlob.addressOf(address(this), setId), index);
    }

    /// @inheritdoc IValidatorSet
    function currentSeats() external view returns (Seat[] memory seats) {
        uint64 epoch = oracle.currentEpoch();
        address[] memory accounts = new address[](SeatBlob.MAX_SEATS);
        uint256 n = live.length;
        for (uint256 i = 0; i < n; ++i) accounts[i] = live[i];
        for (uint256 at = queue.head; at < queue.changes.length; ++at) {
            SetQueue.Change memory c = queue.changes[at];
            if (c.effective > epoch) break;
            n = SetQueue.applyTo(accounts, n, c.joins, c.leaves);
        }
        seats = new Seat[](n);
        for (uint256 i = 0; i < n; ++i) seats[i] = Seat(accounts[i], members[accounts[i]].signer);
    }

    /// @notice Accounts that will hold seats when every queued change has taken effect.
    function plannedSeats() external view returns (address[] memory) {
        return planned;
    }

    /// @inheritdoc IValidatorSet
    function member(address account) external view returns (Member memory) {
        return members[account];
    }

    /// @dev Puts the member into the plan, in the place of `outbid` where the set is full.
    function _seat(Member storage m, address outbid) private {
        uint64 effective = _enqueue(msg.sender, outbid);
        m.status = started ? Status.Joining : Status.Seated;
        if (outbid != address(0)) {
            _retire(outbid, effective);
            emit SeatOutbid(outbid, msg.sender, effective);
        }
        emit SeatJoined(msg.sender, m.signer, effective);
    }

    function _unseat(address account) private returns (uint64 effective) {
        effective = _enqueue(address(0), account);
        _retire(account, effective);
    }

    function _retire(address account, uint64 effective) private {
        Member storage m = members[account];
        m.status = started ? Status.Leaving : Status.Left;
        m.leftFrom = effective;
    }

    /// @dev Changes the plan now, and the live set in its time: at once while no epoch was ever opened.
    function _enqueue(address joins, address leaves) private returns (uint64 effective) {
        uint64 epoch = oracle.currentEpoch();
        uint256 n = planned.length;
        _apply(planned, joins, leaves);
        if (!started) {
            _apply(live, joins, leaves);
            changed = true;
            return epoch;
        }
        uint256 waiting = queue.waiting();
        if (joins != address(0) && waiting >= MAX_WAITING) revert ValidatorSet_TooManyChanges(waiting, MAX_WAITING);
        effective = queue.push(joins, leaves, epoch + NOTICE, n);
        oracle.noteSetChange();
    }

    function _applyNext(uint64 epoch) private returns (bool due) {
        address joins;
        address leaves;
        (due, joins, leaves) = queue.pop(epoch);
        if (!due) return false;
        _apply(live, joins, leaves);
        changed = true;
        if (joins != address(0) && members[joins].status == Status.Joining) members[joins].status = Status.Seated;
        if (leaves != address(0) && members[leaves].status == Status.Leaving) members[leaves].status = Status.Left;
    }

    function _apply(address[] storage seats, address joins, address leaves) private {
        uint256 n = seats.length;
        if (leaves == address(0)) {
            seats.push(joins);
            return;
        }
        for (uint256 i = 0; i < n; ++i) {
            if (seats[i] != leaves) continue;
            if (joins != address(0)) {
                seats[i] = joins;
            } else {
                seats[i] = seats[n - 1];
                seats.pop();
            }
            return;
        }
    }

    /// @dev Who has the least at stake, and what it takes to outbid it: 110 %, rounded up.
    function _lowestSeat() private view returns (address lowest, uint128 needed) {
        uint128 least = type(uint128).max;
        for (uint256 i = 0; i < planned.length; ++i) {
            uint128 stake = members[planned[i]].stake;
            if (stake < least) (lowest, least) = (planned[i], stake);
        }
        needed = (least / 10) * 11 + ((least % 10) * 11 + 9) / 10;
        uint256 free = stakeManager.freeStake(msg.sender);
        if (free < needed) revert ValidatorSet_Full(planned.length, least, needed);
    }

    /// @dev The latest epoch, of those that count, in which the seat gave a sign of life or could not have.
    function _lastActive(address account, Member storage m, uint64 epoch) private view returns (uint64) {
        if (epoch <= idleEpochs + NOTICE) return epoch;
        uint64 oldest = epoch - idleEpochs - 1;
        if (m.checkedIn > oldest) return m.checkedIn - 1;
        uint32 knownSet;
        uint256 index;
        bool seated;
        for (uint64 e = epoch - NOTICE; e >= oldest; --e) {
            (uint32 setId, uint32 sealSigners, uint32 reportSigners) = oracle.presence(e);
            if (setId == 0) return e;
            if (setId != knownSet) {
                knownSet = setId;
                (seated, index) = SeatBlob.indexOf(SeatBlob.addressOf(address(this), setId), account);
            }
            if (!seated || ((sealSigners | reportSigners) >> index) & 1 == 1) return e;
        }
        return oldest - 1;
    }

    function _plannedMember(address account) private view returns (Member storage m) {
        m = members[account];
        if (m.status != Status.Joining && m.status != Status.Seated) revert ValidatorSet_NotSeated(account);
    }

    function _release(address account, Member storage m) private {
        m.reserved = false;
        emit SeatStakeReleased(account, m.stake);
        stakeManager.release(account, m.stake);
    }

    function _announce(string calldata endpoint, bytes32 tlsFingerprint) private {
        if (bytes(endpoint).length > MAX_ENDPOINT) {
            revert ValidatorSet_EndpointTooLong(bytes(endpoint).length, MAX_ENDPOINT);
        }
        emit SeatEndpoint(msg.sender, endpoint, tlsFingerprint);
    }
}
