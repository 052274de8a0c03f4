// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";
import {OperatorScopes} from "contracts/libraries/OperatorScopes.sol";

import {Token} from "../base/Extras.sol";
import {Market} from "../base/Market.sol";

/// @title Renters, a provider and its operator who do anything they may, in any order
/// @dev A call that may not be made is skipped here; one that should work and reverts fails the run.
contract LeaseHandler is Market {
    uint256 internal constant DEVICES = 4;
    uint256 internal constant MAX_LEASES = 12;
    address internal constant SINK = address(0x51e4);

    bytes32[] public devices; // ascending
    uint64[] internal epochs; // with a report
    mapping(uint64 epoch => uint16[DEVICES]) internal uptimes;
    uint64 internal nextEpoch;

    // What the handler itself has seen, to compare with what the escrow says.
    mapping(uint256 leaseId => uint256) public paidIn;
    mapping(uint256 leaseId => uint256) public paidOut; // to either side
    mapping(uint256 leaseId => uint256) public settled; // to the fees
    mapping(uint256 leaseId => bool) public forgiven;
    mapping(uint256 leaseId => mapping(uint64 epoch => bool)) internal credited;
    mapping(uint256 leaseId => uint256) internal lastStreamed;
    mapping(uint256 leaseId => uint256) internal frozenAt; // stream once it has stopped, plus one
    mapping(address token => uint256) public credit;
    uint256 public leases;
    mapping(bytes32 name => uint256) public calls;

    modifier counted(bytes32 name) {
        calls[name]++;
        _;
        observe();
    }

    /// @dev Not the constructor: contracts ask the test that stands for the timelock, which must have code by then.
    function deploy() external {
        deployNetwork();
        joinSeats(4);
        devices = enrolNode(0, DEVICES);
        approveBoth(usd, 1e30);
        token.transfer(renter, 1e26);
        token.transfer(provider, 1e26);
        vm.prank(renter);
        token.approve(address(escrow), type(uint256).max);
        vm.prank(provider);
        token.approve(address(escrow), type(uint256).max);
        appoint(OperatorScopes.ALL);
        vm.prank(provider);
        registry.setPayout(SINK);
        report(10_000, 700);
    }

    function parts() external view returns (Token, Token, ILeaseEscrow, address) {
        return (usd, token, escrow, provider);
    }

    /// @dev Time passes; streams are looked at on the way.
    function wait(uint256 seconds_) external counted("wait") {
        vm.warp(block.timestamp + within(seconds_, 1, 5_000));
    }

    /// @dev Runs the next epoch that can still be opened. Each device has a line as passed and a line as leased.
    function report(uint256 seed, uint256 at) public counted("report") {
        uint64 current = oracle.currentEpoch();
        uint64 e = nextEpoch > current ? nextEpoch : current;
        if (block.timestamp > startOf(e)) ++e;
        IEpochOracle.DeviceLeaf[] memory lines = new IEpochOracle.DeviceLeaf[](2 * DEVICES);
        for (uint256 i = 0; i < DEVICES; ++i) {
            uint16 uptime = uint16(within(uint256(keccak256(abi.encode(seed, i))), 0, 10_000));
            uptimes[e][i] = uptime;
            lines[i] = passedLeaf(e, devices[i]);
            lines[DEVICES + i] = leasedLeaf(e, devices[i], uptime);
        }
        measure(e, lines, within(at, 610, REPORT_BY));
        epochs.push(e);
        nextEpoch = e + 1;
    }

    function open(uint256 mask, uint256 rate, uint256 least, uint256 most, uint256 deposit, uint256 seed)
        external
        counted("open")
    {
        uint64 e = epochs[epochs.length - 1];
        bytes32[] memory ids = chosen(mask);
        if (leases >= MAX_LEASES || e + MAX_AGE < oracle.currentEpoch() || ids.length == 0) return;
        ILeaseEscrow.Offer memory offer =
            offerOf(ids, seed % 2 == 0 ? address(usd) : address(token), uint128(within(rate, 1, 1e24)));
        offer.maxDuration = uint40(within(most, 60, 30_000));
        offer.minDuration = uint40(within(least, 0, offer.maxDuration));
        if (seed % 3 == 0) offer.notice = uint32(within(seed, 60, 5_000));
        if (seed % 5 == 0) offer.operator = operator;
        uint256 needed = costOf(offer.rate, offer.minDuration > 60 ? offer.minDuration : 60);
        uint96 amount = uint96(within(deposit, needed, costOf(offer.rate, offer.maxDuration)));
        uint256 id = openLease(offer, e, amount);
        eq(id, ++leases, "lease ids count up");
        paidIn[id] = amount;
        if (seed % 4 != 0) begin(id, seed % 4 == 1);
    }

    function cancel(uint256 pick) external counted("cancel") {
        (uint256 id, ILeaseEscrow.Lease memory l) = any(pick);
        if (l.status != ILeaseEscrow.Status.Pending) return;
        vm.prank(renter);
        escrow.cancel(id);
    }

    function start(uint256 pick, bool byOperator) external counted("start") {
        (uint256 id, ILeaseEscrow.Lease memory l) = any(pick);
        if (l.status == ILeaseEscrow.Status.Pending) begin(id, byOperator);
    }

    function begin(uint256 id, bool byOperator) internal {
        ILeaseEscrow.Offer memory offer = offerOfLease(id);
        uint256 bond = costOf(offer.rate, offer.minDuration);
        (uint96 amount,, uint96 left) = escrow.bondCredit(provider, offer.token);
        byOperator = byOperator && bond <= amount && bond <= left;
        for (uint256 i = 0; i < offer.deviceIds.length; ++i) {
            if (registry.device(offer.deviceIds[i]).status != IDeviceRegistry.Status.Active) return;
            uint256 before = escrow.activeLease(offer.deviceIds[i]);
            if (before != 0 && (byOperator || !escrow.lease(before).leftEarly)) return;
        }
        startLease(id, byOperator ? operator : provider);
        eq(escrow.lease(id).bond, bond, "the bond");
        paidIn[id] += bond;
        if (byOperator) credit[offer.token] -= bond;
    }

    function topUp(uint256 pick, uint256 amount) external counted("topUp") {
        (uint256 id, ILeaseEscrow.Lease memory l) = any(pick);
        uint256 most = costOf(l.rate, l.maxDuration);
        if (l.status != ILeaseEscrow.Status.Active || l.leftEarly || most <= l.deposit) return;
        amount = within(amount, 1, most - l.deposit);
        vm.prank(renter);
        escrow.topUp(id, uint96(amount));
        paidIn[id] += amount;
    }

    /// @dev By the renter where it may, else by the provider, or by the operator where nothing is forfeited.
    function end(uint256 pick, uint256 by) external counted("end") {
        (uint256 id, ILeaseEscrow.Lease memory l) = any(pick);
        if (l.status != ILeaseEscrow.Status.Active) return;
        if (by % 3 == 0 && (!l.leftEarly || l.downtime > MAX_DOWNTIME || l.noticeAt != 0)) {
            vm.prank(renter);
            escrow.end(id);
        } else if (!l.leftEarly) {
            bool served = block.timestamp >= l.start + l.minDuration && l.downtime <= MAX_DOWNTIME;
            vm.prank(by % 3 == 1 && served ? operator : provider);
            escrow.end(id);
            eq(escrow.lease(id).stop, block.timestamp, "at once");
        }
    }

    function giveNotice(uint256 pick, bool byOperator) external counted("giveNotice") {
        (uint256 id, ILeaseEscrow.Lease memory l) = any(pick);
        if (l.status != ILeaseEscrow.Status.Active || l.notice == 0 || l.noticeAt != 0) return;
        vm.prank(byOperator ? operator : provider);
        escrow.giveNotice(id);
    }

    function release(uint256 pick) external counted("release") {
        (uint256 id, ILeaseEscrow.Lease memory l) = any(pick);
        if (l.status != ILeaseEscrow.Status.Active || !l.leftEarly) return;
        vm.prank(provider);
        escrow.release(id);
    }

    function claim(uint256 pick, bool byOperator) external counted("claim") {
        (uint256 id, ILeaseEscrow.Lease memory l) = any(pick);
        uint256 due = escrow.claimable(id);
        if (due == 0) return;
        Token paid = Token(l.token);
        (uint256 before, uint256 fees) = (paid.balanceOf(SINK), escrow.fees(l.token));
        vm.prank(byOperator ? operator : provider);
        uint256 amount = escrow.claim(id, SINK);
        eq(paid.balanceOf(SINK) - before, amount, "what a claim says is what it pays");
        eq(amount + escrow.fees(l.token) - fees, due, "a claim and its fee are what was claimable");
        paidOut[id] += due;
        eq(escrow.claimable(id), 0, "nothing is claimable twice");
    }

    function refund(uint256 pick) external counted("refund") {
        (uint256 id,) = any(pick);
        uint256 due = escrow.refundable(id);
        if (due == 0) return;
        vm.prank(renter);
        eq(escrow.refund(id, SINK), due, "refund pays what it says");
        paidOut[id] += due;
        eq(escrow.refundable(id), 0, "nothing is refunded twice");
    }

    function returnBond(uint256 pick, bool byOperator) external counted("returnBond") {
        (uint256 id,) = any(pick);
        uint256 due = escrow.bondReturnable(id);
        if (due == 0) return;
        vm.prank(byOperator ? operator : provider);
        eq(escrow.returnBond(id, SINK), due, "the bond comes back as it says");
        paidOut[id] += due;
        eq(escrow.bondReturnable(id), 0, "no bond comes back twice");
    }

    /// @dev Of any epoch that is still open for it, in any order, of any of the lease's devices.
    function refundDowntime(uint256 pick, uint256 epochPick, uint256 devicePick) external counted("refundDowntime") {
        (uint256 id, ILeaseEscrow.Lease memory l) = any(pick);
        if (l.start == 0) return;
        uint64 e = epochs[epochPick % epochs.length];
        if (epochs.length > 5) e = epochs[epochs.length - 1 - epochPick % 5];
        uint256 from = startOf(e) > l.start ? startOf(e) : l.start;
        uint256 to = startOf(e + 1) < l.stop ? startOf(e + 1) : l.stop;
        if (from >= to || block.timestamp < to || block.timestamp > from + HOLDBACK || credited[id][e]) return;
        bytes32[] memory ids = offerOfLease(id).deviceIds;
        bytes32 deviceId = ids[devicePick % ids.length];
        uint16 uptime = uptimes[e][indexOf(deviceId)];
        uint256 down = ((to - from) * (10_000 - uptime)) / 10_000;
        if (down == 0) return;
        downtime(id, leasedLeaf(e, deviceId, uptime));
        credited[id][e] = true;
        ILeaseEscrow.Lease memory now_ = escrow.lease(id);
        eq(now_.downtimeRefund - l.downtimeRefund, streamOf(l.rate, down), "all of it, never cut short");
        eq(now_.downtime - l.downtime, down, "its seconds");
    }

    /// @dev One in four of the times it is called: a slashed device never comes back.
    function slash(uint256 pick) external counted("slash") {
        bytes32 id = devices[pick % DEVICES];
        if (pick % 7 != 0 || registry.device(id).status != IDeviceRegistry.Status.Active) return;
        slashDevice(id);
    }

    function settleForfeit(uint256 pick) external counted("settleForfeit") {
        (uint256 id, ILeaseEscrow.Lease memory l) = any(pick);
        uint256 amount = escrow.forfeitable(id);
        if (amount == 0 || block.timestamp < l.stop + HOLDBACK + SLASH_HOLD) return;
        uint256 fees = escrow.fees(l.token);
        escrow.settleForfeit(id);
        eq(escrow.fees(l.token) - fees, amount, "a forfeit is a fee");
        settled[id] = amount;
        eq(escrow.forfeitable(id), 0, "once");
    }

    function forgiveForfeit(uint256 pick) external counted("forgiveForfeit") {
        (uint256 id,) = any(pick);
        if (pick % 3 != 0 || escrow.forfeitable(id) == 0) return;
        vm.prank(address(this));
        escrow.forgiveForfeit(id);
        forgiven[id] = true;
        eq(escrow.forfeitable(id), 0, "forgiven");
    }

    function fillCredit(uint256 amount, uint256 perDay, bool inUsd) external counted("fillCredit") {
        address payIn = address(inUsd ? usd : token);
        amount = within(amount, 1, 1e12);
        vm.startPrank(provider);
        escrow.fillBondCredit(payIn, uint96(amount));
        escrow.setBondLimit(payIn, uint96(within(perDay, 0, 1e13)));
        vm.stopPrank();
        credit[payIn] += amount;
    }

    function drainCredit(uint256 amount, bool inUsd) external counted("drainCredit") {
        address payIn = address(inUsd ? usd : token);
        if (credit[payIn] == 0) return;
        amount = within(amount, 1, credit[payIn]);
        vm.prank(provider);
        escrow.drainBondCredit(payIn, uint96(amount), provider);
        credit[payIn] -= amount;
    }

    function collectFees(bool inUsd) external counted("collectFees") {
        address payIn = address(inUsd ? usd : token);
        uint256 due = escrow.fees(payIn);
        if (due == 0) return;
        vm.prank(address(this));
        eq(escrow.collectFees(payIn, SINK), due, "fees are paid out whole");
    }

    function donate(uint256 amount, bool inUsd) external counted("donate") {
        vm.prank(renter);
        (inUsd ? usd : token).transfer(address(escrow), within(amount, 1, 1e12));
    }

    /// @dev Everybody leaves: what can be ended is ended, time passes, all that is due is paid.
    function everyoneLeaves() external {
        for (uint256 id = 1; id <= leases; ++id) {
            ILeaseEscrow.Lease memory l = escrow.lease(id);
            if (l.status == ILeaseEscrow.Status.Pending) {
                vm.prank(renter);
                escrow.cancel(id);
            } else if (l.status == ILeaseEscrow.Status.Active && !l.leftEarly) {
                vm.prank(id % 2 == 0 ? renter : provider);
                escrow.end(id);
            }
        }
        vm.warp(block.timestamp + 200_000);
        for (uint256 id = 1; id <= leases; ++id) {
            this.claim(id - 1, true);
            this.refund(id - 1);
            this.returnBond(id - 1, true);
            this.settleForfeit(id - 1);
        }
        this.drainCredit(1, true);
        this.drainCredit(1, false);
        this.collectFees(true);
        this.collectFees(false);
    }

    function look() external {
        observe();
    }

    function devicesOf(uint256 id) external view returns (bytes32[] memory) {
        return offerOfLease(id).deviceIds;
    }

    /// @dev Streams never fall, never pass the deposit, and stand still once stopped.
    function observe() internal {
        for (uint256 id = 1; id <= leases; ++id) {
            ILeaseEscrow.Lease memory l = escrow.lease(id);
            uint256 now_ = escrow.streamed(id);
            atMost(now_, l.deposit, "stream within the deposit");
            atMost(lastStreamed[id], now_, "streams never fall");
            if (l.status == ILeaseEscrow.Status.Ended) {
                if (frozenAt[id] == 0) frozenAt[id] = now_ + 1;
                eq(now_ + 1, frozenAt[id], "streams are frozen after their stop");
            }
            lastStreamed[id] = now_;
        }
    }

    function any(uint256 pick) internal view returns (uint256 id, ILeaseEscrow.Lease memory l) {
        id = leases == 0 ? 0 : 1 + pick % leases;
        l = escrow.lease(id);
    }

    /// @dev Those of the devices that the mask names and that are active.
    function chosen(uint256 mask) internal view returns (bytes32[] memory ids) {
        uint256 n;
        bytes32[] memory list = new bytes32[](DEVICES);
        for (uint256 i = 0; i < DEVICES; ++i) {
            bool active = registry.device(devices[i]).status == IDeviceRegistry.Status.Active;
            if (active && (mask >> i) & 1 == 1) list[n++] = devices[i];
        }
        ids = new bytes32[](n);
        for (uint256 i = 0; i < n; ++i) ids[i] = list[i];
    }

    function indexOf(bytes32 id) internal view returns (uint256 at) {
        while (devices[at] != id) ++at;
    }
}
