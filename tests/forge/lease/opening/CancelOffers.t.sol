// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";
import {OperatorScopes} from "contracts/libraries/OperatorScopes.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title Cancelling offers by a floor on their nonce
contract CancelOffers is Lettings {
    function cancelled(uint64 nonce, uint64 floor) internal view returns (bytes memory) {
        return
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_OfferCancelled.selector, device, nonce, floor);
    }

    function test_cancel_offers__below_the_floor_are_cancelled__and_at_it_are_not() public {
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.OffersCancelled(device, provider, 2);
        vm.prank(provider);
        escrow.cancelOffers(device, 2);
        eq(escrow.nonceFloor(device, provider), 2, "floor");
        vm.expectRevert(cancelled(1, 2));
        tryOpen(plainOffer(), DEPOSIT);
        ILeaseEscrow.Offer memory offer = plainOffer();
        offer.nonce = 2;
        openLease(offer, 0, DEPOSIT);
    }

    function test_cancel_offers__to_a_floor_not_higher__reverts() public {
        vm.startPrank(provider);
        escrow.cancelOffers(device, 2);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_FloorNotRaised.selector, 2, 2));
        escrow.cancelOffers(device, 2);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_FloorNotRaised.selector, 1, 2));
        escrow.cancelOffers(device, 1);
        escrow.cancelOffers(device, type(uint64).max);
        vm.stopPrank();
    }

    /// @dev Whoever calls cancels what it signed itself, and nothing of anybody else's.
    function test_cancel_offers__by_one_signer__leaves_the_others_alone() public {
        appoint(OperatorScopes.OFFER);
        vm.prank(operator);
        escrow.cancelOffers(device, 2);
        vm.prank(renter);
        escrow.cancelOffers(device, 5);
        openLease(plainOffer(), 0, DEPOSIT);
        ILeaseEscrow.Offer memory offer = plainOffer();
        offer.operator = operator;
        vm.expectRevert(cancelled(1, 2));
        tryOpen(offer, DEPOSIT);
        vm.prank(provider);
        escrow.cancelOffers(device, 3);
        offer.nonce = 2;
        openLease(offer, 0, DEPOSIT);
    }

    function test_cancel_offers_of__an_operator__by_the_provider() public {
        appoint(OperatorScopes.OFFER);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.OffersCancelled(device, operator, 7);
        vm.prank(provider);
        escrow.cancelOffersOf(device, operator, 7);
        ILeaseEscrow.Offer memory offer = plainOffer();
        (offer.operator, offer.nonce) = (operator, 6);
        vm.expectRevert(cancelled(6, 7));
        tryOpen(offer, DEPOSIT);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_FloorNotRaised.selector, 7, 7));
        escrow.cancelOffersOf(device, operator, 7);
    }

    function test_cancel_offers_of__by_another_or_for_no_device__reverts() public {
        appoint(OperatorScopes.ALL);
        vm.prank(operator);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotProvider.selector, device, operator)
        );
        escrow.cancelOffersOf(device, provider, 7);
        bytes32 unknown = keccak256("unknown");
        vm.prank(provider);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotProvider.selector, unknown, provider)
        );
        escrow.cancelOffersOf(unknown, operator, 7);
    }

    /// @dev What was opened before may be started: the renter's money waits for it.
    function test_cancel_offers__after_the_opening__does_not_hold_up_the_start() public {
        uint256 id = pending();
        vm.prank(provider);
        escrow.cancelOffers(device, 2);
        startLease(id);
    }
}
