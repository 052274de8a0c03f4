// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";
import {OperatorScopes} from "contracts/libraries/OperatorScopes.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title What an operator may do of a provider's leases, and what it may not
contract Operators is Lettings {
    address internal constant SINK = address(0x51e4);
    uint8 internal constant ALL = OperatorScopes.ALL;

    function setUp() public override {
        super.setUp();
        vm.startPrank(provider);
        escrow.fillBondCredit(address(usd), 100_000_000);
        escrow.setBondLimit(address(usd), 10_000_000);
        registry.setPayout(SINK);
        vm.stopPrank();
    }

    function operatorsOffer() internal view returns (ILeaseEscrow.Offer memory offer) {
        offer = plainOffer();
        offer.operator = operator;
    }

    function notAllowed(uint8 scopes) internal view returns (bytes memory) {
        return abi.encodeWithSelector(
            ILeaseErrors.LeaseEscrow_OperatorNotAllowed.selector, provider, operator, scopes
        );
    }

    function notParty(uint256 id) internal view returns (bytes memory) {
        return abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotParty.selector, id, operator);
    }

    function test_an_offer_signed_by_an_operator__opens_where_it_may_make_offers() public {
        appoint(OperatorScopes.OFFER);
        eq(openLease(operatorsOffer(), 0, DEPOSIT), 1, "opened");
        appoint(ALL - OperatorScopes.OFFER);
        vm.expectRevert(notAllowed(OperatorScopes.OFFER));
        tryOpen(operatorsOffer(), DEPOSIT);
    }

    function test_an_offer_signed_by_an_operator__in_its_last_second__opens_and_a_second_later_reverts() public {
        vm.prank(provider);
        registry.setOperator(operator, ALL, uint40(block.timestamp));
        openLease(operatorsOffer(), 0, DEPOSIT);
        vm.warp(block.timestamp + 1);
        vm.expectRevert(notAllowed(OperatorScopes.OFFER));
        tryOpen(operatorsOffer(), DEPOSIT);
    }

    /// @dev An offer says who signs it: neither can stand for the other.
    function test_an_offer_signed_by_another_than_it_names__reverts() public {
        appoint(ALL);
        ILeaseEscrow.Offer memory offer = operatorsOffer();
        IEpochOracle.DeviceLeaf[] memory leaves = passedLeaves(0, offer.deviceIds);
        bytes memory signature = signOffer(offer, PROVIDER_KEY);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_BadSignature.selector, operator));
        tryOpen(offer, signature, DEPOSIT, leaves, proofsOf(leaves));
        offer = plainOffer();
        signature = signOffer(offer, OPERATOR_KEY);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_BadSignature.selector, provider));
        tryOpen(offer, signature, DEPOSIT, leaves, proofsOf(leaves));
    }

    function test_an_operator_revoked_after_the_opening__starts_nothing_and_neither_does_the_provider() public {
        appoint(ALL);
        uint256 id = openLease(operatorsOffer(), 0, DEPOSIT);
        appoint(0);
        vm.expectRevert(notParty(id));
        startLease(id, operator);
        vm.expectRevert(notAllowed(OperatorScopes.OFFER));
        startLease(id);
    }

    function test_start__by_an_operator_who_may_start__of_the_providers_offer() public {
        appoint(OperatorScopes.START);
        uint256 id = pending();
        startLease(id, operator);
        statusIs(id, ILeaseEscrow.Status.Active, "started");
        appoint(ALL - OperatorScopes.START);
        vm.warp(escrow.lease(id).stop);
        id = openLate();
        vm.expectRevert(notParty(id));
        startLease(id, operator);
    }

    function openLate() internal returns (uint256) {
        uint64 e = oracle.currentEpoch() + 1;
        measureAll(e);
        return openLease(plainOffer(), e, DEPOSIT);
    }

    /// @dev One who starts and one who signs may be two: both are asked for.
    function test_start__by_an_operator_of_anothers_offer__asks_for_both() public {
        address starter = address(0x57a4);
        appoint(OperatorScopes.OFFER);
        vm.prank(provider);
        registry.setOperator(starter, OperatorScopes.START, type(uint40).max);
        uint256 id = openLease(operatorsOffer(), 0, DEPOSIT);
        vm.expectRevert(notParty(id));
        startLease(id, operator);
        appoint(0);
        vm.expectRevert(notAllowed(OperatorScopes.OFFER));
        startLease(id, starter);
        appoint(OperatorScopes.OFFER);
        startLease(id, starter);
    }

    function test_end__by_an_operator__where_nothing_is_forfeited() public {
        appoint(OperatorScopes.END);
        uint256 id = live(600, 10_000);
        vm.warp(block.timestamp + 599);
        vm.prank(operator);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_WouldForfeit.selector, id, costOf(RATE, 1))
        );
        escrow.end(id);
        vm.warp(block.timestamp + 1);
        vm.prank(operator);
        escrow.end(id);
        statusIs(id, ILeaseEscrow.Status.Ended, "over");
    }

    function test_end__by_an_operator_under_a_notice_it_gave__once_it_has_run_out() public {
        appoint(OperatorScopes.END);
        uint256 id = noticed(300);
        vm.prank(operator);
        escrow.giveNotice(id);
        vm.warp(block.timestamp + 299);
        vm.prank(operator);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_WouldForfeit.selector, id, costOf(RATE, 701))
        );
        escrow.end(id);
        vm.warp(block.timestamp + 1);
        vm.prank(operator);
        escrow.end(id);
    }

    /// @dev Ending would fix what serving on still makes up for.
    function test_end__by_an_operator_while_downtime_forfeits__reverts() public {
        appoint(OperatorScopes.END);
        uint256 id = live(3_000, 10_000);
        measure(1, device, 0);
        downtime(id, leasedLeaf(1, device, 0));
        vm.warp(startOf(4) + 999);
        vm.prank(operator);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_WouldForfeit.selector, id, costOf(RATE, 1))
        );
        escrow.end(id);
        vm.warp(startOf(5));
        vm.prank(operator);
        escrow.end(id);
    }

    /// @dev What a slash has taken is lost either way.
    function test_end__by_an_operator_after_a_slash_and_the_minimum__ends() public {
        appoint(OperatorScopes.END);
        uint256 id = live(nodeOffer(), DEPOSIT);
        slashDevice(node[0]);
        vm.warp(block.timestamp + 600);
        vm.prank(operator);
        escrow.end(id);
        eq(escrow.forfeitable(id), costOf(RATE, 200), "what the slash took");
    }

    function test_release__by_an_operator__where_nothing_is_forfeited() public {
        appoint(OperatorScopes.END);
        uint256 id = live(5_000, 10_000);
        leaveEarly(id);
        uint256 state = vm.snapshotState();
        vm.prank(operator);
        escrow.release(id);
        statusIs(id, ILeaseEscrow.Status.Ended, "over");
        vm.revertToState(state);
        measure(1, device, 0);
        downtime(id, leasedLeaf(1, device, 0));
        vm.prank(operator);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_WouldForfeit.selector, id, costOf(RATE, 5_000))
        );
        escrow.release(id);
    }

    /// @dev Letting the device again would release it.
    function test_start__by_an_operator_that_would_forfeit_anothers_bond__reverts() public {
        appoint(ALL);
        uint256 id = live(5_000, 10_000);
        leaveEarly(id);
        measure(1, device, 0);
        downtime(id, leasedLeaf(1, device, 0));
        uint256 next = pending();
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_WouldForfeit.selector, id, costOf(RATE, 5_000))
        );
        startLease(next, operator);
        startLease(next);
    }

    function test_end_notice_and_release__by_an_operator_without_the_scope__revert() public {
        appoint(ALL - OperatorScopes.END);
        uint256 id = noticed(300);
        vm.startPrank(operator);
        vm.expectRevert(notParty(id));
        escrow.giveNotice(id);
        vm.expectRevert(notParty(id));
        escrow.end(id);
        vm.stopPrank();
        leaveEarly(id);
        vm.prank(operator);
        vm.expectRevert(notParty(id));
        escrow.release(id);
    }

    function test_claim_and_bond__by_an_operator__go_to_the_payout_address_alone() public {
        appoint(OperatorScopes.CLAIM);
        uint256 id = live(600, 1_000);
        vm.warp(block.timestamp + 10_000);
        bytes memory elsewhere =
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotPayout.selector, operator, SINK);
        vm.startPrank(operator);
        vm.expectRevert(elsewhere);
        escrow.claim(id, operator);
        vm.expectRevert(elsewhere);
        escrow.returnBond(id, operator);
        uint256 paid = escrow.claim(id, SINK) + escrow.returnBond(id, SINK);
        vm.stopPrank();
        eq(usd.balanceOf(SINK), paid, "paid out");
        eq(usd.balanceOf(operator), 0, "and nothing to the operator");
    }

    function test_claim__by_an_operator_of_a_provider_without_a_payout__goes_to_the_provider() public {
        appoint(OperatorScopes.CLAIM);
        uint256 id = live(600, 1_000);
        vm.warp(block.timestamp + 10_000);
        vm.prank(provider);
        registry.setPayout(address(0));
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotPayout.selector, SINK, provider));
        escrow.claim(id, SINK);
        escrow.claim(id, provider);
        vm.stopPrank();
    }

    function test_claim_and_bond__by_an_operator_without_the_scope__revert() public {
        appoint(ALL - OperatorScopes.CLAIM);
        uint256 id = live(600, 1_000);
        vm.warp(block.timestamp + 10_000);
        vm.startPrank(operator);
        vm.expectRevert(notParty(id));
        escrow.claim(id, SINK);
        vm.expectRevert(notParty(id));
        escrow.returnBond(id, SINK);
        vm.stopPrank();
    }

    /// @dev A key with every scope, stolen from a host: the thief rents to itself at the dearest, takes the machine down, and
    /// has every payout it can reach made. It earns nothing; what it can burn is a day's limit a day, until it is revoked.
    function test_an_operators_key_stolen__takes_nothing_and_burns_no_more_than_the_daily_limit() public {
        appoint(ALL);
        uint256 held = 100_000_000;
        uint256 before = usd.balanceOf(renter) + usd.balanceOf(operator);
        ILeaseEscrow.Offer memory offer = operatorsOffer();
        (offer.rate, offer.minDuration, offer.maxDuration) = (10 * RATE, 1_000, 1_000);
        uint256 id = openLease(offer, 0, DEPOSIT);
        startLease(id, operator);
        (uint96 left,, uint96 today) = escrow.bondCredit(provider, address(usd));
        eq(held - left, 10_000_000, "a day's limit, in one bond");
        eq(today, 0, "and nothing more today");
        measure(1, device, 0);
        downtime(id, leasedLeaf(1, device, 0));
        vm.prank(renter);
        escrow.refund(id, renter);
        vm.prank(operator);
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseEscrow.LeaseEscrow_WrongStatus.selector, id, ILeaseEscrow.Status.Ended
            )
        );
        escrow.end(id);
        vm.warp(block.timestamp + HOLDBACK + SLASH_HOLD);
        eq(escrow.forfeitable(id), 10_000_000, "burnt, to the network");
        eq(escrow.bondReturnable(id), 0, "nothing comes back");
        eq(usd.balanceOf(renter) + usd.balanceOf(operator), before, "and nobody has earned by it");
    }
}
