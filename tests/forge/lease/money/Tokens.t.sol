// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ITreasury} from "contracts/interfaces/ITreasury.sol";

import {Token} from "../../base/Extras.sol";
import {Lettings} from "../../base/Lettings.sol";

/// @title What governance does of tokens and money, and what a pause stops
contract LeaseTokens is Lettings {
    function refused() internal {
        vm.expectRevert(abi.encodeWithSignature("AccessManagedUnauthorized(address)", provider));
        vm.prank(provider);
    }

    function test_delisting__closes_entry_only_and_listing_again_keeps_the_floor() public {
        uint256 id = live(0, 1_000);
        vm.expectEmit(address(escrow));
        emit ITreasury.TokenDelisted(address(usd));
        escrow.delistToken(address(usd));
        isTrue(!escrow.tokenAllowed(address(usd)), "delisted");
        vm.expectRevert(abi.encodeWithSelector(ITreasury.LeaseEscrow_TokenNotAllowed.selector, address(usd)));
        escrow.delistToken(address(usd));
        vm.prank(renter);
        escrow.topUp(id, 1_000);
        vm.expectEmit(address(escrow));
        emit ITreasury.TokenListed(address(usd), uint96(FEE_FLOOR));
        escrow.listToken(address(usd), 0);
        eq(escrow.feeFloorOf(address(usd)), FEE_FLOOR, "as at first");
        vm.expectRevert(abi.encodeWithSelector(ITreasury.LeaseEscrow_AlreadyListed.selector, address(usd)));
        escrow.listToken(address(usd), 0);
        vm.warp(block.timestamp + 20_000);
        vm.prank(provider);
        escrow.claim(id, provider);
        eq(escrow.fees(address(usd)), 20_020, "2 % of 1,001,000");
    }

    function test_list_token__that_is_no_contract__reverts() public {
        vm.expectRevert(
            abi.encodeWithSelector(ITreasury.LeaseEscrow_TokenNotAllowed.selector, address(0xdead))
        );
        escrow.listToken(address(0xdead), 0);
    }

    /// @dev A lease names its token in eight bits.
    function test_list_token__the_255th__is_the_last() public {
        for (uint160 i = 1; i <= 253; ++i) {
            vm.etch(address(0xbeef00 + i), hex"00");
            escrow.listToken(address(0xbeef00 + i), uint96(i));
        }
        eq(escrow.feeFloorOf(address(0xbeef00 + 253)), 253, "the last");
        vm.expectRevert(
            abi.encodeWithSelector(ITreasury.LeaseEscrow_TokenNotAllowed.selector, address(registry))
        );
        escrow.listToken(address(registry), 1);
    }

    function test_fees__collected__go_to_somebody_once() public {
        uint256 id = live(0, 1_000);
        vm.warp(block.timestamp + 20_000);
        vm.prank(provider);
        escrow.claim(id, provider);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.LeaseEscrow_ZeroReceiver.selector));
        escrow.collectFees(address(usd), address(0));
        vm.expectEmit(address(escrow));
        emit ITreasury.FeesCollected(address(usd), address(0xfee), 20_000);
        eq(escrow.collectFees(address(usd), address(0xfee)), 20_000, "collected");
        eq(usd.balanceOf(address(0xfee)), 20_000, "paid");
        eq(escrow.fees(address(usd)) + escrow.owed(address(usd)), 0, "none left");
        eq(escrow.collectFees(address(usd), address(0xfee)), 0, "once");
    }

    function test_donations__are_surplus_and_nothing_else_is() public {
        live(600, 1_000);
        vm.prank(provider);
        escrow.fillBondCredit(address(usd), 40);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.LeaseEscrow_NoSurplus.selector, address(usd)));
        escrow.recoverSurplus(address(usd), address(this));
        usd.mint(address(escrow), 55);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.LeaseEscrow_ZeroReceiver.selector));
        escrow.recoverSurplus(address(usd), address(0));
        vm.expectEmit(address(escrow));
        emit ITreasury.SurplusRecovered(address(usd), address(0x55), 55);
        eq(escrow.recoverSurplus(address(usd), address(0x55)), 55, "surplus");
        eq(usd.balanceOf(address(0x55)), 55, "paid");
        eq(usd.balanceOf(address(escrow)), escrow.owed(address(usd)), "what is owed stays");
    }

    function test_what_is_governances__is_nobody_elses() public {
        refused();
        escrow.listToken(address(registry), 1);
        refused();
        escrow.delistToken(address(usd));
        refused();
        escrow.setFee(0);
        refused();
        escrow.collectFees(address(usd), provider);
        refused();
        escrow.recoverSurplus(address(usd), provider);
    }

    function test_set_fee__to_five_percent__and_no_further() public {
        vm.expectRevert(
            abi.encodeWithSelector(ITreasury.LeaseEscrow_BadBound.selector, "feeBps", 501, 500)
        );
        escrow.setFee(501);
        vm.expectEmit(address(escrow));
        emit ITreasury.FeeSet(500);
        escrow.setFee(500);
        eq(escrow.feeBps(), 500, "set");
    }

    function test_a_pause_of_entry__stops_no_start_top_up_or_exit() public {
        uint256 id = pending();
        vm.prank(provider);
        escrow.fillBondCredit(address(usd), 10);
        vm.prank(GUARDIAN);
        escrow.pauseEntry(14 days);
        startLease(id);
        vm.startPrank(renter);
        escrow.topUp(id, 1_000);
        vm.warp(block.timestamp + 700);
        escrow.end(id);
        escrow.refund(id, renter);
        vm.stopPrank();
        vm.warp(block.timestamp + 10_000);
        vm.startPrank(provider);
        escrow.claim(id, provider);
        escrow.returnBond(id, provider);
        escrow.fillBondCredit(address(usd), 10);
        escrow.drainBondCredit(address(usd), 20, provider);
        vm.stopPrank();
        eq(Token(usd).balanceOf(address(escrow)), escrow.fees(address(usd)), "everybody is out");
    }

    function test_a_pause__ended_before_its_time__opens_entry_again() public {
        vm.startPrank(GUARDIAN);
        escrow.pauseEntry(1 days);
        escrow.resumeEntry();
        vm.stopPrank();
        pending();
    }
}
