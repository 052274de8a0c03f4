// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IStakeManager} from "contracts/interfaces/IStakeManager.sol";

import {Checks} from "../base/Checks.sol";
import {Stake, Token} from "../base/Extras.sol";
import {StakeHandler} from "./StakeHandler.sol";

/// @title What holds of stakes whatever anybody does
///
/// Solvency. The contract holds exactly the stakes, active and pending, the slashes on hold, and the bounties not yet
/// collected.
///
/// Conservation. What was deposited is staked, withdrawn, on hold, burned, or somebody's bounty: to the unit.
///
/// Backing. No account's active stake is ever less than what its devices and its seat have reserved; each device that can
/// still be convicted has its stake reserved.
///
/// Liability. A device's faults together, of whatever kinds and epochs and in whatever number, take its own stake or nothing.
///
/// Hold. A slash ends as bounty and burned, after its hold, or restored to its owner: once, and never both.
///
/// Unbonding. Nothing leaves before its time.
///
/// Exit. From any state everybody can leave, and nothing stays behind.
contract StakeInvariants is Checks {
    StakeHandler internal handler;
    Stake internal stake;
    Token internal token;
    IDeviceRegistry internal registry;

    function setUp() public {
        handler = new StakeHandler();
        (stake, token, registry) = handler.parts();
    }

    struct Selectors {
        address addr;
        bytes4[] selectors;
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() public view returns (Selectors[] memory list) {
        bytes4[] memory s = new bytes4[](15);
        (s[0], s[1], s[2], s[3], s[4]) = (
            handler.deposit.selector,
            handler.enrol.selector,
            handler.retire.selector,
            handler.releaseStake.selector,
            handler.convict.selector
        );
        (s[5], s[6], s[7], s[8], s[9]) = (
            handler.reserveSeat.selector,
            handler.releaseSeat.selector,
            handler.slashSeat.selector,
            handler.settle.selector,
            handler.restore.selector
        );
        (s[10], s[11], s[12], s[13], s[14]) = (
            handler.request.selector,
            handler.cancel.selector,
            handler.withdraw.selector,
            handler.collect.selector,
            handler.wait.selector
        );
        list = new Selectors[](1);
        list[0] = Selectors(address(handler), s);
    }

    function staked() internal view returns (uint256 sum) {
        for (uint256 i = 0; i < 3; ++i) {
            IStakeManager.Account memory a = stake.account(handler.who(i));
            sum += uint256(a.active) + a.pending;
        }
    }

    function onHold() internal view returns (uint256 sum) {
        for (uint256 id = 1; id <= stake.heldSlashCount(); ++id) {
            IStakeManager.HeldSlash memory h = stake.heldSlash(id);
            if (h.status == IStakeManager.HeldStatus.Held) sum += h.amount;
        }
    }

    function invariant_solvency_and_conservation() public view {
        uint256 due = handler.bounties() - handler.collected();
        eq(token.balanceOf(address(stake)), staked() + onHold() + due, "holds what it owes");
        uint256 gone = handler.withdrawn() + handler.burned() + handler.bounties();
        eq(handler.deposited(), staked() + onHold() + gone, "to the unit");
    }

    function invariant_what_is_reserved_is_backed() public view {
        StakeHandler.Device[] memory devices = handler.deviceList();
        for (uint256 i = 0; i < 3; ++i) {
            address who = handler.who(i);
            IStakeManager.Account memory a = stake.account(who);
            uint256 reserved = handler.seatOf(who);
            for (uint256 k = 0; k < devices.length; ++k) {
                bool backed = devices[k].owner == who && !registry.device(devices[k].id).stakeReleased;
                if (backed) reserved += handler.deviceStake();
            }
            eq(a.reserved, reserved, "reserved");
            atMost(a.reserved, a.active, "backed");
            eq(stake.freeStake(who), a.active - a.reserved, "free");
        }
    }

    function invariant_a_devices_faults_together_take_no_more_than_its_stake() public view {
        StakeHandler.Device[] memory devices = handler.deviceList();
        for (uint256 i = 0; i < devices.length; ++i) {
            bool convicted = registry.device(devices[i].id).status == IDeviceRegistry.Status.Slashed;
            eq(devices[i].taken, convicted ? handler.deviceStake() : 0, "taken");
        }
    }

    function invariant_a_slash_ends_once() public view {
        for (uint256 id = 1; id <= stake.heldSlashCount(); ++id) {
            bool ended = stake.heldSlash(id).status != IStakeManager.HeldStatus.Held;
            eq(handler.ends(id), ended ? 1 : 0, "ends");
        }
        uint256 ended_ = handler.burned() + handler.bounties() + handler.restored();
        eq(handler.slashed(), onHold() + ended_, "on hold, paid and burned, or restored");
        atMost(handler.bounties() * 10, handler.burned() + handler.bounties(), "a tenth");
    }

    /// @dev What has been asked back waits a whole unbonding period; the handler sees that nothing leaves sooner.
    function invariant_unbonding_takes_its_whole_time() public view {
        for (uint256 i = 0; i < 3; ++i) {
            address who = handler.who(i);
            IStakeManager.Account memory a = stake.account(who);
            if (a.unlockAt != 0) eq(a.unlockAt, handler.askedAt(who) + handler.unbonding(), "the whole time");
            isTrue(a.pending == 0 || a.unlockAt != 0, "pending has its time");
        }
    }

    function afterInvariant() public {
        handler.everyoneLeaves();
        eq(token.balanceOf(address(stake)), 0, "nothing stays behind");
    }
}
