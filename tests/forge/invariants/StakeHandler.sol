// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IStakeManager} from "contracts/interfaces/IStakeManager.sol";

import {Stake, Token} from "../base/Extras.sol";
import {Network} from "../base/Network.sol";

/// @title Accounts that deposit, enrol and retire devices, take seats, unbond and are slashed, in any order
/// @dev Devices are enrolled and retired as their providers do it, and convicted from where FraudProofs stands; seats are
/// reservations from where ValidatorSet stands.
contract StakeHandler is Network {
    uint256 internal constant ACCOUNTS = 3;
    uint256 internal constant KEY = 0xde410000;
    address internal constant REPORTER = address(0x4e90);
    address internal constant SINK = address(0x51e4);

    struct Device {
        bytes32 id;
        address owner;
        uint256 taken; // from the owner on account of this device
    }

    Device[] internal devices;
    uint256 public deposited;
    uint256 public withdrawn;
    uint256 public slashed;
    uint256 public burned;
    uint256 public bounties;
    uint256 public restored;
    uint256 public collected;
    mapping(address who => uint256) public seatOf; // reserved for a seat
    mapping(address who => uint256) public askedAt;
    mapping(uint256 heldId => uint256) public ends; // how often a slash was settled or restored

    constructor() {
        deployNetwork();
    }

    function unbonding() external pure returns (uint256) {
        return UNBONDING;
    }

    function deviceStake() external pure returns (uint256) {
        return DEVICE_STAKE;
    }

    function parts() external view returns (Stake, Token, IDeviceRegistry) {
        return (stake, token, registry);
    }

    function deviceList() external view returns (Device[] memory) {
        return devices;
    }

    function who(uint256 pick) public pure returns (address) {
        return address(uint160(0xacc000 + pick % ACCOUNTS));
    }

    function deposit(uint256 pick, uint256 amount) external {
        amount = within(amount, 1, 5 * uint256(DEVICE_STAKE));
        token.approve(address(stake), amount);
        stake.deposit(who(pick), uint128(amount));
        deposited += amount;
    }

    function enrol(uint256 pick) external {
        address account = who(pick);
        if (stake.freeStake(account) < DEVICE_STAKE) return;
        uint256 key = KEY + devices.length;
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Enrol(address provider,uint32 profile,bytes32 specHash,uint64 nonce)"),
                account,
                uint32(1),
                bytes32(0),
                uint64(0)
            )
        );
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domainOf(address(registry)), structHash));
        vm.prank(account);
        bytes32 id = registry.enrol(vm.addr(key), 1, 0, "", 0, signed(key, digest));
        devices.push(Device(id, account, 0));
    }

    function retire(uint256 pick) external {
        if (devices.length == 0) return;
        Device storage d = devices[pick % devices.length];
        if (registry.device(d.id).status != IDeviceRegistry.Status.Active) return;
        vm.prank(d.owner);
        registry.retire(d.id);
    }

    function releaseStake(uint256 pick) external {
        if (devices.length == 0) return;
        bytes32 id = devices[pick % devices.length].id;
        IDeviceRegistry.Device memory d = registry.device(id);
        bool may = d.status == IDeviceRegistry.Status.Retired && !d.stakeReleased
            && block.timestamp >= registry.releasableFrom(id);
        if (!may) vm.expectRevert();
        registry.releaseStake(id);
    }

    /// @dev A fault of any device in any epoch, again and again: it convicts where the device answers for the epoch and has
    /// not been slashed or released.
    function convict(uint256 pick, uint64 epoch) external {
        if (devices.length == 0) return;
        Device storage d = devices[pick % devices.length];
        (uint64 first, uint64 last, IDeviceRegistry.Status status) = registry.liability(d.id);
        epoch = epoch % 300;
        bool may = status != IDeviceRegistry.Status.Slashed && !registry.device(d.id).stakeReleased && epoch >= first
            && epoch <= last;
        vm.startPrank(address(fraud));
        if (!may) vm.expectRevert();
        (address owner, uint128 amount) = registry.markSlashed(d.id, epoch);
        if (may) {
            eq(owner, d.owner, "who pays");
            stake.slash(owner, amount, REPORTER);
            d.taken += amount;
            slashed += amount;
        }
        vm.stopPrank();
    }

    function reserveSeat(uint256 pick, uint256 amount) external {
        address account = who(pick);
        amount = within(amount, 0, stake.freeStake(account));
        vm.prank(address(seats));
        stake.reserve(account, uint128(amount));
        seatOf[account] += amount;
    }

    function releaseSeat(uint256 pick, uint256 amount) external {
        address account = who(pick);
        amount = within(amount, 0, seatOf[account]);
        vm.prank(address(seats));
        stake.release(account, uint128(amount));
        seatOf[account] -= amount;
    }

    /// @dev Of a seat: what it has reserved is released and slashed.
    function slashSeat(uint256 pick) external {
        address account = who(pick);
        uint256 amount = seatOf[account];
        if (amount == 0) return;
        vm.prank(address(seats));
        stake.release(account, uint128(amount));
        seatOf[account] = 0;
        vm.prank(address(fraud));
        stake.slash(account, uint128(amount), REPORTER);
        slashed += amount;
    }

    function settle(uint256 pick) external {
        uint256 count = stake.heldSlashCount();
        if (count == 0) return;
        uint256 id = 1 + pick % count;
        IStakeManager.HeldSlash memory h = stake.heldSlash(id);
        bool may = h.status == IStakeManager.HeldStatus.Held && block.timestamp >= h.heldUntil;
        if (!may) vm.expectRevert();
        stake.settleSlash(id);
        if (!may) return;
        atMost(uint256(h.bounty) * 10, h.amount, "a bounty of a tenth");
        ++ends[id];
        bounties += h.bounty;
        burned += h.amount - h.bounty;
    }

    function restore(uint256 pick) external {
        uint256 count = stake.heldSlashCount();
        if (count == 0) return;
        uint256 id = 1 + pick % count;
        IStakeManager.HeldSlash memory h = stake.heldSlash(id);
        bool may = h.status == IStakeManager.HeldStatus.Held;
        uint256 before = stake.account(h.owner).active;
        if (!may) vm.expectRevert();
        stake.restoreSlash(id);
        if (!may) return;
        eq(stake.account(h.owner).active, before + h.amount, "back to its owner");
        ++ends[id];
        restored += h.amount;
    }

    function request(uint256 pick, uint256 amount) external {
        address account = who(pick);
        uint256 free = stake.freeStake(account);
        if (free == 0 || stake.account(account).pending != 0) return;
        amount = within(amount, 1, free);
        vm.prank(account);
        stake.requestWithdrawal(uint128(amount));
        askedAt[account] = block.timestamp;
    }

    function cancel(uint256 pick) external {
        address account = who(pick);
        if (stake.account(account).pending == 0) return;
        vm.prank(account);
        stake.cancelWithdrawal();
    }

    function withdraw(uint256 pick) external {
        address account = who(pick);
        IStakeManager.Account memory a = stake.account(account);
        if (a.pending == 0) return;
        bool may = block.timestamp >= a.unlockAt;
        vm.prank(account);
        if (!may) vm.expectRevert();
        uint256 amount = stake.withdraw(SINK);
        if (!may) return;
        eq(amount, a.pending, "what was asked back");
        withdrawn += amount;
    }

    function collect() external {
        if (stake.bountyOf(REPORTER) == 0) return;
        vm.prank(REPORTER);
        collected += stake.collectBounty(SINK);
    }

    function wait(uint256 seconds_) external {
        vm.warp(block.timestamp + within(seconds_, 1, UNBONDING));
    }

    function everyoneLeaves() external {
        for (uint256 i = 0; i < devices.length; ++i) {
            if (registry.device(devices[i].id).status != IDeviceRegistry.Status.Active) continue;
            vm.prank(devices[i].owner);
            registry.retire(devices[i].id);
        }
        vm.warp(block.timestamp + UNBONDING);
        for (uint256 i = 0; i < devices.length; ++i) {
            if (!registry.device(devices[i].id).stakeReleased) registry.releaseStake(devices[i].id);
        }
        for (uint256 id = 1; id <= stake.heldSlashCount(); ++id) {
            if (stake.heldSlash(id).status == IStakeManager.HeldStatus.Held) stake.settleSlash(id);
        }
        for (uint256 i = 0; i < ACCOUNTS; ++i) leave(who(i));
        if (stake.bountyOf(REPORTER) != 0) {
            vm.prank(REPORTER);
            stake.collectBounty(SINK);
        }
    }

    function leave(address account) private {
        vm.prank(address(seats));
        stake.release(account, uint128(seatOf[account]));
        vm.startPrank(account);
        if (stake.account(account).pending != 0) stake.cancelWithdrawal();
        uint256 free = stake.freeStake(account);
        if (free != 0) {
            stake.requestWithdrawal(uint128(free));
            vm.warp(block.timestamp + UNBONDING);
            stake.withdraw(SINK);
        }
        vm.stopPrank();
    }
}
