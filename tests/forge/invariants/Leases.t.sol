// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IFormerEscrow} from "contracts/interfaces/IFormerEscrow.sol";

import {Checks} from "../base/Checks.sol";
import {Escrow, Token} from "../base/Extras.sol";
import {LeaseHandler} from "./LeaseHandler.sol";

/// @title What holds of leases whatever anybody does
///
/// Solvency. In every token the escrow holds at least what it owes; what it owes is, to the unit, the sum over leases of what
/// came in and has not gone out, and the fees.
///
/// Conservation. Of each lease's money (deposit + bond) nothing is lost and nothing made: claimed, refunded and returned
/// never pass it, and what each side has had never passes its share.
///
/// Streams. They never fall, never pass the deposit, and stand still after their stop.
///
/// Once. What has been paid is not due again (checked by the handler at each payment), and no more arrives than leases say.
///
/// Exit. From any state everybody can leave, and then the escrow owes nothing at all.
contract LeaseInvariants is Checks {
    struct Selectors {
        address addr;
        bytes4[] selectors;
    }

    LeaseHandler internal handler;
    Escrow internal escrow;
    Token internal usd;
    Token internal token;

    function setUp() public {
        handler = new LeaseHandler();
        IFormerEscrow at;
        (usd, token, at) = handler.escrowAddress();
        escrow = Escrow(address(at));
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() public view returns (Selectors[] memory list) {
        bytes4[] memory s = new bytes4[](12);
        (s[0], s[1], s[2], s[3]) =
            (handler.wait.selector, handler.report.selector, handler.open.selector, handler.cancel.selector);
        (s[4], s[5], s[6], s[7]) =
            (handler.start.selector, handler.topUp.selector, handler.end.selector, handler.claim.selector);
        (s[8], s[9], s[10], s[11]) = (
            handler.refund.selector,
            handler.returnBond.selector,
            handler.refundDowntime.selector,
            handler.donate.selector
        );
        list = new Selectors[](2);
        list[0] = Selectors(address(handler), s);
        bytes4[] memory fees = new bytes4[](1);
        fees[0] = handler.collectFees.selector;
        list[1] = Selectors(address(handler), fees);
    }

    function invariant_solvency() public view {
        atMost(escrow.owed(address(usd)), usd.balanceOf(address(escrow)), "balance covers what is owed");
        atMost(escrow.owed(address(token)), token.balanceOf(address(escrow)), "balance covers what is owed");
        eq(escrow.owed(address(usd)), parts(address(usd)), "owed is the sum of its parts");
        eq(escrow.owed(address(token)), parts(address(token)), "owed is the sum of its parts");
    }

    function invariant_conservation() public view {
        for (uint256 id = 1; id <= handler.leases(); ++id) {
            IFormerEscrow.Lease memory l = escrow.lease(id);
            eq(uint256(l.deposit) + l.bond, handler.paidIn(id), "a lease holds what was paid in");
            uint256 out = uint256(l.claimed) + l.refunded + l.bondReturned;
            eq(out, handler.paidOut(id), "a lease knows what was paid out");
            atMost(out, uint256(l.deposit) + l.bond, "no more goes out than came in");
            atMost(uint256(l.forfeited) + l.bondReturned, l.bond, "a bond is given once");
            atMost(uint256(l.claimed) + l.downtimeRefund, escrow.streamed(id), "the provider has what was streamed");
        }
    }

    function invariant_streams_only_grow_and_stand_still_after_their_stop() public {
        handler.look();
    }

    /// @dev What has arrived, and the fees that wait, are what leases say has been paid out: no payment came twice.
    function invariant_nothing_is_paid_twice() public view {
        eq(usd.balanceOf(handler.sink()) + escrow.fees(address(usd)), out(address(usd)), "paid once");
        eq(token.balanceOf(handler.sink()) + escrow.fees(address(token)), out(address(token)), "paid once");
    }

    function out(address payIn) internal view returns (uint256 sum) {
        for (uint256 id = 1; id <= handler.leases(); ++id) {
            IFormerEscrow.Lease memory l = escrow.lease(id);
            if (l.token == payIn) sum += uint256(l.claimed) + l.refunded + l.bondReturned;
        }
    }

    /// @dev Everyone can leave at the end, and no dust stays.
    function afterInvariant() public {
        handler.everyoneLeaves();
        eq(escrow.owed(address(usd)), 0, "nothing stays behind");
        eq(escrow.owed(address(token)), 0, "nothing stays behind");
    }

    function parts(address payIn) internal view returns (uint256 sum) {
        for (uint256 id = 1; id <= handler.leases(); ++id) {
            IFormerEscrow.Lease memory l = escrow.lease(id);
            if (l.token == payIn) sum += uint256(l.deposit) + l.bond - l.claimed - l.refunded - l.bondReturned;
        }
        sum += escrow.fees(payIn);
    }
}
