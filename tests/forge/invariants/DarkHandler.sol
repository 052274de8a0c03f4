// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";
import {OperatorScopes} from "contracts/libraries/OperatorScopes.sol";

import {Market} from "../base/Market.sol";

/// @title A provider who serves nothing, and does whatever it may to be paid all the same
/// @dev The renter does what its tools do: it submits every report as soon as it can, and ends when it may leave free.
contract DarkHandler is Market {
    address internal constant SINK = address(0x51e4);

    bytes32 internal device;
    uint64 internal epoch; // the last that was reported
    uint256 public lease;
    uint256 public paid; // by the renter
    uint256 public back; // to the renter
    uint256 public schemes; // of the provider's that came off
    uint256 internal rate;

    function deploy() external {
        deployNetwork();
        joinSeats(4);
        device = enrol(0, 1);
        approveBoth(usd, 1e30);
        appoint(OperatorScopes.ALL);
        vm.startPrank(provider);
        registry.setPayout(SINK);
        escrow.fillBondCredit(address(usd), 1e24);
        escrow.setBondLimit(address(usd), 1e24);
        vm.stopPrank();
        measure(0, one(passedLeaf(0, device)), 700);
    }

    /// @dev A lease of whatever terms, begun anywhere in an epoch.
    function rent(uint256 rate_, uint256 least, uint256 most, uint256 notice, uint256 at) external {
        if (lease != 0) return;
        uint64 e = oracle.currentEpoch() + 1;
        measure(e, one(passedLeaf(e, device)), 700);
        epoch = e;
        rate = within(rate_, 1, 1e24);
        ILeaseEscrow.Offer memory offer = offerOf(device, address(usd), uint128(rate));
        offer.maxDuration = uint40(within(most, 60, 20_000));
        offer.minDuration = uint40(within(least, 0, offer.maxDuration));
        if (notice % 2 == 0) offer.notice = uint32(within(notice, 60, 3_000));
        paid = costOf(rate, offer.maxDuration);
        vm.warp(startOf(e + 1) + within(at, 0, EPOCH - 1));
        lease = openLease(offer, e, uint96(paid));
        startLease(lease, at % 3 == 0 ? operator : provider);
        epoch = e; // the next to be measured is the one it begins in
    }

    /// @dev The next epoch of the lease passes, is reported, and the renter submits it.
    function pass() external {
        if (lease == 0) return;
        uint64 e = epoch + 1;
        vm.warp(startOf(e));
        measure(e, device, 0);
        epoch = e;
        ILeaseEscrow.Lease memory l = escrow.lease(lease);
        uint256 to = startOf(e + 1) < l.stop ? startOf(e + 1) : l.stop;
        if (to > (startOf(e) > l.start ? startOf(e) : l.start)) downtime(lease, leasedLeaf(e, device, 0));
        l = escrow.lease(lease);
        bool free = l.downtime > MAX_DOWNTIME || l.noticeAt != 0;
        if (l.status == ILeaseEscrow.Status.Active && free) leave();
    }

    /// @dev The renter's tool gives up early, as it does when nothing answers.
    function giveUp() external {
        ILeaseEscrow.Lease memory l = escrow.lease(lease);
        if (l.status == ILeaseEscrow.Status.Active && !l.leftEarly) leave();
    }

    /// @dev The provider or its operator leaves, gives notice, lets go, claims, or retires the device.
    function scheme(uint256 what, bool byOperator) external {
        ILeaseEscrow.Lease memory l = escrow.lease(lease);
        if (lease == 0) return;
        address by = byOperator ? operator : provider;
        what %= 6;
        bool active = l.status == ILeaseEscrow.Status.Active;
        if (what == 0 && active && !l.leftEarly) tried(provider, abi.encodeCall(ILeaseEscrow.end, (lease)));
        else if (what == 1 && active && l.notice != 0) tried(by, abi.encodeCall(ILeaseEscrow.giveNotice, (lease)));
        else if (what == 2 && active && l.leftEarly) tried(provider, abi.encodeCall(ILeaseEscrow.release, (lease)));
        else if (what == 3) tried(by, abi.encodeCall(ILeaseEscrow.claim, (lease, SINK)));
        else if (what == 4) tried(by, abi.encodeCall(ILeaseEscrow.returnBond, (lease, SINK)));
        else if (what == 5) tried(provider, address(registry), abi.encodeCall(IDeviceRegistry.retire, (device)));
    }

    /// @dev It may be refused: only what comes of it matters.
    function tried(address by, bytes memory call) internal {
        tried(by, address(escrow), call);
    }

    function tried(address by, address at, bytes memory call) internal {
        vm.prank(by);
        (bool ok,) = at.call(call);
        if (ok) ++schemes;
    }

    function leave() internal {
        vm.prank(renter);
        escrow.end(lease);
    }

    /// @dev The rest of its epochs pass, and all that is due is paid.
    function finish() external {
        if (lease == 0) return;
        while (startOf(epoch + 1) < escrow.lease(lease).stop) this.pass();
        vm.warp(block.timestamp + 100_000);
        back = escrow.refundable(lease);
        if (back != 0) {
            vm.prank(renter);
            escrow.refund(lease, renter);
        }
        back = escrow.lease(lease).refunded;
        this.scheme(3, false);
    }

    function bound() external view returns (uint256) {
        return costOf(rate, MAX_DOWNTIME);
    }

    function parts() external view returns (ILeaseEscrow) {
        return escrow;
    }
}
