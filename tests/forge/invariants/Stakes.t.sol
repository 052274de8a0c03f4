// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IStakeManager} from "contracts/interfaces/IStakeManager.sol";

import {Checks} from "../base/Checks.sol";
import {Stake, Token} from "../base/Extras.sol";
import {StakeHandler} from "./StakeHandler.sol";

/// @title What holds of stakes whatever anybody does
///
/// Solvency. The contract holds exactly the stakes, active and pending, and the bounties not yet collected.
///
/// Conservation. What was deposited is staked, withdrawn, burned, or somebody's bounty: to the unit.
///
/// Reservations. Each account's is what devices and seats have reserved and not released; nothing that is reserved is free.
///
/// Slash bounds, unbonding. A slash takes what was asked or all there is, the bounty is at most a tenth; nothing leaves before
/// its time or while a demand is open (checked by the handler at each step).
///
/// Exit. From any state everybody can leave, and nothing stays behind.
contract StakeInvariants is Checks {
    StakeHandler internal handler;
    Stake internal stake;
    Token internal token;

    function setUp() public {
        handler = new StakeHandler();
        (stake, token) = handler.parts();
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
        bytes4[] memory s = new bytes4[](10);
        (s[0], s[1], s[2], s[3], s[4]) = (
            handler.deposit.selector,
            handler.reserve.selector,
            handler.release.selector,
            handler.request.selector,
            handler.cancel.selector
        );
        (s[5], s[6], s[7], s[8], s[9]) = (
            handler.withdraw.selector,
            handler.slash.selector,
            handler.demand.selector,
            handler.collect.selector,
            handler.wait.selector
        );
        list = new Selectors[](1);
        list[0] = Selectors(address(handler), s);
    }

    function staked() internal view returns (uint256 sum) {
        for (uint256 i = 0; i < 4; ++i) {
            IStakeManager.Account memory a = stake.account(handler.who(i));
            sum += uint256(a.active) + a.pending;
        }
    }

    function invariant_solvency_and_conservation() public view {
        uint256 due = handler.bounties() - handler.collected();
        eq(token.balanceOf(address(stake)), staked() + due, "holds what it owes");
        eq(handler.deposited(), staked() + handler.withdrawn() + handler.burned() + handler.bounties(), "to the unit");
    }

    function invariant_reservations() public view {
        for (uint256 i = 0; i < 4; ++i) {
            address who = handler.who(i);
            IStakeManager.Account memory a = stake.account(who);
            eq(a.reserved, handler.reservedFor(who), "reserved");
            eq(stake.freeStake(who), a.active > a.reserved ? a.active - a.reserved : 0, "free");
            isTrue((a.pending == 0) || a.unlockAt != 0, "pending has its time");
        }
    }

    function invariant_slashes_take_no_more_than_there_is_and_pay_a_tenth_at_most() public view {
        atMost(handler.burned() + handler.bounties() + handler.withdrawn(), handler.deposited(), "what there was");
        atMost(handler.bounties() * 10, handler.burned() + handler.bounties(), "a tenth");
    }

    /// @dev What has been asked back waits a whole unbonding period; the handler sees that nothing leaves sooner.
    function invariant_unbonding_takes_its_whole_time() public view {
        for (uint256 i = 0; i < 4; ++i) {
            address who = handler.who(i);
            IStakeManager.Account memory a = stake.account(who);
            if (a.unlockAt != 0) eq(a.unlockAt, handler.askedAt(who) + handler.unbonding(), "the whole time");
        }
    }

    function afterInvariant() public {
        handler.everyoneLeaves();
        eq(token.balanceOf(address(stake)), 0, "nothing stays behind");
    }
}
