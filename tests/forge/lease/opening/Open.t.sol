// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";
import {ITreasury} from "contracts/interfaces/ITreasury.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title Opening a lease: the offer, its signature, the money
contract Open is Lettings {
    function test_open__all_as_asked__pending_with_all_of_it_recorded() public {
        ILeaseEscrow.Offer memory offer = plainOffer();
        (offer.minDuration, offer.maxDuration, offer.notice) = (700, 20_000, 3_600);
        uint256 before = usd.balanceOf(renter);
        uint256 id = openLease(offer, 0, DEPOSIT);
        ILeaseEscrow.Lease memory l = escrow.lease(id);
        eq(id, 1, "the first");
        eq(l.renter, renter, "renter");
        eq(l.provider, provider, "provider");
        eq(bytes32(l.offerHash), bytes32(bytes27(keccak256(offerEncoded(offer)))), "offer");
        eq(l.openedBlock, block.number, "block");
        eq(l.token, address(usd), "token");
        eq(uint256(l.status), uint256(ILeaseEscrow.Status.Pending), "status");
        eq(l.minDuration, 700, "least");
        eq(l.maxDuration, 20_000, "most");
        eq(l.deposit, DEPOSIT, "deposit");
        eq(l.feeBps, 200, "fee");
        eq(l.rate + l.start + l.stop + l.notice + l.noticeAt + l.devices + l.bond, 0, "nothing of a start");
        eq(l.claimed + l.refunded + l.downtimeRefund + l.downtime + l.forfeited + l.forfeitable, 0, "nothing paid");
        isTrue(!l.bondReturned && !l.leftEarly, "nothing done");
        eq(before - usd.balanceOf(renter), DEPOSIT, "paid");
        eq(escrow.owed(address(usd)), DEPOSIT, "owed");
        eq(escrow.leaseCount(), 1, "count");
        eq(openLease(offer, 0, DEPOSIT), 2, "an offer may be taken again");
    }

    function test_open__a_node__announced_with_the_whole_offer() public {
        ILeaseEscrow.Offer memory offer = nodeOffer();
        (offer.notice, offer.renter, offer.nonce) = (60, renter, 9);
        bytes memory signature = signOffer(offer);
        IEpochOracle.DeviceLeaf[] memory leaves = passedLeaves(0, offer.deviceIds);
        bytes32[][] memory proofs = proofsOf(leaves);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.LeaseOpened(1, renter, provider, keccak256(offerEncoded(offer)), offer, DEPOSIT);
        vm.prank(renter);
        escrow.open(offer, signature, DEPOSIT, leaves, proofs, 500, 4_096);
    }

    function test_offer_hash__any_offer__is_the_struct_hash(
        ILeaseEscrow.Offer memory offer,
        bytes32[] memory deviceIds
    ) public view {
        offer.deviceIds = deviceIds;
        eq(escrow.offerHash(offer), keccak256(offerEncoded(offer)), "EIP-712");
    }

    function test_open__in_its_last_second__opens_and_a_second_later_reverts() public {
        ILeaseEscrow.Offer memory offer = plainOffer();
        offer.validUntil = uint40(block.timestamp);
        openLease(offer, 0, DEPOSIT);
        offer.validUntil = uint40(block.timestamp) - 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseErrors.LeaseEscrow_OfferExpired.selector, block.timestamp - 1, block.timestamp
            )
        );
        tryOpen(offer, DEPOSIT);
    }

    function test_open__a_private_quote__only_by_its_renter() public {
        ILeaseEscrow.Offer memory offer = plainOffer();
        offer.renter = renter;
        openLease(offer, 0, DEPOSIT);
        offer.renter = address(0xabc);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotForRenter.selector, address(0xabc), renter)
        );
        tryOpen(offer, DEPOSIT);
    }

    function test_open__for_nothing__reverts() public {
        ILeaseEscrow.Offer memory offer = offerOf(device, address(usd), 0);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_ZeroRate.selector));
        tryOpen(offer, DEPOSIT);
    }

    function refusedDurations(uint40 least, uint40 most) internal {
        ILeaseEscrow.Offer memory offer = plainOffer();
        (offer.minDuration, offer.maxDuration) = (least, most);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_BadDurations.selector, least, most));
        tryOpen(offer, DEPOSIT);
    }

    function test_open__durations_out_of_order_or_range__reverts() public {
        refusedDurations(601, 600);
        refusedDurations(0, 0);
        refusedDurations(600, uint40(1) << 32);
        ILeaseEscrow.Offer memory offer = plainOffer();
        (offer.minDuration, offer.maxDuration) = (600, type(uint32).max);
        openLease(offer, 0, DEPOSIT);
        offer.maxDuration = 600;
        openLease(offer, 0, costOf(RATE, 600));
    }

    function test_open__notice_below_a_minute__reverts() public {
        ILeaseEscrow.Offer memory offer = plainOffer();
        offer.notice = 59;
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_BadNotice.selector, 59, 60));
        tryOpen(offer, DEPOSIT);
        offer.notice = 60;
        openLease(offer, 0, DEPOSIT);
    }

    function test_open__deposit_below_the_minimum__reverts() public {
        uint96 least = costOf(RATE, 600);
        openLease(plainOffer(), 0, least);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_DepositTooSmall.selector, least - 1, least)
        );
        tryOpen(plainOffer(), least - 1);
    }

    function test_open__deposit_below_a_minute__reverts() public {
        ILeaseEscrow.Offer memory offer = plainOffer();
        (offer.minDuration, offer.maxDuration) = (1, 30);
        uint96 minute = costOf(RATE, 60);
        openLease(offer, 0, minute);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_DepositTooSmall.selector, minute - 1, minute)
        );
        tryOpen(offer, minute - 1);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_DepositTooLarge.selector, minute + 1, minute)
        );
        tryOpen(offer, minute + 1);
    }

    function test_open__deposit_beyond_the_longest__reverts() public {
        uint96 most = costOf(RATE, 100_000);
        openLease(plainOffer(), 0, most);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_DepositTooLarge.selector, most + 1, most));
        tryOpen(plainOffer(), most + 1);
    }

    function test_open__a_rate_that_no_deposit_pays__reverts() public {
        ILeaseEscrow.Offer memory offer = offerOf(device, address(usd), type(uint128).max);
        (offer.minDuration, offer.maxDuration) = (4e9, 4e9);
        uint256 least = (uint256(type(uint128).max) * 4e9 + SCALE - 1) / SCALE;
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_DepositTooSmall.selector, type(uint96).max, least)
        );
        tryOpen(offer, type(uint96).max);
    }

    function test_open__a_token_not_listed_or_delisted__reverts() public {
        bytes memory refused =
            abi.encodeWithSelector(ITreasury.LeaseEscrow_TokenNotAllowed.selector, address(0xdead));
        ILeaseEscrow.Offer memory offer = offerOf(device, address(0xdead), RATE);
        vm.expectRevert(refused);
        tryOpen(offer, DEPOSIT);
        escrow.delistToken(address(usd));
        vm.expectRevert(abi.encodeWithSelector(ITreasury.LeaseEscrow_TokenNotAllowed.selector, address(usd)));
        tryOpen(plainOffer(), DEPOSIT);
    }

    /// @dev Whatever was signed cannot be changed by who opens: one bit of any of its twelve words.
    function test_open__an_offer_changed_after_it_was_signed__reverts(uint256 bit) public {
        ILeaseEscrow.Offer memory offer = plainOffer();
        bytes memory signature = signOffer(offer);
        IEpochOracle.DeviceLeaf[] memory leaves = passedLeaves(0, offer.deviceIds);
        bytes memory call =
            abi.encodeCall(ILeaseEscrow.open, (offer, signature, DEPOSIT, leaves, proofsOf(leaves), 0, 0));
        uint256 at = 4 + 7 * 32 + (bit % 3328) / 8; // eleven words of the offer, and its list's length and entry
        if (at >= 4 + 9 * 32 && at < 4 + 10 * 32) at += 32; // where the list lies is not signed
        call[at] = bytes1(uint8(call[at]) ^ uint8(1 << (bit % 8)));
        vm.prank(renter);
        (bool ok,) = address(escrow).call(call);
        isTrue(!ok, "opened on what nobody signed");
        eq(escrow.leaseCount(), 0, "no lease");
    }

    /// @dev The lowest bit of each of the offer's words, and of its list's length and entry.
    function test_open__any_field_of_an_offer_changed__reverts() public {
        ILeaseEscrow.Offer memory offer = plainOffer();
        offer.notice = 1 hours; // one second more would be taken as well
        bytes memory signature = signOffer(offer);
        IEpochOracle.DeviceLeaf[] memory leaves = passedLeaves(0, offer.deviceIds);
        bytes memory call =
            abi.encodeCall(ILeaseEscrow.open, (offer, signature, DEPOSIT, leaves, proofsOf(leaves), 0, 0));
        for (uint256 word = 0; word < 13; ++word) {
            uint256 at = 4 + (7 + word) * 32 + 31;
            call[at] = call[at] ^ 0x01;
            vm.prank(renter);
            (bool ok,) = address(escrow).call(call);
            eq(ok ? word : 99, 99, "opened with another value in this word");
            call[at] = call[at] ^ 0x01;
        }
        vm.prank(renter);
        (bool opened,) = address(escrow).call(call);
        isTrue(opened, "as it was signed");
    }

    function test_open__signed_by_another_key__reverts() public {
        ILeaseEscrow.Offer memory offer = plainOffer();
        IEpochOracle.DeviceLeaf[] memory leaves = passedLeaves(0, offer.deviceIds);
        bytes memory signature = signOffer(offer, OPERATOR_KEY);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_BadSignature.selector, provider));
        tryOpen(offer, signature, DEPOSIT, leaves, proofsOf(leaves));
    }

    function test_an_offer_replayed_on_another_chain__reverts() public {
        ILeaseEscrow.Offer memory offer = plainOffer();
        IEpochOracle.DeviceLeaf[] memory leaves = passedLeaves(0, offer.deviceIds);
        bytes memory signature = signOffer(offer);
        vm.chainId(block.chainid + 1);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_BadSignature.selector, provider));
        tryOpen(offer, signature, DEPOSIT, leaves, proofsOf(leaves));
    }

    function test_open__while_entry_is_paused__reverts() public {
        vm.prank(GUARDIAN);
        escrow.pauseEntry(14 days);
        vm.expectRevert(abi.encodeWithSignature("EntryPausedUntil(uint40)", block.timestamp + 14 days));
        tryOpen(plainOffer(), DEPOSIT);
    }

    function test_pending_leases__take_no_device_off_the_market() public {
        openLease(nodeOffer(), 0, DEPOSIT);
        openLease(nodeOffer(), 0, DEPOSIT);
        for (uint256 i = 0; i < 3; ++i) eq(escrow.activeLease(node[i]), 0, "free");
        vm.prank(provider);
        registry.retire(node[0]);
    }
}
