// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";

import {Checks} from "../base/Checks.sol";
import {Escrow, Token} from "../base/Extras.sol";
import {LeaseHandler} from "./LeaseHandler.sol";

/// @title What holds of leases whatever anybody does
///
/// Solvency. In every token the escrow holds at least what it owes; what it owes is, to the unit, the sum over leases of what
/// came in and has not gone out, the providers' bond credits, and the fees.
///
/// Conservation. Of each lease's money (deposit + bond) nothing is lost and nothing made: what provider, renter and network have
/// had and are due always sums to it, and what each has had never passes its share.
///
/// Credit. A provider's bond credit is what it put in, less what it took out and what its operators' starts took.
///
/// Nodes. The devices of a lease are all leased by it, or none is.
///
/// Streams. They never fall, never pass the deposit, and stand still after their stop.
///
/// Once. What has been paid is not due again (checked by the handler at each payment).
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
    address internal provider;

    function setUp() public {
        handler = new LeaseHandler();
        handler.deploy();
        ILeaseEscrow at;
        (usd, token, at, provider) = handler.parts();
        escrow = Escrow(address(at));
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() public view returns (Selectors[] memory list) {
        bytes4[] memory s = new bytes4[](20);
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
        (s[12], s[13], s[14], s[15]) = (
            handler.giveNotice.selector,
            handler.release.selector,
            handler.slash.selector,
            handler.settleForfeit.selector
        );
        (s[16], s[17], s[18], s[19]) = (
            handler.forgiveForfeit.selector,
            handler.fillCredit.selector,
            handler.drainCredit.selector,
            handler.collectFees.selector
        );
        list = new Selectors[](1);
        list[0] = Selectors(address(handler), s);
    }

    function invariant_solvency() public view {
        atMost(escrow.owed(address(usd)), usd.balanceOf(address(escrow)), "balance covers what is owed");
        atMost(escrow.owed(address(token)), token.balanceOf(address(escrow)), "balance covers what is owed");
        eq(escrow.owed(address(usd)), parts(address(usd)), "owed is the sum of its parts");
        eq(escrow.owed(address(token)), parts(address(token)), "owed is the sum of its parts");
    }

    function invariant_conservation() public view {
        for (uint256 id = 1; id <= handler.leases(); ++id) {
            ILeaseEscrow.Lease memory l = escrow.lease(id);
            eq(l.deposit + l.bond, handler.paidIn(id), "a lease holds what was paid in");
            atMost(
                handler.paidOut(id) + handler.settled(id), l.deposit + l.bond, "no more goes out than came in"
            );
            uint256 networks = l.forfeitable + handler.settled(id);
            atMost(l.forfeited + networks, l.bond, "a bond is given once");
            uint256 streamed = escrow.streamed(id);
            atMost(l.claimed + l.downtimeRefund, streamed, "the provider has what was streamed");
            if (l.status != ILeaseEscrow.Status.Ended) continue;
            eq(
                l.refunded + escrow.refundable(id),
                l.deposit - streamed + l.downtimeRefund + l.forfeited,
                "the renter's share"
            );
            if (escrow.bondReturnable(id) == 0 || l.bondReturned || handler.forgiven(id)) continue;
            eq(escrow.bondReturnable(id), l.bond - l.forfeited - networks, "the provider's share of the bond");
        }
    }

    function invariant_bond_credit_is_conserved() public view {
        (uint96 inUsd,,) = escrow.bondCredit(provider, address(usd));
        (uint96 inToken,,) = escrow.bondCredit(provider, address(token));
        eq(inUsd, handler.credit(address(usd)), "what was put in and not taken");
        eq(inToken, handler.credit(address(token)), "what was put in and not taken");
    }

    function invariant_devices_of_a_lease_are_all_leased_or_all_free() public view {
        for (uint256 id = 1; id <= handler.leases(); ++id) {
            bool active = escrow.lease(id).status == ILeaseEscrow.Status.Active;
            bytes32[] memory ids = handler.devicesOf(id);
            for (uint256 i = 0; i < ids.length; ++i) {
                isTrue((escrow.activeLease(ids[i]) == id) == active, "all or none");
            }
        }
    }

    function invariant_streams_only_grow_and_stand_still_after_their_stop() public {
        handler.look();
    }

    /// @dev Everyone can leave at the end, and no dust stays.
    function afterInvariant() public {
        handler.everyoneLeaves();
        eq(escrow.owed(address(usd)), 0, "nothing stays behind");
        eq(escrow.owed(address(token)), 0, "nothing stays behind");
    }

    function parts(address payIn) internal view returns (uint256 sum) {
        for (uint256 id = 1; id <= handler.leases(); ++id) {
            ILeaseEscrow.Lease memory l = escrow.lease(id);
            if (l.token == payIn) sum += l.deposit + l.bond - handler.paidOut(id) - handler.settled(id);
        }
        sum += escrow.fees(payIn) + handler.credit(payIn);
    }
}
