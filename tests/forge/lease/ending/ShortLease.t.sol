// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Lettings} from "../../base/Lettings.sol";

/// @title A lease that covers no whole epoch, or all but the edges, dark throughout
contract ShortLease is Lettings {
    function darkFor(uint256 first, uint40 length) internal returns (uint256 id) {
        vm.warp(first);
        id = live(length, length);
        vm.warp(startOf(1));
        for (uint64 e = 1; startOf(e) < first + length; ++e) {
            measure(e, device, 0);
            downtime(id, leasedLeaf(e, device, 0));
        }
        eq(escrow.lease(id).downtime, length, "every second attested");
        eq(escrow.refundable(id), costOf(RATE, length), "every second refunded");
        vm.warp(block.timestamp + 100_000);
        eq(escrow.claimable(id), 0, "nothing is the provider's");
    }

    function test_a_lease_within_one_epoch__dark_throughout__costs_nothing() public {
        darkFor(startOf(1) + 100, 800);
    }

    function test_a_lease_between_two_epochs__dark_throughout__costs_nothing() public {
        darkFor(startOf(1) + 1, 1_998);
    }

    /// @dev Neither costs it the bond: too short for more downtime than is borne.
    function test_a_lease_shorter_than_the_downtime_borne__dark_throughout__forfeits_nothing() public {
        uint256 id = darkFor(startOf(1) + 300, MAX_DOWNTIME);
        eq(escrow.forfeitable(id), 0, "not over the limit");
    }

    function test_a_lease_a_second_longer__dark_throughout__forfeits_the_bond() public {
        uint256 id = darkFor(startOf(1) + 300, MAX_DOWNTIME + 1);
        eq(escrow.forfeitable(id), escrow.lease(id).bond, "all of it");
    }
}
