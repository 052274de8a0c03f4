// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IFormerEscrow} from "contracts/interfaces/IFormerEscrow.sol";

import {Token} from "../base/Extras.sol";
import {Market} from "../base/Market.sol";
import {Trees} from "../base/Trees.sol";

/// @title Renters and a provider who do anything they may, in any order
/// @dev A call that may not be made is skipped here; one that should work and reverts fails the run.
contract LeaseHandler is Market {
    uint256 internal constant DEVICES = 3;
    uint256 internal constant MAX_LEASES = 12;
    address internal constant SINK = address(0x51e4);

    bytes32[] internal devices;
    uint64 internal nextEpoch;
    uint64 internal lastEpoch;
    uint16 internal lastUptime;

    // What the handler itself has seen, to compare with what the escrow says.
    mapping(uint256 leaseId => uint256) public paidIn;
    mapping(uint256 leaseId => uint256) public paidOut;
    mapping(uint256 leaseId => uint256) public lastStreamed;
    mapping(uint256 leaseId => uint256) public frozenAt; // stream once it has stopped, plus one
    mapping(address token => uint256) public feesPaid;
    uint256 public leases;
    mapping(bytes32 name => uint256) public calls;

    modifier counted(bytes32 name) {
        calls[name]++;
        _;
        observe();
    }

    constructor() {
        deployNetwork();
        joinSeats(4);
        for (uint256 i = 0; i < DEVICES; ++i) devices.push(enrol(i, 1));
        approveBoth(usd, 1e30);
        token.transfer(renter, 1e26);
        token.transfer(provider, 1e26);
        vm.prank(renter);
        token.approve(address(escrow), type(uint256).max);
        vm.prank(provider);
        token.approve(address(escrow), type(uint256).max);
        report(10_000, 700);
    }

    function escrowAddress() external view returns (Token, Token, IFormerEscrow) {
        return (usd, token, escrow);
    }

    /// @dev Time passes; streams are looked at on the way.
    function wait(uint256 seconds_) external counted("wait") {
        vm.warp(block.timestamp + within(seconds_, 1, 5_000));
    }

    /// @dev Runs the next epoch that can still be opened; leased devices were up for `uptimeBps` of it.
    function report(uint256 uptimeBps, uint256 at) public counted("report") {
        uint64 current = oracle.currentEpoch();
        uint64 e = nextEpoch > current ? nextEpoch : current;
        if (block.timestamp > startOf(e)) ++e;
        uint16 uptime = uint16(within(uptimeBps, 0, 10_000));
        bytes32[] memory leaves = new bytes32[](2 * DEVICES);
        for (uint256 i = 0; i < DEVICES; ++i) {
            leaves[i] = leafHash(passedLeaf(e, devices[i]));
            leaves[DEVICES + i] = leafHash(leasedLeaf(e, devices[i], uptime));
        }
        openEpoch(e);
        sealEpoch(e, 0, 0);
        drawEpoch(e);
        vm.warp(startOf(e) + within(at, 610, REPORT_BY));
        IEpochOracle.Report memory r = plainReport(e);
        r.devicesRoot = Trees.sortedRoot(leaves);
        postReport(r);
        (lastEpoch, lastUptime) = (e, uptime);
        nextEpoch = e + 1;
    }

    function open(uint256 device, uint256 rate, uint256 min, uint256 max, uint256 deposit, bool inUsd)
        external
        counted("open")
    {
        if (leases >= MAX_LEASES || lastEpoch + MAX_AGE < oracle.currentEpoch()) return;
        bytes32 id = devices[device % DEVICES];
        IFormerEscrow.Offer memory offer = offerOf(id, inUsd ? address(usd) : address(token), uint128(within(rate, 1, 1e24)));
        offer.maxDuration = uint40(within(max, 60, 30_000));
        offer.minDuration = uint40(within(min, 0, offer.maxDuration));
        uint256 least = costOf(offer.rate, offer.minDuration > 60 ? offer.minDuration : 60);
        uint128 amount = uint128(within(deposit, least, costOf(offer.rate, offer.maxDuration)));
        bytes memory signature = signOffer(offer);
        IEpochOracle.DeviceLeaf memory leaf = passedLeaf(lastEpoch, id);
        bytes32[] memory proof = proofOf(device % DEVICES);
        vm.prank(renter);
        uint256 lease = escrow.open(offer, signature, amount, leaf, proof, 0);
        eq(lease, ++leases, "lease ids count up");
        paidIn[lease] = amount;
    }

    function cancel(uint256 pick) external counted("cancel") {
        (uint256 id, IFormerEscrow.Lease memory l) = any(pick);
        if (l.status != IFormerEscrow.Status.Pending) return;
        vm.prank(renter);
        escrow.cancel(id);
    }

    function start(uint256 pick) external counted("start") {
        (uint256 id, IFormerEscrow.Lease memory l) = any(pick);
        if (l.status != IFormerEscrow.Status.Pending || escrow.activeLease(l.deviceId) != 0) return;
        startLease(id);
        paidIn[id] += escrow.lease(id).bond;
    }

    function topUp(uint256 pick, uint256 amount) external counted("topUp") {
        (uint256 id, IFormerEscrow.Lease memory l) = any(pick);
        if (l.status != IFormerEscrow.Status.Active || block.timestamp >= l.stop) return;
        uint256 most = costOf(l.rate, l.maxDuration);
        if (most <= l.deposit) return;
        amount = within(amount, 1, most - l.deposit);
        vm.prank(renter);
        escrow.topUp(id, uint128(amount));
        paidIn[id] += amount;
    }

    function end(uint256 pick, bool byRenter) external counted("end") {
        (uint256 id, IFormerEscrow.Lease memory l) = any(pick);
        if (l.status != IFormerEscrow.Status.Active || block.timestamp >= l.stop) return;
        vm.prank(byRenter ? renter : provider);
        escrow.end(id);
    }

    function claim(uint256 pick) external counted("claim") {
        (uint256 id, IFormerEscrow.Lease memory l) = any(pick);
        uint256 due = escrow.claimable(id);
        if (due == 0) return;
        Token paid = Token(l.token);
        (uint256 before, uint256 fees) = (paid.balanceOf(SINK), escrow.fees(l.token));
        vm.prank(provider);
        uint256 amount = escrow.claim(id, SINK);
        eq(paid.balanceOf(SINK) - before, amount, "what a claim says is what it pays");
        eq(amount + escrow.fees(l.token) - fees, due, "a claim and its fee are what was claimable");
        paidOut[id] += due;
        eq(escrow.claimable(id), 0, "nothing is claimable twice");
    }

    function refund(uint256 pick) external counted("refund") {
        (uint256 id, IFormerEscrow.Lease memory l) = any(pick);
        uint256 due = escrow.refundable(id);
        if (due == 0) return;
        uint256 before = Token(l.token).balanceOf(SINK);
        vm.prank(renter);
        eq(escrow.refund(id, SINK), due, "refund pays what it says");
        eq(Token(l.token).balanceOf(SINK) - before, due, "refund pays what it says");
        paidOut[id] += due;
        eq(escrow.refundable(id), 0, "nothing is refunded twice");
    }

    function returnBond(uint256 pick) external counted("returnBond") {
        (uint256 id,) = any(pick);
        uint256 due = escrow.bondReturnable(id);
        if (due == 0) return;
        vm.prank(provider);
        eq(escrow.returnBond(id, SINK), due, "the bond comes back whole");
        paidOut[id] += due;
        eq(escrow.bondReturnable(id), 0, "no bond comes back twice");
    }

    function refundDowntime(uint256 pick) external counted("refundDowntime") {
        (uint256 id, IFormerEscrow.Lease memory l) = any(pick);
        if (l.status != IFormerEscrow.Status.Active && l.status != IFormerEscrow.Status.Ended) return;
        uint256 last = l.endedAt != 0 && l.endedAt < l.stop ? l.endedAt : l.stop;
        if (lastUptime == 10_000 || lastEpoch < l.nextEpoch || startOf(lastEpoch) < l.start) return;
        if (startOf(lastEpoch + 1) > last || startOf(lastEpoch + 1) > block.timestamp) return;
        if (block.timestamp > startOf(lastEpoch) + HOLDBACK) return;
        uint256 at;
        while (devices[at] != l.deviceId) ++at;
        escrow.refundDowntime(id, leasedLeaf(lastEpoch, l.deviceId, lastUptime), proofOf(DEVICES + at));
    }

    function collectFees(bool inUsd) external counted("collectFees") {
        address payIn = inUsd ? address(usd) : address(token);
        uint256 due = escrow.fees(payIn);
        if (due == 0) return;
        vm.prank(address(this));
        eq(escrow.collectFees(payIn, SINK), due, "fees are paid out whole");
        feesPaid[payIn] += due;
    }

    function donate(uint256 amount, bool inUsd) external counted("donate") {
        amount = within(amount, 1, 1e12);
        vm.prank(renter);
        (inUsd ? usd : token).transfer(address(escrow), amount);
    }

    /// @dev Everybody leaves: what can be ended is ended, time passes, all that is due is paid.
    function everyoneLeaves() external {
        for (uint256 id = 1; id <= leases; ++id) {
            IFormerEscrow.Lease memory l = escrow.lease(id);
            if (l.status == IFormerEscrow.Status.Pending) {
                vm.prank(renter);
                escrow.cancel(id);
            } else if (l.status == IFormerEscrow.Status.Active && block.timestamp < l.stop) {
                vm.prank(id % 2 == 0 ? renter : provider);
                escrow.end(id);
            }
        }
        vm.warp(block.timestamp + 200_000);
        for (uint256 id = 1; id <= leases; ++id) {
            if (escrow.claimable(id) != 0) {
                vm.prank(provider);
                escrow.claim(id, SINK);
            }
            if (escrow.refundable(id) != 0) {
                vm.prank(renter);
                escrow.refund(id, SINK);
            }
            if (escrow.bondReturnable(id) != 0) {
                vm.prank(provider);
                escrow.returnBond(id, SINK);
            }
        }
        escrow.collectFees(address(usd), SINK);
        escrow.collectFees(address(token), SINK);
    }

    function sink() external pure returns (address) {
        return SINK;
    }

    function look() external {
        observe();
    }

    /// @dev Streams never fall, never pass the deposit, and stand still once stopped.
    function observe() internal {
        for (uint256 id = 1; id <= leases; ++id) {
            IFormerEscrow.Lease memory l = escrow.lease(id);
            uint256 now_ = escrow.streamed(id);
            atMost(now_, l.deposit, "stream within the deposit");
            if (l.status == IFormerEscrow.Status.Active || block.timestamp >= l.stop) {
                atMost(lastStreamed[id], now_, "streams never fall");
            }
            if (l.stop != 0 && block.timestamp >= l.stop) {
                if (frozenAt[id] == 0) frozenAt[id] = now_ + 1;
                eq(now_ + 1, frozenAt[id], "streams are frozen after their stop");
            }
            lastStreamed[id] = now_;
        }
    }

    function any(uint256 pick) internal view returns (uint256 id, IFormerEscrow.Lease memory l) {
        id = leases == 0 ? 0 : 1 + pick % leases;
        l = escrow.lease(id);
    }

    function proofOf(uint256 at) internal view returns (bytes32[] memory) {
        bytes32[] memory leaves = new bytes32[](2 * DEVICES);
        for (uint256 i = 0; i < DEVICES; ++i) {
            leaves[i] = leafHash(passedLeaf(lastEpoch, devices[i]));
            leaves[DEVICES + i] = leafHash(leasedLeaf(lastEpoch, devices[i], lastUptime));
        }
        return Trees.sortedProof(leaves, at);
    }
}
