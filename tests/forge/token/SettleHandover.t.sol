// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {INetworkToken} from "contracts/interfaces/INetworkToken.sol";
import {IRewardsDistributor} from "contracts/interfaces/IRewardsDistributor.sol";

import {Earnings} from "../base/Earnings.sol";
import {FreeMinter, Minters} from "./Minters.sol";

contract SettleHandoverTest is Minters {
    uint256 internal constant LIMIT = 4 * uint256(INITIAL);

    function setUp() public override {
        super.setUp();
        minted.handOver(address(second), 3);
        goTo(4);
    }

    function settleFails(FreeMinter past, bytes4 why) internal {
        vm.expectRevert(abi.encodeWithSelector(why, address(past)));
        minted.settleHandover(address(past));
    }

    function test_settle__total_below_the_limit__reserved_for_ever_and_no_more() public {
        mint(first, 3);
        first.say(10, true);
        vm.expectEmit();
        emit INetworkToken.HandoverSettled(address(first), 10, 3);
        vm.prank(address(0x57a6e4));
        minted.settleHandover(address(first));
        (,, bool settled) = minted.epochsOf(address(first));
        isTrue(settled, "settled");
        goTo(100_000);
        mintFails(first, 8, 11, 10);
        mint(first, 7);
        eq(minted.limitOf(address(first)), 10, "limit");
    }

    function test_settle__total_above_the_limit__limit_stays() public {
        first.say(LIMIT + 1, true);
        minted.settleHandover(address(first));
        eq(minted.limitOf(address(first)), LIMIT, "never more than before");
        mintAll(first, LIMIT);
    }

    function test_settle__total_below_what_was_minted__nothing_more() public {
        mint(first, 20);
        first.say(10, true);
        minted.settleHandover(address(first));
        mintFails(first, 1, 21, 10);
    }

    function test_settle__total_not_final__refused() public {
        first.say(10, false);
        settleFails(first, INetworkToken.NetworkToken_NotFinal.selector);
    }

    function test_settle__last_epoch_not_over__refused_whatever_the_minter_says() public {
        first.say(10, true);
        vm.warp(block.timestamp - 1);
        settleFails(first, INetworkToken.NetworkToken_NotFinal.selector);
        vm.warp(block.timestamp + 1);
        minted.settleHandover(address(first));
    }

    function test_settle__twice__refused() public {
        first.say(10, true);
        minted.settleHandover(address(first));
        first.say(20, true);
        settleFails(first, INetworkToken.NetworkToken_NothingToSettle.selector);
    }

    function test_settle__present_minter_or_nobody__refused() public {
        second.say(10, true);
        settleFails(second, INetworkToken.NetworkToken_NothingToSettle.selector);
        settleFails(third, INetworkToken.NetworkToken_NothingToSettle.selector);
    }

    function test_settle__minter_that_never_began__may_mint_nothing() public {
        minted.handOver(address(third), 4);
        goTo(6);
        second.say(0, true);
        first.say(0, true);
        minted.settleHandover(address(second));
        mintFails(second, 1, 1, 0);
    }
}

/// @title The network's own distributor, handed over from
contract HandedOverTest is Earnings {
    FreeMinter internal next;

    function setUp() public override {
        super.setUp();
        reported(0, 1e18, 2e18);
        next = new FreeMinter();
        token.handOver(address(next), 1);
    }

    function test_handed_over__distributor__knows_its_last_epoch() public view {
        eq(rewards.lastEpoch(), 1, "told");
        eq(rewards.emissionOf(2), 0, "no more");
    }

    function test_handed_over__report_of_an_old_epoch__earns_and_is_paid() public {
        drawn(1);
        vm.warp(startOf(2) + 300);
        post(1, 2e18, 2e18, 4e18);
        vm.warp(reportedAt(1) + CLAIM_DELAY);
        eq(claim(EARNER, 1, 2e18, 2e18), 2e18, "paid");
    }

    function test_handed_over__settled__old_claims_are_paid_without_term() public {
        reported(1, 2e18, 2e18);
        vm.expectRevert(
            abi.encodeWithSelector(INetworkToken.NetworkToken_NotFinal.selector, address(rewards))
        );
        token.settleHandover(address(rewards));
        vm.warp(startOf(1) + REPORT_BY + CLAIM_DELAY);
        token.settleHandover(address(rewards));
        eq(token.limitOf(address(rewards)), 4e18, "what was earned");
        uint64 e = 10 * oracle.ringSize();
        reported(e, 2e18, 2e18);
        vm.warp(reportedAt(e) + CLAIM_DELAY);
        claim(EARNER, e, 2e18, 2e18);
        claim(OTHER, e, 2e18, 2e18);
        eq(rewards.totalClaimed(), 4e18, "all of it");
    }

    function test_handed_over__settled__a_lying_quorum_of_the_old_network_gets_nothing_new() public {
        vm.warp(startOf(1) + REPORT_BY + CLAIM_DELAY);
        token.settleHandover(address(rewards));
        drawn(9);
        postFails(reportOf(9, 2e18, 2e18, 4e18), beyondEmission(4e18, 3e18));
        post(9, 50e18, 2e18, 3e18);
        vm.warp(reportedAt(9) + CLAIM_DELAY);
        claimFails(
            EARNER,
            9,
            50e18,
            2e18,
            abi.encodeWithSelector(
                IRewardsDistributor.RewardsDistributor_BeyondReport.selector, uint256(50e18), uint256(3e18)
            )
        );
    }

    function test_handed_over__distributor_with_all_claims_at_once__within_the_tokens_limit() public {
        reported(1, 100e18, 3e18);
        vm.warp(reportedAt(1) + CLAIM_DELAY);
        claim(EARNER, 1, 100e18, 3e18);
        claim(OTHER, 1, 100e18, 3e18);
        eq(token.limitOf(address(rewards)), 200e18, "two epochs' emission");
        eq(token.minted(), GENESIS_MINT + 103e18, "minted");
    }
}
