// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";
import {ITreasury} from "contracts/interfaces/ITreasury.sol";
import {TokenMoves} from "contracts/libraries/TokenMoves.sol";

import {Token} from "../base/Extras.sol";
import {Market} from "../base/Market.sol";
import {
    BlacklistingToken,
    FalseReturnToken,
    FeeToken,
    NoReturnToken,
    PlainToken,
    RebasingToken,
    ReenteringToken
} from "./OddTokens.sol";

/// @title Threats on the escrow: tokens that are not as they should be
contract TokenThreats is Market {
    bytes32 internal device;

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        device = enrol(0, 1);
        measure(0, one(passedLeaf(0, device)), 700);
    }

    function listed(address odd) internal returns (Token t) {
        t = Token(odd);
        escrow.listToken(odd, 1);
        approveBoth(t, 1e30);
    }

    function open(Token t, uint128 rate, uint96 deposit) internal returns (uint256 id) {
        return openLease(offerOf(device, address(t), rate), 0, deposit);
    }

    /// @dev A whole lease in the token; everything that came in goes out.
    function wholeLease(Token t, uint128 rate) internal {
        uint96 deposit = costOf(rate, 2_000);
        uint256 id = open(t, rate, deposit);
        startLease(id);
        uint256 bond = escrow.lease(id).bond;
        vm.warp(block.timestamp + 1_000);
        vm.prank(renter);
        escrow.end(id);
        vm.warp(block.timestamp + HOLDBACK);
        uint256 out;
        if (escrow.refundable(id) != 0) {
            vm.prank(renter);
            out += escrow.refund(id, address(0x4e4));
        }
        vm.startPrank(provider);
        if (escrow.claimable(id) != 0) out += escrow.claim(id, address(0x940));
        if (bond != 0) out += escrow.returnBond(id, address(0x940));
        vm.stopPrank();
        eq(out + escrow.fees(address(t)), uint256(deposit) + bond, "all that came in");
        eq(t.balanceOf(address(0x4e4)) + t.balanceOf(address(0x940)), out, "paid");
        eq(t.balanceOf(address(escrow)), escrow.owed(address(t)), "the fees are left");
        eq(escrow.owed(address(t)), escrow.fees(address(t)), "the fees are left");
    }

    function test_decimals_0_6_8_and_18__settle_to_the_unit(uint128 rate) public {
        uint8[4] memory places = [uint8(0), 6, 8, 18];
        for (uint256 i = 0; i < 4; ++i) {
            Token t = listed(address(new PlainToken(places[i])));
            uint256 whole = 10 ** places[i];
            // From one unit in an hour, which streams fractions, to a thousand whole tokens a second.
            uint256 state = vm.snapshotState();
            wholeLease(t, uint128(within(rate, SCALE / 3_600, 1_000 * whole * SCALE)));
            vm.revertToState(state);
        }
    }

    function test_a_fee_on_transfer__is_refused() public {
        Token t = listed(address(new FeeToken()));
        ILeaseEscrow.Offer memory offer = offerOf(device, address(t), 1_000e18);
        bytes memory signature = signOffer(offer);
        IEpochOracle.DeviceLeaf[] memory leaves = passedLeaves(0, offer.deviceIds);
        bytes32[][] memory proofs = proofsOf(leaves);
        vm.prank(renter);
        vm.expectPartialRevert(ITreasury.LeaseEscrow_TokenShort.selector);
        escrow.open(offer, signature, 1e7, leaves, proofs, 0, 0);
    }

    function test_no_return_value__settles() public {
        wholeLease(listed(address(new NoReturnToken())), 1_000e18);
    }

    function test_a_false_return__counts_as_a_failure() public {
        FalseReturnToken odd = new FalseReturnToken();
        Token t = listed(address(odd));
        uint256 id = open(t, 1_000e18, 1e7);
        odd.refuse(true);
        ILeaseEscrow.Offer memory offer = offerOf(device, address(t), 1_000e18);
        bytes memory signature = signOffer(offer);
        IEpochOracle.DeviceLeaf[] memory leaves = passedLeaves(0, offer.deviceIds);
        bytes32[][] memory proofs = proofsOf(leaves);
        vm.prank(renter);
        vm.expectPartialRevert(TokenMoves.TokenMoves_Failed.selector);
        escrow.open(offer, signature, 1e7, leaves, proofs, 0, 0);
        vm.startPrank(renter);
        escrow.cancel(id);
        vm.expectPartialRevert(TokenMoves.TokenMoves_Failed.selector);
        escrow.refund(id, renter);
        eq(escrow.refundable(id), 1e7, "still due");
        odd.refuse(false);
        escrow.refund(id, renter);
        vm.stopPrank();
    }

    function test_a_rebase_upwards__is_surplus_and_downwards_makes_nobody_elses_money_move() public {
        RebasingToken odd = new RebasingToken();
        Token t = listed(address(odd));
        uint256 id = open(t, 1_000e18, 1e7);
        odd.rebase(1_100);
        eq(escrow.recoverSurplus(address(t), address(0x55)), 1e6, "what the rebase added");
        isTrue(t.balanceOf(address(escrow)) >= escrow.owed(address(t)), "solvent");
        odd.rebase(1_000);
        vm.expectPartialRevert(ITreasury.LeaseEscrow_NoSurplus.selector);
        escrow.recoverSurplus(address(t), address(0x55));
        vm.prank(renter);
        escrow.cancel(id);
        vm.prank(renter);
        vm.expectRevert();
        escrow.refund(id, renter);
        eq(usd.balanceOf(address(escrow)), escrow.owed(address(usd)), "other tokens are apart");
    }

    function test_a_blacklisted_payee__blocks_nobody_but_himself_and_names_another_receiver() public {
        BlacklistingToken odd = new BlacklistingToken();
        Token t = listed(address(odd));
        uint256 id = open(t, 1_000e18, 2e6);
        startLease(id);
        odd.blacklist(renter);
        vm.warp(block.timestamp + 1_000);
        vm.prank(renter);
        escrow.end(id);
        vm.warp(block.timestamp + HOLDBACK);
        vm.startPrank(provider);
        escrow.claim(id, provider);
        escrow.returnBond(id, provider);
        vm.stopPrank();
        vm.startPrank(renter);
        vm.expectRevert(abi.encodeWithSelector(BlacklistingToken.Blocked.selector, renter));
        escrow.refund(id, renter);
        eq(escrow.refund(id, address(0xa)), 1e6, "to another receiver");
        vm.stopPrank();
    }

    function reentered(ReenteringToken odd, address target, bytes memory call) internal {
        odd.arm(target, call);
    }

    function notEntered(ReenteringToken odd) internal view {
        isTrue(!odd.entered(), "re-entered");
        eq(
            bytes32(bytes4(odd.why())),
            bytes32(bytes4(keccak256("ReentrancyGuardReentrantCall()"))),
            "stopped by the guard"
        );
    }

    /// @dev The guard answers first, before any check of who calls.
    function test_re_entry_in_every_transfer__is_stopped() public {
        ReenteringToken odd = new ReenteringToken();
        Token t = listed(address(odd));
        ILeaseEscrow.Offer memory offer = offerOf(device, address(t), 1_000e18);
        bytes memory signature = signOffer(offer);
        IEpochOracle.DeviceLeaf[] memory leaves = passedLeaves(0, offer.deviceIds);
        bytes32[][] memory proofs = proofsOf(leaves);
        bytes memory opening =
            abi.encodeCall(ILeaseEscrow.open, (offer, signature, 1e7, leaves, proofs, 0, 0));
        reentered(odd, address(escrow), opening);
        uint256 id = open(t, 1_000e18, 1e7);
        notEntered(odd);
        eq(escrow.leaseCount(), 1, "one lease");
        reentered(odd, address(escrow), opening);
        vm.prank(renter);
        escrow.openWithPermit(offer, signature, 1e7, leaves, proofs, 0, 0, ILeaseEscrow.Permit(0, ""));
        notEntered(odd);
        eq(escrow.leaseCount(), 2, "one more");
        reentered(odd, address(escrow), abi.encodeCall(ILeaseEscrow.topUp, (id, 1)));
        startLease(id);
        notEntered(odd);
        reentered(odd, address(escrow), abi.encodeCall(ILeaseEscrow.refund, (id, address(odd))));
        vm.prank(renter);
        escrow.topUp(id, 1_000);
        notEntered(odd);
        vm.warp(block.timestamp + HOLDBACK + 1_000);
        reentered(odd, address(escrow), abi.encodeCall(ILeaseEscrow.claim, (id, address(odd))));
        vm.prank(provider);
        escrow.claim(id, provider);
        notEntered(odd);
        vm.prank(renter);
        escrow.end(id);
        reentered(odd, address(escrow), abi.encodeCall(ILeaseEscrow.refund, (id, address(odd))));
        vm.prank(renter);
        escrow.refund(id, renter);
        notEntered(odd);
        vm.warp(block.timestamp + HOLDBACK + 1_000);
        reentered(odd, address(escrow), abi.encodeCall(ILeaseEscrow.returnBond, (id, address(odd))));
        vm.prank(provider);
        escrow.returnBond(id, provider);
        notEntered(odd);
        vm.startPrank(provider);
        reentered(odd, address(escrow), abi.encodeCall(ITreasury.drainBondCredit, (address(t), 1, address(odd))));
        escrow.fillBondCredit(address(t), 100);
        notEntered(odd);
        reentered(odd, address(escrow), abi.encodeCall(ITreasury.fillBondCredit, (address(t), 1)));
        escrow.drainBondCredit(address(t), 40, provider);
        notEntered(odd);
        vm.stopPrank();
        reentered(odd, address(escrow), abi.encodeCall(ILeaseEscrow.claim, (id, address(odd))));
        escrow.collectFees(address(t), address(this));
        notEntered(odd);
        odd.mint(address(escrow), 7);
        reentered(odd, address(escrow), abi.encodeCall(ILeaseEscrow.claim, (id, address(odd))));
        escrow.recoverSurplus(address(t), address(this));
        notEntered(odd);
        (uint96 credit,,) = escrow.bondCredit(provider, address(t));
        eq(credit, 60, "the credit is left");
        eq(t.balanceOf(address(escrow)), escrow.owed(address(t)), "solvent");
    }

    function test_re_entry_across_contracts__finds_the_books_already_written() public {
        ReenteringToken odd = new ReenteringToken();
        Token t = listed(address(odd));
        uint256 id = open(t, 1_000e18, 1e7);
        vm.prank(renter);
        escrow.cancel(id);
        // In the middle of the refund everything that reads the lease sees it as paid.
        reentered(odd, address(escrow), abi.encodeCall(ILeaseEscrow.refundable, (id)));
        vm.prank(renter);
        escrow.refund(id, renter);
        isTrue(odd.entered(), "a view may be called");
        eq(abi.decode(odd.why(), (uint256)), 0, "nothing due any more");
        reentered(odd, address(stake), abi.encodeWithSignature("withdraw(address)", address(odd)));
        open(t, 1_000e18, 1e7);
        isTrue(!odd.entered(), "nothing of another's to withdraw");
    }
}
