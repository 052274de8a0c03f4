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
import {VisibleText} from "./libraries/VisibleText.sol";

/// @title Validator seats
/// @notice Who sits, who comes and who goes; what it takes to be put out.
/// @dev The set of the latest epoch is the code of its blob; what it will be is that with the waiting changes made.
contract ValidatorSet is IValidatorSet, PausableEntry, EIP712 {
    using SetQueue for SetQueue.Queue;

    bytes32 public constant SEAT_TYPEHASH = keccak256("Seat(address account,address signer,uint64 nonce)");
    uint256 public constant MAX_ENDPOINT = 256;

    /// @dev Epochs from asking for a change to the first that it can be made in, and for which a check-in is taken.
    uint64 private constant NOTICE = 2;

    /// @dev For slashing one by one, after the last proof, those whom a recorded fault names.
    uint256 private constant SLASHING_TIME = 1 days;

    /// @dev Epochs that `Member.checkIns` reaches back.
    uint256 private constant CHECK_INS = 64;

    IEpochOracle public immutable oracle;
    IStakeManager public immutable stakeManager;
    address public immutable fraudProofs;
    uint128 public immutable seatStake;
    uint32 public immutable idleEpochs;

    uint64 private immutable ringSize;
    uint32 private immutable sealBy;
    uint40 private immutable proofWindow;

    uint32 public currentSetId; // one slot
    uint8 private unbacked; // seats of that set that leave with the next epoch

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
        // What a seat left out is read from the oracle's ring.
        if (idleEpochs_ < 2 || idleEpochs_ + NOTICE >= ring) {
            revert ValidatorSet_BadBound("idleEpochs", idleEpochs_, ring);
        }
        if (seatStake_ == 0) revert ValidatorSet_BadBound("seatStake", seatStake_, 1);
        IEpochOracle.Timing memory t = oracle_.timing();
        oracle = oracle_;
        stakeManager = stakeManager_;
        fraudProofs = fraudProofs_;
        seatStake = seatStake_;
        idleEpochs = idleEpochs_;
        ringSize = ring;
        sealBy = t.sealBy;
        proofWindow = t.proofWindow;
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
        (address outbid, uint128 stake) = _priceOfSeat();

        uint64 earliest = _earliest();
        bool pending = outbid != address(0) && members[outbid].status == Status.Joining;
        signerUsed[signer] = true;
        members[msg.sender] = Member(signer, Status.Joining, true, 0, stake, 0, 0);
        // Who outbids a seat that still waits takes over from it whose place that would have taken.
        address leaves = pending ? _withdraw(outbid) : outbid;
        if (leaves != address(0)) _setLeaving(leaves, earliest);
        queue.push(msg.sender, leaves, earliest);
        emit SeatJoined(msg.sender, signer, earliest);
        if (outbid != address(0)) emit SeatOutbid(outbid, msg.sender, earliest);
        _announce(endpoint, tlsFingerprint);

        if (pending) _release(outbid);
        stakeManager.reserve(msg.sender, stake);
        oracle.noteSetChange();
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
    function checkIn(uint64 epoch) external {
        (uint32 setId, uint32 sealSigners, ) = oracle.presence(epoch);
        if (
            setId == 0 ||
            sealSigners != 0 ||
            block.timestamp <= oracle.epochStart(epoch) + sealBy ||
            oracle.currentEpoch() >= epoch + NOTICE // from here on evictions count the epoch
        ) revert ValidatorSet_NoCheckIn(epoch);
        Member storage m = members[msg.sender];
        (bool sits, ) = SeatBlob.indexOf(_blobOf(setId), m.signer);
        if (!sits) revert ValidatorSet_NotInSet(msg.sender, epoch);
        uint64 next = m.checkedIn;
        if (epoch >= next) {
            m.checkIns = (m.checkIns << (epoch + 1 - next)) | 1;
            m.checkedIn = uint40(epoch + 1);
        } else {
            uint64 bit = uint64(1) << (next - 1 - epoch);
            if (m.checkIns & bit != 0) revert ValidatorSet_CheckedInAlready(msg.sender, epoch);
            m.checkIns |= bit;
        }
        emit CheckedIn(msg.sender, epoch);
    }

    /// @inheritdoc IValidatorSet
    function leave() external {
        if (_plannedMember(msg.sender).status == Status.Joining) {
            _keep(_withdraw(msg.sender));
            _release(msg.sender);
        } else {
            uint64 earliest = _earliest();
            emit SeatLeft(msg.sender, earliest);
            _unseat(msg.sender, earliest);
        }
    }

    /// @inheritdoc IValidatorSet
    function evict(address account) external {
        uint64 since = _leftOutSince(account, _plannedMember(account));
        uint64 earliest = _earliest();
        emit SeatEvicted(account, since, earliest);
        _unseat(account, earliest);
    }

    /// @inheritdoc IValidatorSet
    function markSlashed(address account, address signer) external onlyFraudProofs returns (uint128 stake) {
        Member storage m = members[account];
        if (!m.reserved || m.signer != signer) revert ValidatorSet_NothingAtStake(account, signer);
        emit SeatSlashed(account, signer);
        bool sits = m.status != Status.Joining && m.status != Status.Left;
        if (sits) _putOut(account, m);
        else if (m.status == Status.Joining) _keep(_withdraw(account));
        stake = _release(account);
        if (sits) oracle.noteSetChange();
    }

    /// @inheritdoc IValidatorSet
    function releaseStake(address account) external {
        Member storage m = members[account];
        bool left = m.status == Status.Left;
        if (!left && !(m.status == Status.Leaving && m.reserved)) revert ValidatorSet_NotSeated(account);
        uint256 releasableAt = oracle.epochStart(m.leftFrom) + proofWindow + SLASHING_TIME;
        if (block.timestamp < releasableAt) revert ValidatorSet_StillProvable(account, releasableAt);
        if (left) {
            m.status = Status.None;
        } else {
            // No epoch is opened that it could leave with: then it is enough to have sat in none that can be proven against.
            _refuseSitting(account, m.signer);
            _putOut(account, m);
        }
        if (m.reserved) _release(account);
    }

    /// @inheritdoc IValidatorSet
    function setEndpoint(string calldata endpoint, bytes32 tlsFingerprint) external {
        _plannedMember(msg.sender);
        _announce(endpoint, tlsFingerprint);
    }

    /// @inheritdoc IValidatorSet
    function snapshot(uint64 epoch) external returns (uint32 setId, uint8 seats, bool waiting) {
        if (msg.sender != address(oracle)) revert ValidatorSet_NotOracle(msg.sender);
        setId = currentSetId;
        (address[] memory seated, uint256 n) = SeatBlob.accountsOf(_blobOf(setId));
        bool changed = unbacked != 0;
        if (changed) n = _vacateUnbacked(seated, n, epoch);
        uint256 limit = _limitFor(setId, n);
        for (uint256 made = 0; _mayChange(made, limit, n) && queue.isDue(epoch); ++made) {
            SetQueue.Change memory c = queue.pop();
            n = SetQueue.applyTo(seated, n, c);
            if (c.joins != address(0)) {
                members[c.joins].status = Status.Seated;
                emit SeatTaken(c.joins, members[c.joins].signer, epoch);
            }
            if (c.leaves != address(0)) _vacate(c.leaves, epoch);
            changed = true;
        }
        waiting = !queue.isEmpty();
        seats = uint8(n);
        if (changed) {
            currentSetId = ++setId;
            emit SetChanged(setId, epoch, seats);
            _write(seated, n);
        }
    }

    /// @inheritdoc IValidatorSet
    function seatsOf(uint32 setId) external view returns (Seat[] memory seats) {
        address blob = _blobOf(setId);
        uint256 n = SeatBlob.count(blob);
        if (n == 0) revert ValidatorSet_UnknownSet(setId);
        seats = new Seat[](n);
        for (uint256 i = 0; i < n; ++i) (seats[i].account, seats[i].signer) = SeatBlob.seat(blob, i);
    }

    /// @inheritdoc IValidatorSet
    function seatAt(uint32 setId, uint256 index) external view returns (address account, address signer) {
        return SeatBlob.seat(_blobOf(setId), index);
    }

    /// @inheritdoc IValidatorSet
    function currentSeats() external view returns (Seat[] memory seats) {
        (address[] memory accounts, uint256 n) = _backedSeats();
        uint64 epoch = oracle.currentEpoch();
        uint256 limit = _limitFor(currentSetId, n);
        SetQueue.Change[] memory changes = queue.waiting();
        for (uint256 made = 0; made < changes.length && _mayChange(made, limit, n); ++made) {
            if (changes[made].earliest > epoch) break;
            n = SetQueue.applyTo(accounts, n, changes[made]);
        }
        seats = new Seat[](n);
        for (uint256 i = 0; i < n; ++i) seats[i] = Seat(accounts[i], members[accounts[i]].signer);
    }

    /// @inheritdoc IValidatorSet
    function plannedSeats() external view returns (address[] memory accounts) {
        uint256 n;
        (accounts, n) = _plannedSeats();
        assembly ("memory-safe") {
            mstore(accounts, n)
        }
    }

    /// @inheritdoc IValidatorSet
    function member(address account) external view returns (Member memory) {
        return members[account];
    }

    /// @dev Asks for the seat's leaving.
    function _unseat(address account, uint64 earliest) private {
        _setLeaving(account, earliest);
        queue.push(address(0), account, earliest);
        oracle.noteSetChange();
    }

    function _setLeaving(address account, uint64 earliest) private {
        Member storage m = members[account];
        m.status = Status.Leaving;
        m.leftFrom = earliest;
    }

    /// @dev Takes a seat that waits out of the queue; who was to leave for it.
    function _withdraw(address account) private returns (address leaves) {
        members[account].status = Status.None;
        emit SeatJoinCancelled(account);
        return queue.withdraw(account).leaves;
    }

    /// @dev Gives back its place to a seat that was to leave for one that does not come.
    function _keep(address account) private {
        if (account == address(0)) return;
        Member storage m = members[account];
        m.status = Status.Seated;
        m.leftFrom = 0;
        emit SeatKept(account);
    }

    /// @dev The seat leaves with the next epoch, past the queue.
    function _putOut(address account, Member storage m) private {
        if (m.status == Status.Leaving) queue.forgetLeaving(account);
        m.status = Status.Unbacked;
        ++unbacked;
    }

    function _vacate(address account, uint64 epoch) private {
        Member storage m = members[account];
        m.status = Status.Left;
        m.leftFrom = epoch;
        emit SeatVacated(account, epoch);
    }

    function _vacateUnbacked(address[] memory seated, uint256 n, uint64 epoch) private returns (uint256 left) {
        unbacked = 0;
        for (uint256 i = 0; i < n; ++i) {
            if (members[seated[i]].status == Status.Unbacked) _vacate(seated[i], epoch);
            else seated[left++] = seated[i];
        }
    }

    function _write(address[] memory seated, uint256 n) private {
        address[] memory signers = new address[](n);
        for (uint256 i = 0; i < n; ++i) signers[i] = members[seated[i]].signer;
        assembly ("memory-safe") {
            mstore(seated, n)
        }
        SeatBlob.write(signers, seated);
    }

    function _release(address account) private returns (uint128 stake) {
        Member storage m = members[account];
        stake = m.stake;
        m.reserved = false;
        emit SeatStakeReleased(account, stake);
        stakeManager.release(account, stake);
    }

    function _announce(string calldata endpoint, bytes32 tlsFingerprint) private {
        if (bytes(endpoint).length > MAX_ENDPOINT) {
            revert ValidatorSet_EndpointTooLong(bytes(endpoint).length, MAX_ENDPOINT);
        }
        if (!VisibleText.isVisible(endpoint)) revert ValidatorSet_EndpointNotVisible();
        emit SeatEndpoint(msg.sender, endpoint, tlsFingerprint);
    }

    /// @dev Earliest epoch that a change asked for now can be made in.
    function _earliest() private view returns (uint64) {
        uint64 epoch = oracle.currentEpoch();
        return currentSetId == 0 ? epoch : epoch + NOTICE;
    }

    /// @dev Changes that an epoch may make to a set of `n`; the first set comes whole.
    function _limitFor(uint32 setId, uint256 n) private pure returns (uint256) {
        return setId == 0 ? SeatBlob.MAX_SEATS : SetQueue.limitFor(n);
    }

    /// @dev Whoever comes next may also come where nobody is left: else the last to leave would hold up all who follow.
    function _mayChange(uint256 made, uint256 limit, uint256 n) private pure returns (bool) {
        return made < limit || n == 0;
    }

    /// @dev What a seat costs, and who has to leave for it: nobody, or where all are taken the lowest stake, for 110 % of that,
    /// rounded up.
    function _priceOfSeat() private view returns (address lowest, uint128 needed) {
        (address[] memory accounts, uint256 n) = _plannedSeats();
        if (n < SeatBlob.MAX_SEATS) return (address(0), seatStake);
        uint128 least = type(uint128).max;
        for (uint256 i = 0; i < n; ++i) {
            uint128 stake = members[accounts[i]].stake;
            if (stake < least) (lowest, least) = (accounts[i], stake);
        }
        needed = (least / 10) * 11 + ((least % 10) * 11 + 9) / 10;
        if (stakeManager.freeStake(msg.sender) < needed) revert ValidatorSet_Full(n, least, needed);
    }

    function _plannedSeats() private view returns (address[] memory accounts, uint256 n) {
        (accounts, n) = _backedSeats();
        SetQueue.Change[] memory changes = queue.waiting();
        for (uint256 i = 0; i < changes.length; ++i) n = SetQueue.applyTo(accounts, n, changes[i]);
    }

    /// @dev The set of the latest epoch without the seats that leave with the next.
    function _backedSeats() private view returns (address[] memory accounts, uint256 left) {
        uint256 n;
        (accounts, n) = SeatBlob.accountsOf(_blobOf(currentSetId));
        if (unbacked == 0) return (accounts, n);
        for (uint256 i = 0; i < n; ++i) {
            if (members[accounts[i]].status != Status.Unbacked) accounts[left++] = accounts[i];
        }
    }

    /// @dev The earliest of the latest `idleEpochs` epochs that count, if the seat left all of them out; else it reverts. Of an
    /// epoch NOTICE ago no signature and no check-in can come any more.
    function _leftOutSince(address account, Member storage m) private view returns (uint64 since) {
        uint64 epoch = oracle.currentEpoch();
        uint256 leftOut;
        uint32 knownSet;
        uint256 index;
        bool sits;
        for (uint64 back = NOTICE; back <= ringSize && back <= epoch; ++back) {
            since = epoch - back;
            (uint32 setId, uint32 sealSigners, uint32 reportSigners) = oracle.presence(since);
            if (setId == 0) continue;
            if (setId != knownSet) {
                knownSet = setId;
                (sits, index) = SeatBlob.indexOf(_blobOf(setId), m.signer);
            }
            if (!sits) continue;
            if (sealSigners == 0) {
                if (_isExcused(m, since)) continue;
            } else if (_signed(sealSigners, index) && (reportSigners == 0 || _signed(reportSigners, index))) {
                break;
            }
            if (++leftOut == idleEpochs) return since;
        }
        revert ValidatorSet_NotIdle(account, leftOut, idleEpochs);
    }

    function _signed(uint32 signers, uint256 index) private pure returns (bool) {
        return (signers >> index) & 1 == 1;
    }

    /// @dev Whether the seat checked in for an epoch, or did so too long after it for that to be known.
    function _isExcused(Member storage m, uint64 epoch) private view returns (bool) {
        uint64 next = m.checkedIn;
        if (epoch >= next) return false;
        uint64 back = next - 1 - epoch;
        return back >= CHECK_INS || (m.checkIns >> back) & 1 == 1;
    }

    /// @dev Reverts where the seat sits in an epoch that is kept.
    function _refuseSitting(address account, address signer) private view {
        uint64 epoch = oracle.currentEpoch();
        for (uint64 back = 0; back <= ringSize && back <= epoch; ++back) {
            (uint32 setId, , ) = oracle.presence(epoch - back);
            (bool sits, ) = SeatBlob.indexOf(_blobOf(setId), signer);
            if (sits) revert ValidatorSet_StillSitting(account, epoch - back);
        }
    }

    function _plannedMember(address account) private view returns (Member storage m) {
        m = members[account];
        if (m.status != Status.Joining && m.status != Status.Seated) revert ValidatorSet_NotSeated(account);
    }

    /// @dev No set has number 0, nor does the writer's creation 0 exist.
    function _blobOf(uint32 setId) private view returns (address) {
        return SeatBlob.addressOf(address(this), setId);
    }
}
