// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {ITreasury} from "contracts/interfaces/ITreasury.sol";

import {Escrow} from "../../base/Extras.sol";
import {Lettings} from "../../base/Lettings.sol";

/// @title Terms of an escrow: which ones can be deployed
contract EscrowTerms is Lettings {
    function made(LeaseTerms memory terms) internal returns (Escrow) {
        return made(terms, new TokenTerms[](0));
    }

    function made(LeaseTerms memory terms, TokenTerms[] memory tokens) internal returns (Escrow) {
        bytes memory arguments = abi.encode(authority, oracle, registry, stake, terms, tokens);
        return Escrow(this.deployed("LeaseEscrow", arguments));
    }

    function outOf(string memory what, uint256 value, uint256 bound) internal {
        vm.expectRevert(abi.encodeWithSelector(ITreasury.LeaseEscrow_BadBound.selector, what, value, bound));
    }

    function test_terms__within_bounds__are_as_given() public {
        Escrow at = made(LeaseTerms(4_321, 765, 9, 123));
        eq(at.holdback(), 4_321, "holdback");
        eq(at.maxDowntime(), 765, "downtime");
        eq(at.maxAge(), 9, "age");
        eq(at.feeBps(), 123, "fee");
        eq(at.forfeitHold(), SLASH_HOLD, "as long as a slash is held");
    }

    function test_a_holdback__from_two_epochs_and_a_report__to_what_the_oracle_keeps() public {
        made(LeaseTerms(3_500, 1, 1, 0));
        outOf("holdback", 3_499, 3_500);
        made(LeaseTerms(3_499, 1, 1, 0));
        made(LeaseTerms(10_999, 1, 1, 0));
        outOf("holdback", 11_000, 10_999);
        made(LeaseTerms(11_000, 1, 1, 0));
    }

    /// @dev Which of the last 64 epochs were credited is known: none of them may be open for longer.
    function test_a_holdback__of_more_epochs_than_are_counted__cannot_be_deployed() public {
        IEpochOracle.Timing memory t = oracle.timing();
        t.proofWindow = 1_000_000;
        vm.mockCall(address(oracle), abi.encodeCall(IEpochOracle.timing, ()), abi.encode(t));
        made(LeaseTerms(61_999, 1, 1, 0));
        outOf("holdback", 62_000, 61_999);
        made(LeaseTerms(62_000, 1, 1, 0));
    }

    function test_no_downtime_borne__cannot_be_deployed() public {
        outOf("maxDowntime", 0, 1);
        made(LeaseTerms(4_000, 0, 1, 0));
    }

    function test_an_age__of_none_or_beyond_the_ring__cannot_be_deployed() public {
        uint64 ring = oracle.ringSize();
        made(LeaseTerms(4_000, 1, uint32(ring) - 1, 0));
        outOf("maxAge", 0, ring);
        made(LeaseTerms(4_000, 1, 0, 0));
        outOf("maxAge", ring, ring);
        made(LeaseTerms(4_000, 1, uint32(ring), 0));
    }

    function test_a_fee_above_five_percent__cannot_be_deployed() public {
        made(LeaseTerms(4_000, 1, 1, 500));
        outOf("feeBps", 501, 500);
        made(LeaseTerms(4_000, 1, 1, 501));
    }

    function test_tokens__listed_at_deployment__are_allowed() public {
        TokenTerms[] memory tokens = new TokenTerms[](1);
        tokens[0] = TokenTerms(address(usd), 77);
        Escrow at = made(LeaseTerms(4_000, 1, 1, 0), tokens);
        isTrue(at.tokenAllowed(address(usd)), "listed");
        isTrue(!at.tokenAllowed(address(token)), "no other");
        eq(at.feeFloorOf(address(usd)), 77, "floor");
    }
}
