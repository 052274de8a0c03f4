// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";
import {ITreasury} from "contracts/interfaces/ITreasury.sol";
import {OperatorScopes} from "contracts/libraries/OperatorScopes.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title What a provider puts aside for bonds, and how much of it a day operators may take
contract BondCredit is Lettings {
    uint96 internal constant BOND = 600_000; // of a plain offer

    function setUp() public override {
        super.setUp();
        appoint(OperatorScopes.ALL);
    }

    function filled(uint96 amount, uint96 perDay) internal {
        vm.startPrank(provider);
        escrow.fillBondCredit(address(usd), amount);
        escrow.setBondLimit(address(usd), perDay);
        vm.stopPrank();
    }

    function credit() internal view returns (uint96 amount, uint96 perDay, uint96 left) {
        return escrow.bondCredit(provider, address(usd));
    }

    function leftNow() internal view returns (uint256 left) {
        (,, left) = credit();
    }

    /// @dev Takes a bond of `seconds_` x 1,000 out of the credit, and frees the device again.
    function taken(uint40 seconds_) internal returns (uint256 id) {
        id = ready(seconds_);
        startLease(id, operator);
        leaveEarly(id);
        vm.prank(provider);
        escrow.release(id);
    }

    function ready(uint40 seconds_) internal returns (uint256) {
        ILeaseEscrow.Offer memory offer = plainOffer();
        offer.minDuration = seconds_;
        return openLease(offer, 0, DEPOSIT);
    }

    function limited(uint256 left, uint256 needed) internal view returns (bytes memory) {
        return abi.encodeWithSelector(
            ITreasury.LeaseEscrow_DailyLimit.selector, provider, address(usd), left, needed
        );
    }

    function test_fill_bond_credit__adds_to_what_is_there() public {
        uint256 before = usd.balanceOf(provider);
        vm.startPrank(provider);
        escrow.fillBondCredit(address(usd), 100);
        vm.expectEmit(address(escrow));
        emit ITreasury.BondCreditFilled(provider, address(usd), 50, 150);
        escrow.fillBondCredit(address(usd), 50);
        vm.stopPrank();
        (uint96 amount, uint96 perDay, uint96 left) = credit();
        eq(amount, 150, "both");
        eq(uint256(perDay) + left, 0, "which operators may not touch yet");
        eq(before - usd.balanceOf(provider), 150, "paid");
        eq(escrow.owed(address(usd)), 150, "owed");
    }

    function test_fill_bond_credit__of_nothing_or_in_a_token_not_listed__reverts() public {
        vm.startPrank(provider);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.LeaseEscrow_ZeroAmount.selector));
        escrow.fillBondCredit(address(usd), 0);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.LeaseEscrow_TokenNotAllowed.selector, address(1)));
        escrow.fillBondCredit(address(1), 5);
        vm.stopPrank();
    }

    function test_fill_bond_credit__beyond_what_it_can_hold__reverts() public {
        usd.mint(provider, type(uint96).max);
        vm.startPrank(provider);
        escrow.fillBondCredit(address(usd), type(uint96).max);
        vm.expectRevert(
            abi.encodeWithSelector(
                ITreasury.LeaseEscrow_CreditTooLarge.selector, uint256(1) << 96, type(uint96).max
            )
        );
        escrow.fillBondCredit(address(usd), 1);
        vm.stopPrank();
    }

    function test_drain_bond_credit__at_any_time__to_whomever_it_likes() public {
        filled(BOND, 0);
        escrow.delistToken(address(usd));
        vm.prank(GUARDIAN);
        escrow.pauseEntry(1 days);
        vm.expectEmit(address(escrow));
        emit ITreasury.BondCreditDrained(provider, address(usd), address(0x51e4), 100, BOND - 100);
        vm.prank(provider);
        escrow.drainBondCredit(address(usd), 100, address(0x51e4));
        (uint96 amount,,) = credit();
        eq(amount, BOND - 100, "the rest");
        eq(usd.balanceOf(address(0x51e4)), 100, "paid");
        eq(escrow.owed(address(usd)), BOND - 100, "owed");
    }

    function test_drain_bond_credit__more_than_there_is_nothing_or_to_nobody__reverts() public {
        filled(100, 0);
        vm.startPrank(provider);
        vm.expectRevert(
            abi.encodeWithSelector(
                ITreasury.LeaseEscrow_CreditTooSmall.selector, provider, address(usd), 100, 101
            )
        );
        escrow.drainBondCredit(address(usd), 101, provider);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.LeaseEscrow_ZeroAmount.selector));
        escrow.drainBondCredit(address(usd), 0, provider);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.LeaseEscrow_ZeroReceiver.selector));
        escrow.drainBondCredit(address(usd), 1, address(0));
        vm.stopPrank();
        vm.prank(operator);
        vm.expectRevert(
            abi.encodeWithSelector(
                ITreasury.LeaseEscrow_CreditTooSmall.selector, operator, address(usd), 0, 1
            )
        );
        escrow.drainBondCredit(address(usd), 1, operator);
    }

    function test_a_start_by_an_operator__takes_the_bond_out_of_the_credit() public {
        filled(BOND + 1, BOND);
        uint256 before = usd.balanceOf(provider);
        uint256 id = pending();
        vm.expectEmit(address(escrow));
        emit ITreasury.BondCreditUsed(provider, address(usd), id, BOND, 1);
        startLease(id, operator);
        (uint96 amount,, uint96 left) = credit();
        eq(amount, 1, "used");
        eq(left, 0, "for today");
        eq(escrow.lease(id).bond, BOND, "the bond");
        eq(usd.balanceOf(provider), before, "nothing else");
        eq(escrow.owed(address(usd)), uint256(DEPOSIT) + BOND + 1, "owed as before");
    }

    function test_a_start_by_the_provider__leaves_the_credit_alone() public {
        filled(BOND, BOND);
        startLease(pending());
        (uint96 amount,, uint96 left) = credit();
        eq(amount, BOND, "untouched");
        eq(left, BOND, "untouched");
    }

    function test_a_start_by_an_operator__of_an_offer_without_bond__needs_no_credit() public {
        uint256 id = ready(0);
        startLease(id, operator);
        eq(escrow.lease(id).bond, 0, "none");
    }

    function test_a_start_by_an_operator__beyond_the_credit__reverts() public {
        filled(BOND - 1, BOND);
        uint256 id = pending();
        vm.expectRevert(
            abi.encodeWithSelector(
                ITreasury.LeaseEscrow_CreditTooSmall.selector, provider, address(usd), BOND - 1, BOND
            )
        );
        startLease(id, operator);
    }

    /// @dev The provider empties it while the operator's start is under way: nothing has happened, and the renter may cancel.
    function test_bond_credit_emptied_while_a_start_is_under_way__starts_nothing() public {
        filled(BOND, BOND);
        uint256 id = pending();
        vm.prank(provider);
        escrow.drainBondCredit(address(usd), BOND, provider);
        vm.expectRevert(
            abi.encodeWithSelector(
                ITreasury.LeaseEscrow_CreditTooSmall.selector, provider, address(usd), 0, BOND
            )
        );
        startLease(id, operator);
        statusIs(id, ILeaseEscrow.Status.Pending, "as it was");
        eq(escrow.activeLease(device), 0, "free");
    }

    function test_a_start_by_an_operator__without_a_limit_set__reverts() public {
        vm.prank(provider);
        escrow.fillBondCredit(address(usd), BOND);
        uint256 id = pending();
        vm.expectRevert(limited(0, BOND));
        startLease(id, operator);
    }

    function test_the_daily_limit__holds_to_the_unit() public {
        filled(10 * BOND, BOND - 1);
        uint256 id = pending();
        vm.expectRevert(limited(BOND - 1, BOND));
        startLease(id, operator);
        vm.prank(provider);
        escrow.setBondLimit(address(usd), BOND);
        startLease(id, operator);
    }

    /// @dev It comes back evenly, and is whole after a day.
    function test_the_daily_limit__comes_back_in_a_day() public {
        uint96 perDay = 864_000; // ten units a second
        filled(10 * perDay, perDay);
        taken(600);
        eq(leftNow(), perDay - BOND, "what is left");
        vm.warp(block.timestamp + 100);
        eq(leftNow(), perDay - BOND + 1_000, "ten a second");
        uint256 id = ready(600);
        vm.expectRevert(limited(perDay - BOND + 1_000, BOND));
        startLease(id, operator);
        vm.warp(block.timestamp + 59_899);
        eq(leftNow(), perDay - 10, "all but a second's");
        vm.warp(block.timestamp + 1);
        eq(leftNow(), perDay, "whole");
        vm.warp(block.timestamp + 30 days);
        eq(leftNow(), perDay, "and no more than that");
    }

    /// @dev Rounded against the operator, never for it.
    function test_the_daily_limit__of_any_size__is_never_exceeded_in_a_day(uint96 perDay, uint40[4] memory takes)
        public
    {
        perDay = uint96(within(perDay, 1, 5_000_000));
        filled(1e12, perDay);
        uint256 sum;
        for (uint256 i = 0; i < 4; ++i) {
            uint40 seconds_ = uint40(within(takes[i], 1, 3_000));
            uint256 id = ready(seconds_);
            uint256 bond = costOf(RATE, seconds_);
            uint256 left = leftNow();
            if (bond > left) vm.expectRevert(limited(left, bond));
            startLease(id, operator);
            if (bond > left) continue;
            sum += bond;
            leaveEarly(id);
            vm.prank(provider);
            escrow.release(id);
            atMost(leftNow() + sum, perDay, "in one second no more than the limit");
        }
    }

    function test_set_bond_limit__keeps_the_share_that_is_used() public {
        filled(10 * BOND, 2 * BOND);
        taken(600);
        eq(leftNow(), BOND, "half of it");
        vm.expectEmit(address(escrow));
        emit ITreasury.BondLimitSet(provider, address(usd), 4 * BOND);
        vm.prank(provider);
        escrow.setBondLimit(address(usd), 4 * BOND);
        eq(leftNow(), 2 * BOND, "half of the new one");
        vm.startPrank(provider);
        escrow.setBondLimit(address(usd), 0);
        eq(leftNow(), 0, "nothing");
        escrow.setBondLimit(address(usd), 2 * BOND);
        vm.stopPrank();
        eq(leftNow(), BOND, "no way around it");
    }

    function test_bond_credit__of_one_token_or_provider__is_no_others() public {
        filled(BOND, BOND);
        (uint96 amount,,) = escrow.bondCredit(provider, address(token));
        eq(amount, 0, "another token's");
        (amount,,) = escrow.bondCredit(renter, address(usd));
        eq(amount, 0, "another's");
    }

    function test_a_bond_out_of_credit__comes_back_to_the_payout_and_not_to_the_credit() public {
        filled(BOND, BOND);
        uint256 id = pending();
        startLease(id, operator);
        vm.prank(provider);
        registry.setPayout(address(0x51e4));
        vm.warp(escrow.lease(id).stop + HOLDBACK);
        vm.prank(operator);
        escrow.returnBond(id, address(0x51e4));
        eq(usd.balanceOf(address(0x51e4)), BOND, "paid out");
        (uint96 amount,,) = credit();
        eq(amount, 0, "the credit stays used");
    }
}
