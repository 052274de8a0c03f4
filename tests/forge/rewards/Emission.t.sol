// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IRewardsDistributor} from "contracts/interfaces/IRewardsDistributor.sol";

import {Earnings} from "../base/Earnings.sol";

/// @title When emission begins, what it is, and when it is over for good
contract EmissionTest is Earnings {
    uint64 internal constant NEVER = type(uint64).max;

    function end(uint64 last) internal {
        vm.prank(address(token));
        rewards.endEmission(last);
    }

    function notToken() internal view returns (bytes memory) {
        return abi.encodeWithSelector(IRewardsDistributor.RewardsDistributor_NotToken.selector, address(this));
    }

    function alreadySet(uint64 epoch) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IRewardsDistributor.RewardsDistributor_AlreadySet.selector, epoch);
    }

    /// @dev A distributor that the token does not know, as a later version is before its handover.
    function another() internal returns (IRewardsDistributor) {
        IRewardsDistributor.Terms memory terms =
            IRewardsDistributor.Terms(8_000, 5e18, CLAIM_DELAY, LONG_CLAIM_DELAY);
        return IRewardsDistributor(
            this.deployed("RewardsDistributor", abi.encode(authority, token, oracle, delays, terms)
            )
        );
    }

    function test_emission__any_epoch__halves_by_era_and_is_shared(uint64 epoch) public view {
        epoch = uint64(within(epoch, 0, 70_000));
        (uint256 providers, uint256 validators, uint256 perCredit) = rewards.emission(epoch);
        uint256 expected = epoch / 1_000 >= 64 ? 0 : uint256(FIRST_EMISSION) >> (epoch / 1_000);
        eq(providers + validators, expected, "halved");
        eq(rewards.emissionOf(epoch), expected, "the whole");
        eq(providers, expected * 8_000 / 10_000, "the providers' share");
        eq(perCredit, 5e18, "cap per credit");
    }

    function test_emission__last_epoch_there_is__nothing() public view {
        (uint256 providers, uint256 validators,) = rewards.emission(type(uint64).max);
        eq(providers + validators, 0, "nothing");
    }

    function test_emission__first_distributor__from_epoch_0_without_end() public view {
        eq(rewards.firstEpoch(), 0, "first");
        eq(rewards.lastEpoch(), NEVER, "last");
    }

    function test_emission__distributor_not_named_by_the_token__none_until_it_begins() public {
        IRewardsDistributor later = another();
        eq(later.firstEpoch(), NEVER, "not begun");
        eq(later.emissionOf(0) + later.emissionOf(5), 0, "nothing");
        vm.prank(address(token));
        vm.expectEmit();
        emit IRewardsDistributor.EmissionBegun(5);
        later.beginEmission(5);
        eq(later.emissionOf(4), 0, "before");
        eq(later.emissionOf(5), FIRST_EMISSION, "from then on");
        (uint256 providers,,) = later.emission(4);
        eq(providers, 0, "no pool either");
    }

    function test_begin_emission__not_the_token__refused() public {
        vm.expectRevert(notToken());
        rewards.beginEmission(5);
    }

    function test_begin_emission__begun_already__refused() public {
        vm.prank(address(token));
        vm.expectRevert(alreadySet(0));
        rewards.beginEmission(5);
    }

    function test_end_emission__not_the_token__refused() public {
        vm.expectRevert(notToken());
        rewards.endEmission(5);
    }

    function test_end_emission__twice__refused() public {
        end(5);
        vm.prank(address(token));
        vm.expectRevert(alreadySet(5));
        rewards.endEmission(9);
    }

    function test_end_emission__an_epoch__the_last_with_emission() public {
        vm.prank(address(token));
        vm.expectEmit();
        emit IRewardsDistributor.EmissionEnded(5);
        rewards.endEmission(5);
        eq(rewards.lastEpoch(), 5, "last");
        eq(rewards.emissionOf(5), FIRST_EMISSION, "with");
        eq(rewards.emissionOf(6), 0, "without");
        (uint256 providers, uint256 validators,) = rewards.emission(6);
        eq(providers + validators, 0, "no pool");
    }

    function test_report__old_epoch_after_the_emission_has_ended__still_earns() public {
        drawn(0);
        end(0);
        openEpoch(1);
        post(0, 1e18, 2e18, 3e18);
        eq(countedTotal(), 3e18, "earned");
    }

    function test_report__later_epoch_after_the_emission_has_ended__no_rise() public {
        reported(0, 1e18, 2e18);
        end(0);
        drawn(1);
        postFails(reportOf(1, 1e18, 3e18, 4e18), beyondEmission(4e18, 3e18));
        post(1, 1e18, 2e18, 3e18);
    }

    function finalIs(uint256 expected, bool isFinal) internal view {
        (uint256 total, bool done) = rewards.finalTotal();
        eq(total, expected, "total");
        isTrue(done == isFinal, "final");
    }

    function test_final_total__emission_goes_on__not_final() public {
        reported(0, 1e18, 2e18);
        finalIs(3e18, false);
        vm.warp(startOf(100));
        finalIs(3e18, false);
    }

    function test_final_total__reports_can_come_or_be_vetoed__not_final_to_the_second() public {
        reported(0, 1e18, 2e18);
        end(1);
        drawn(1);
        vm.warp(startOf(1) + REPORT_BY);
        finalIs(3e18, false);
        post(1, 2e18, 2e18, 4e18);
        vm.warp(startOf(1) + REPORT_BY + CLAIM_DELAY - 1);
        finalIs(4e18, false);
        vm.warp(startOf(1) + REPORT_BY + CLAIM_DELAY);
        finalIs(4e18, true);
    }

    function test_final_total__guardian_suspended__not_final_until_the_long_delay_is_over() public {
        for (uint64 e = 0; e < 3; ++e) {
            reported(e, 1e18, 2e18);
            veto(e);
        }
        end(3);
        uint256 last = startOf(3) + REPORT_BY;
        isTrue(last < rewards.guardianSuspendedUntil(), "within the suspension");
        vm.warp(last + LONG_CLAIM_DELAY - 1);
        finalIs(0, false);
        vm.warp(last + LONG_CLAIM_DELAY);
        finalIs(0, true);
    }

    function test_final_total__later_reports_and_vetoes_of_them__change_nothing() public {
        reported(0, 1e18, 2e18);
        end(0);
        vm.warp(startOf(3));
        finalIs(3e18, true);
        reported(4, 1e18, 2e18);
        finalIs(3e18, true);
        veto(4);
        finalIs(3e18, true);
        uint64 e = oracle.ringSize() + 4;
        reported(e, 1e18, 2e18);
        veto(e);
        finalIs(3e18, true);
    }

    function test_claim__long_after_the_emission_has_ended__paid_against_a_later_report() public {
        reported(0, 1e18, 2e18);
        end(0);
        uint64 e = 5 * oracle.ringSize();
        reported(e, 1e18, 2e18);
        vm.warp(reportedAt(e) + CLAIM_DELAY);
        eq(claim(EARNER, e, 1e18, 2e18), 1e18, "paid");
    }

    function badTerms(
        IRewardsDistributor.Terms memory terms,
        string memory what,
        uint256 value,
        uint256 bound
    ) internal {
        deployFails(address(oracle), terms, what, value, bound);
    }

    function deployFails(
        address oracle_,
        IRewardsDistributor.Terms memory terms,
        string memory what,
        uint256 value,
        uint256 bound
    ) internal {
        vm.expectRevert(
            abi.encodeWithSelector(IRewardsDistributor.RewardsDistributor_BadBound.selector, what, value, bound)
        );
        this.deployed("RewardsDistributor", abi.encode(authority, token, oracle_, delays, terms));
    }

    function test_constructor__share_of_more_than_all__refused() public {
        badTerms(
            IRewardsDistributor.Terms(10_001, 5e18, CLAIM_DELAY, LONG_CLAIM_DELAY), "providerBps", 10_001, 10_000
        );
    }

    function test_constructor__claim_delay_of_nothing_or_as_long_as_the_long_one__refused() public {
        badTerms(
            IRewardsDistributor.Terms(8_000, 5e18, 0, LONG_CLAIM_DELAY), "claimDelay", 0, LONG_CLAIM_DELAY
        );
        badTerms(
            IRewardsDistributor.Terms(8_000, 5e18, LONG_CLAIM_DELAY, LONG_CLAIM_DELAY),
            "claimDelay",
            LONG_CLAIM_DELAY,
            LONG_CLAIM_DELAY
        );
    }

    function test_constructor__long_claim_delay_within_the_timelocks_longest__refused() public {
        badTerms(
            IRewardsDistributor.Terms(8_000, 5e18, CLAIM_DELAY, LONGEST_DELAY),
            "longClaimDelay",
            LONGEST_DELAY,
            LONGEST_DELAY
        );
    }

    function test_constructor__long_claim_delay_beyond_the_ring__refused() public {
        uint40 most = PROOF_WINDOW - REPORT_BY;
        badTerms(
            IRewardsDistributor.Terms(8_000, 5e18, CLAIM_DELAY, most + 1), "longClaimDelay", most + 1, PROOF_WINDOW
        );
        badTerms(
            IRewardsDistributor.Terms(8_000, 5e18, CLAIM_DELAY, type(uint40).max),
            "longClaimDelay",
            type(uint40).max,
            PROOF_WINDOW
        );
        IRewardsDistributor.Terms memory terms = IRewardsDistributor.Terms(8_000, 5e18, CLAIM_DELAY, most);
        this.deployed("RewardsDistributor", abi.encode(authority, token, oracle, delays, terms));
    }

    function test_constructor__oracle_with_another_clock_than_the_token__refused() public {
        IRewardsDistributor.Terms memory terms =
            IRewardsDistributor.Terms(8_000, 5e18, CLAIM_DELAY, LONG_CLAIM_DELAY);
        IEpochOracle.Timing memory t = timing();
        t.genesis += 1;
        deployFails(oracleWith(t), terms, "genesis", genesis + 1, genesis);
        t = timing();
        t.epochLength += 1;
        deployFails(oracleWith(t), terms, "epochLength", EPOCH + 1, EPOCH);
    }

    function oracleWith(IEpochOracle.Timing memory t) internal returns (address) {
        return this.deployed("EpochOracle", abi.encode(seats, rewards, t));
    }
}
