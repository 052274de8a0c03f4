// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {Earnings} from "../base/Earnings.sol";
import {Oracle, Rewards, Seats, Stake, Token} from "../base/Extras.sol";
import {Trees} from "../base/Trees.sol";

/// @title Validators, and whoever else comes, who move epochs on or do not; seats that come and go; claims and vetoes
/// @dev Every step is tried with whatever mask of signers the run brings: too few must fail, enough must do.
contract EpochHandler is Earnings {
    struct Leaves {
        uint256 a;
        uint256 b;
        bool known;
    }

    uint64 public highest; // epoch opened last
    uint256 public opened;
    address[] public accounts; // of seats that have been held or are waited for; seat i has signer key i
    mapping(address signer => uint256) internal keyOf;
    uint256 public paid;

    mapping(uint64 epoch => uint256) public reached; // phase seen last
    mapping(uint64 epoch => bytes32) public beaconOf;
    mapping(address signer => bool) public slashed;
    mapping(uint64 epoch => Leaves) internal leavesOf;
    mapping(uint64 epoch => bool) public vetoed;
    uint64 public reportedLast;
    bool public anyReport;
    Leaves internal last;

    constructor() {
        deployNetwork();
        for (uint256 i = 0; i < 9; ++i) joinNext();
        open(0);
    }

    function setUp() public override { }

    function parts() external view returns (Oracle, Seats, Rewards, Token, Stake) {
        return (oracle, seats, rewards, token, stake);
    }

    /// @dev The next epoch that can be opened, or one of the three after it.
    function open(uint256 skip) public {
        uint64 e = oracle.currentEpoch();
        if (block.timestamp < startOf(e)) vm.warp(startOf(e));
        if (opened != 0 && (e <= highest || block.timestamp > startOf(e) + OPEN_BY)) {
            e = highest >= e ? highest + 1 : e + 1;
            if (skip % 4 == 0) e += uint64(within(skip / 4, 0, 3));
            vm.warp(startOf(e));
        }
        vm.roll(block.number + 1);
        IValidatorSet.Seat[] memory foretold = seats.currentSeats();
        vm.recordLogs();
        (bool ok, bytes memory why) = address(oracle).call(abi.encodeCall(IEpochOracle.openEpoch, (e)));
        vm.getRecordedLogs();
        if (!ok) {
            eq(bytes32(bytes4(why)), bytes32(IEpochOracle.EpochOracle_NoSeats.selector), "only without seats");
            eq(foretold.length, 0, "as foretold");
            return;
        }
        if (opened != 0 && e <= highest) revert NotTrue("an epoch opened twice or backwards");
        IValidatorSet.Seat[] memory fixed_ = seats.seatsOf(oracle.epochState(e).setId);
        eq(keccak256(abi.encode(fixed_)), keccak256(abi.encode(foretold)), "the set was foretold");
        if (opened != 0) changedWithinTheBound(seats.seatsOf(oracle.epochState(highest).setId), fixed_);
        highest = e;
        ++opened;
        beaconOf[e] = oracle.epochState(e).beacon;
        observe();
    }

    /// @dev Slashed seats aside, no more come or go than max(1, f / 2) of those that were left.
    function changedWithinTheBound(IValidatorSet.Seat[] memory before, IValidatorSet.Seat[] memory now_)
        internal
        view
    {
        uint256 left;
        uint256 gone;
        for (uint256 i = 0; i < before.length; ++i) {
            bool stays = sitsIn(now_, before[i].signer);
            if (slashed[before[i].signer]) {
                isTrue(!stays, "a slashed seat leaves with the next epoch");
                continue;
            }
            ++left;
            if (!stays) ++gone;
        }
        uint256 came;
        for (uint256 i = 0; i < now_.length; ++i) if (!sitsIn(before, now_[i].signer)) ++came;
        uint256 f = left == 0 ? 0 : (left - 1) / 3;
        uint256 limit = f / 2 == 0 ? 1 : f / 2;
        atMost(came, limit, "seats that came");
        // Where the last one left, one more change lets the next in.
        atMost(gone, now_.length == came ? limit + 1 : limit, "seats that went");
    }

    function sitsIn(IValidatorSet.Seat[] memory list, address signer) internal pure returns (bool) {
        for (uint256 i = 0; i < list.length; ++i) if (list[i].signer == signer) return true;
        return false;
    }

    function wait(uint256 seconds_) external {
        vm.warp(block.timestamp + within(seconds_, 1, 400));
        vm.roll(block.number + 5);
        observe();
    }

    /// @dev A whole epoch that all seats sign; or several, so that what waits is made and what may be claimed is.
    function run(uint256 epochs, uint256 more, uint256 a, uint256 b) external {
        for (uint256 i = within(epochs, 1, 3); i != 0; --i) {
            uint256 before = opened;
            open(epochs / 3);
            if (opened == before) return;
            seal(0, keccak256("all"));
            vm.roll(block.number + DRAW_DELAY + 1);
            draw();
            report(0, more, a, b);
        }
    }

    /// @dev Half of the time all sign.
    function maskOf(uint256 mask, uint8 n) internal pure returns (uint256) {
        return mask % 2 == 0 ? (1 << n) - 1 : mask & ((1 << n) - 1);
    }

    function seal(uint256 mask, bytes32 root) public {
        IEpochOracle.EpochState memory s = oracle.epochState(highest);
        if (root == 0) root = keccak256("root");
        mask = maskOf(mask, s.seats);
        IEpochOracle.Quorum memory q = quorumBySet(sealDigest(highest, 0, root, 1), mask, s.setId);
        bool expected = s.phase == IEpochOracle.Phase.Open && block.timestamp <= startOf(highest) + SEAL_BY
            && bits(mask) >= quorumOf(s.seats);
        (bool ok,) = address(oracle).call(abi.encodeCall(IEpochOracle.seal, (highest, 0, root, 1, q)));
        isTrue(ok == expected, "a seal goes through exactly with a quorum, in its time");
        observe();
    }

    function draw() public {
        IEpochOracle.EpochState memory s = oracle.epochState(highest);
        bool expected = s.phase == IEpochOracle.Phase.Sealed && block.timestamp <= startOf(highest) + DRAW_BY
            && block.number > s.sealBlock + DRAW_DELAY;
        (bool ok,) = address(oracle).call(abi.encodeCall(IEpochOracle.draw, (highest)));
        isTrue(ok == expected, "a draw goes through exactly after its block, in its time");
        observe();
    }

    /// @dev The total rises by what the epoch emits, more or less; the leaves by as much each, so that they may go beyond it.
    function report(uint256 mask, uint256 more, uint256 a, uint256 b) public {
        IEpochOracle.EpochState memory s = oracle.epochState(highest);
        mask = maskOf(mask, s.seats);
        uint256 rise = s.seats < 4 ? 0 : rewards.emissionOf(highest);
        more = within(more, 0, rise + 1);
        Leaves memory l = Leaves(last.a + within(a, 0, more), last.b + within(b, 0, more), true);
        IEpochOracle.Report memory r = reportOf(highest, l.a, l.b, countedTotal() + more);
        IEpochOracle.Quorum memory q = quorumBySet(reportDigest(r), mask, s.setId);
        bool expected = s.phase == IEpochOracle.Phase.Drawn && block.timestamp <= startOf(highest) + REPORT_BY
            && bits(mask) >= quorumOf(s.seats) && more <= rise;
        (bool ok,) = address(oracle).call(abi.encodeCall(IEpochOracle.report, (r, q)));
        isTrue(ok == expected, "a report goes through exactly with a quorum, in its time, within its epoch's emission");
        if (ok) {
            leavesOf[highest] = l;
            last = l;
        }
        observe();
    }

    /// @dev Somebody claims against one of the last reports, at once or when it may.
    function claimSome(uint256 back, bool other, bool waits) external {
        uint64 e = highest - uint64(within(back, 0, highest > 4 ? 4 : highest));
        Leaves memory l = leavesOf[e];
        (, uint256 total, uint40 at,) = oracle.rewardsOf(e);
        if (!l.known || at == 0) return;
        if (waits && block.timestamp < rewards.claimableAt(e)) vm.warp(rewards.claimableAt(e));
        address who = other ? OTHER : EARNER;
        uint256 cumulative = other ? l.b : l.a;
        uint256 before = rewards.claimed(who);
        bool expected = block.timestamp >= at + CLAIM_DELAY && block.timestamp >= rewards.claimableAt(e) && !vetoed[e]
            && cumulative > before && rewards.totalClaimed() + (cumulative - before) <= total;
        bytes32[] memory proof = Trees.sortedProof(leaves(l.a, l.b), other ? 1 : 0);
        vm.prank(who);
        (bool ok,) = address(rewards).call(abi.encodeCall(rewards.claim, (e, cumulative, proof, RECEIVER)));
        isTrue(ok == expected, "a claim goes through exactly when due, not vetoed and within its report");
        if (!ok) return;
        paid += cumulative - before;
        atMost(rewards.totalClaimed(), total, "nothing is minted beyond the report claimed against");
        observe();
    }

    /// @dev The guardian or the timelock takes back what is reported; nobody may where it could be claimed.
    function vetoSome(uint256 back, bool byTimelock) external {
        uint64 e = highest - uint64(within(back, 0, highest > 3 ? 3 : highest));
        (,, uint40 at,) = oracle.rewardsOf(e);
        if (at == 0) return;
        bool claimable = block.timestamp >= rewards.claimableAt(e);
        if (!byTimelock) vm.prank(GUARDIAN);
        (bool ok,) = address(rewards).call(
            byTimelock ? abi.encodeCall(rewards.vetoByTimelock, (e)) : abi.encodeCall(rewards.veto, (e))
        );
        isTrue(!ok || !claimable, "no veto of what could be claimed");
        isTrue(!byTimelock || ok == (!claimable && !vetoed[e]), "the timelock vetoes whatever cannot be claimed yet");
        if (ok) for (uint64 later = e; later <= highest; ++later) if (leavesOf[later].known) vetoed[later] = true;
        observe();
    }

    function voidEpoch(uint256 back) external {
        uint64 e = highest - uint64(within(back, 0, highest > 2 ? 2 : highest));
        address(oracle).call(abi.encodeCall(IEpochOracle.voidEpoch, (e)));
        observe();
    }

    function joinSeat() external {
        for (uint256 i = 0; i < 3; ++i) {
            if (accounts.length >= 60 || seats.plannedSeats().length >= 20) return;
            joinNext();
        }
    }

    function joinNext() internal {
        uint256 i = accounts.length;
        join(i, SEAT_STAKE);
        accounts.push(seatAccount(i));
        keyOf[seatSigner(i)] = SEAT_KEY + i;
    }

    function accountCount() external view returns (uint256) {
        return accounts.length;
    }

    function leaveSeat(uint256 pick) external {
        address[] memory planned = seats.plannedSeats();
        if (planned.length <= 2) return;
        vm.prank(planned[pick % planned.length]);
        seats.leave();
    }

    function slashSeat(uint256 pick) external {
        if (pick % 3 != 0) return;
        address account = accounts[(pick / 3) % accounts.length];
        IValidatorSet.Member memory m = seats.member(account);
        vm.prank(address(fraud));
        (bool ok,) = address(seats).call(abi.encodeCall(IValidatorSet.markSlashed, (account, m.signer)));
        isTrue(ok == m.reserved, "slashed exactly while something is at stake");
        if (ok) slashed[m.signer] = true;
    }

    function checkInSeat(uint256 pick, uint256 back) external {
        uint64 e = highest - uint64(within(back, 0, highest > 1 ? 1 : highest));
        vm.prank(accounts[pick % accounts.length]);
        address(seats).call(abi.encodeCall(IValidatorSet.checkIn, (e)));
    }

    function evictSeat(uint256 pick) external {
        address account = accounts[pick % accounts.length];
        uint256 status = uint256(seats.member(account).status);
        (bool ok,) = address(seats).call(abi.encodeCall(IValidatorSet.evict, (account)));
        isTrue(!ok || status == uint256(IValidatorSet.Status.Seated), "only a seat that sits is evicted");
    }

    /// @dev Phases only move on, a beacon never changes, reports never go back.
    function observe() internal {
        uint64 first = highest > 3 ? highest - 3 : 0;
        for (uint64 e = first; e <= highest; ++e) {
            IEpochOracle.EpochState memory s = oracle.epochState(e);
            atMost(reached[e], uint256(s.phase), "phases only move on");
            reached[e] = uint256(s.phase);
            eq(s.beacon, beaconOf[e], "a beacon never changes");
        }
        (, uint64 lastEpoch, bool any) = oracle.lastReport();
        isTrue(!anyReport || (any && lastEpoch >= reportedLast), "reports never go back");
        (reportedLast, anyReport) = (lastEpoch, any);
    }

    function bits(uint256 mask) public pure returns (uint256 n) {
        for (; mask != 0; mask &= mask - 1) ++n;
    }

    /// @dev Seats of the epoch's own set sign, whoever they are by now.
    function quorumBySet(bytes32 digest, uint256 mask, uint32 setId)
        internal
        view
        returns (IEpochOracle.Quorum memory q)
    {
        q.signers = uint32(mask);
        for (uint256 i = 0; i < 32; ++i) {
            if ((mask >> i) & 1 == 0) continue;
            (, address signer) = seats.seatAt(setId, i);
            q.signatures = bytes.concat(q.signatures, signed(keyOf[signer], digest));
        }
    }
}
