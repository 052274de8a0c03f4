// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseErrors} from "../interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "../interfaces/ILeaseEscrow.sol";
import {StreamMath} from "../libraries/StreamMath.sol";

/// @title A lease as stored, as it stands, and what is due of it
/// @dev What follows from the rest is not stored: status, bond, forfeits, and the stop until a side ends the lease.
library Leases {
    /// @notice The provider left before the minimum: the unserved part of the bond is the renter's.
    uint8 internal constant PROVIDER_LEFT = 1;
    /// @notice The renter left before the minimum, bound to it.
    uint8 internal constant LEFT_EARLY = 2;
    /// @notice A device was slashed while leased.
    uint8 internal constant SLASHED = 4;
    /// @notice The bond was paid back, less forfeits.
    uint8 internal constant BOND_RETURNED = 8;
    /// @notice Governance left the network's part of the bond to the provider.
    uint8 internal constant FORGIVEN = 16;
    /// @notice The network's part of the bond has gone: to the fees, or where it was forgiven to the provider.
    uint8 internal constant FORFEIT_GONE = 32;

    struct Stored {
        address renter; // slot 0
        uint8 tokenIndex; // of its listing, from 1
        uint16 feeBps;
        uint32 minDuration;
        uint32 maxDuration;
        bytes27 offerHash; // slot 1: zero once cancelled
        uint40 openedBlock;
        address provider; // slot 2
        uint96 deposit;
        uint128 rate; // slot 3: from start on
        uint40 start;
        uint40 stop; // zero until a side ends the lease
        uint32 notice;
        uint8 flags;
        uint8 devices;
        uint96 claimed; // slot 4
        uint96 refunded;
        uint40 noticeAt;
        uint96 downtimeRefund; // slot 5
        uint32 downtime; // seconds attested
        uint48 latestEpoch; // of those whose downtime was credited
        uint64 credited; // bit i: that of epoch latestEpoch - i was
        uint96 slashForfeit; // slot 6: the slashed devices' parts of the bond, each as it was unserved then
    }

    /// @notice Whether any of these flags is set.
    function has(Stored storage s, uint8 flags) internal view returns (bool) {
        return s.flags & flags != 0;
    }

    /// @notice Sets a flag.
    function mark(Stored storage s, uint8 flag) internal {
        s.flags |= flag;
    }

    /// @notice The renter is no longer one who has left early.
    function unbind(Stored storage s, ILeaseEscrow.Lease memory l) internal {
        s.flags &= ~LEFT_EARLY;
        l.leftEarly = false;
    }

    /// @notice Ends the stream at `time`.
    function endAt(Stored storage s, ILeaseEscrow.Lease memory l, uint256 time) internal {
        l.stop = time;
        s.stop = uint40(time);
    }

    /// @notice The lease as far as its terms say: without what has been paid, attested and forfeited.
    function terms(Stored storage s) internal view returns (ILeaseEscrow.Lease memory l) {
        l.renter = s.renter;
        l.feeBps = s.feeBps;
        l.minDuration = s.minDuration;
        l.maxDuration = s.maxDuration;
        l.provider = s.provider;
        l.deposit = s.deposit;
        uint256 start = s.start;
        if (start == 0) {
            if (l.renter != address(0)) {
                l.status = s.openedBlock == 0 ? ILeaseEscrow.Status.Cancelled : ILeaseEscrow.Status.Pending;
            }
            return l;
        }
        l.start = start;
        l.stop = stopOf(s);
        l.rate = s.rate;
        l.notice = s.notice;
        l.devices = s.devices;
        l.leftEarly = has(s, LEFT_EARLY);
        l.bond = StreamMath.cost(l.rate, l.minDuration); // no more than the deposit
        l.status = block.timestamp < l.stop ? ILeaseEscrow.Status.Active : ILeaseEscrow.Status.Ended;
    }

    /// @notice The lease in full, but for its token and its offer.
    function read(Stored storage s, uint256 maxDowntime) internal view returns (ILeaseEscrow.Lease memory l) {
        l = terms(s);
        l.claimed = s.claimed;
        l.refunded = s.refunded;
        l.noticeAt = s.noticeAt;
        l.downtimeRefund = s.downtimeRefund;
        l.downtime = s.downtime;
        settle(s, l, maxDowntime);
    }

    /// @notice Works out the forfeits as they stand: anew after a change.
    /// @dev The renter's: what a provider who left before the minimum did not serve, less what a slash took before. The
    /// network's: that of slashed devices, or that of all time not served as attested downtime shows it, whichever is more.
    /// Together never above the bond.
    function settle(Stored storage s, ILeaseEscrow.Lease memory l, uint256 maxDowntime) internal view {
        uint256 bySlash = has(s, SLASHED) ? s.slashForfeit : 0;
        uint256 renters;
        if (has(s, PROVIDER_LEFT)) {
            renters = StreamMath.unserved(l.bond, l.stop - l.start, l.minDuration, l.minDuration);
            renters = _above(renters, bySlash);
        }
        uint256 networks;
        if (l.downtime > maxDowntime) {
            networks = _above(unserved(l, l.downtime), renters);
        }
        l.forfeited = renters;
        l.forfeitable = networks > bySlash ? networks : bySlash;
        l.bondReturned = has(s, BOND_RETURNED);
    }

    /// @notice What the provider owes out of the bond for time that it had to serve and has not, `lost` seconds of the lease being
    /// none. It has to serve the minimum, or less where a notice runs out before, or where a renter who left early was released.
    function unserved(ILeaseEscrow.Lease memory l, uint256 lost) internal view returns (uint256) {
        uint256 obliged = l.minDuration;
        unchecked {
            // Times of 40 bits in their order; what was lost was lost of what was served.
            if (l.leftEarly) obliged = _least(obliged, l.stop - l.start);
            if (l.noticeAt != 0) obliged = _least(obliged, l.noticeAt + l.notice - l.start);
            return StreamMath.unserved(l.bond, servedAt(l, block.timestamp) - lost, obliged, l.minDuration);
        }
    }

    /// @notice When the stream ends: with the deposit or the term, unless a side has ended it. Zero before the start.
    function stopOf(Stored storage s) internal view returns (uint256) {
        (uint256 start, uint256 stop) = (s.start, s.stop);
        return stop != 0 || start == 0 ? stop : start + StreamMath.term(s.rate, s.deposit, s.maxDuration);
    }

    /// @notice Seconds of the lease up to `time`.
    function servedAt(ILeaseEscrow.Lease memory l, uint256 time) internal pure returns (uint256) {
        (uint256 start, uint256 stop) = (l.start, l.stop);
        if (time > stop) time = stop;
        unchecked {
            return time > start ? time - start : 0;
        }
    }

    /// @notice What has streamed up to `time`.
    function streamedAt(ILeaseEscrow.Lease memory l, uint256 time) internal pure returns (uint256) {
        return StreamMath.streamed(l.rate, servedAt(l, time));
    }

    /// @notice What has streamed up to `time` and is neither claimed nor credited for downtime.
    function unclaimedAt(ILeaseEscrow.Lease memory l, uint256 time) internal pure returns (uint256) {
        return _above(streamedAt(l, time), l.claimed + l.downtimeRefund);
    }

    /// @notice What the renter can have now.
    function refundable(ILeaseEscrow.Lease memory l) internal view returns (uint256 due) {
        due = l.downtimeRefund + l.forfeited;
        if (l.status >= ILeaseEscrow.Status.Ended) due += l.deposit - streamedAt(l, block.timestamp);
        due -= l.refunded;
    }

    /// @notice What of the bond the provider is still due.
    function bondDue(Stored storage s, ILeaseEscrow.Lease memory l) internal view returns (uint256 due) {
        if (!l.bondReturned) due = l.bond - l.forfeited - l.forfeitable;
        if (has(s, FORGIVEN) && !has(s, FORFEIT_GONE)) due += l.forfeitable;
    }

    /// @notice Marks an epoch's downtime as credited; reverts where it was.
    /// @dev Epochs older than the 64 that are kept have long passed their last second for a refund.
    function credit(Stored storage s, uint256 epoch) internal {
        uint256 latest = s.latestEpoch;
        uint256 credited = s.credited;
        if (credited == 0 || epoch > latest) {
            credited = (credited << (epoch - latest)) | 1;
            latest = epoch;
        } else {
            uint256 age = latest - epoch;
            uint256 bit = 1 << age;
            if (age > 63 || credited & bit != 0) revert ILeaseErrors.LeaseEscrow_EpochAlreadyRefunded(epoch);
            credited |= bit;
        }
        s.latestEpoch = uint48(latest);
        s.credited = uint64(credited);
    }

    function _least(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }

    function _above(uint256 a, uint256 b) private pure returns (uint256) {
        unchecked {
            return a > b ? a - b : 0;
        }
    }
}
