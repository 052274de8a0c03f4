// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {INetworkToken} from "contracts/interfaces/INetworkToken.sol";

import {FreeMinter, Minters} from "./Minters.sol";

contract HandOverTest is Minters {
    uint64 internal constant LATEST = 64 * uint64(ERA) - 1;

    function handOver(FreeMinter next, uint64 lastEpoch) internal {
        minted.handOver(address(next), lastEpoch);
    }

    function handOverFails(address next, uint64 lastEpoch, bytes memory why) internal {
        vm.expectRevert(why);
        minted.handOver(next, lastEpoch);
    }

    function outOfRange(uint64 lastEpoch, uint64 earliest) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(
            INetworkToken.NetworkToken_LastEpochOutOfRange.selector, lastEpoch, earliest, LATEST
        );
    }

    function epochsAre(FreeMinter minter, uint64 from, uint64 last) internal view {
        (uint64 first_, uint64 last_,) = minted.epochsOf(address(minter));
        isTrue(first_ == from && last_ == last, "epochs");
    }

    function test_hand_over__governance__both_are_told() public {
        goTo(2);
        vm.expectEmit();
        emit INetworkToken.MinterHandedOver(address(first), address(second), 3);
        handOver(second, 3);
        eq(minted.minter(), address(second), "named");
        eq(first.ended(), 3, "the one");
        eq(second.begun(), 4, "the other");
        epochsAre(first, 0, 3);
        epochsAre(second, 4, type(uint64).max);
    }

    function test_hand_over__anybody_else__unauthorized() public {
        address[3] memory others = [address(first), GUARDIAN, address(0x57a6e4)];
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSignature("AccessManagedUnauthorized(address)", others[i]));
            minted.handOver(address(second), 3);
        }
    }

    function test_hand_over__to_nobody_or_an_account_without_code__refused() public {
        handOverFails(address(0), 3, abi.encodeWithSelector(INetworkToken.NetworkToken_ZeroAddress.selector));
        handOverFails(
            address(0x57a6e4),
            3,
            abi.encodeWithSelector(INetworkToken.NetworkToken_NoContract.selector, address(0x57a6e4))
        );
    }

    function test_hand_over__to_a_minter_present_or_past__refused() public {
        handOverFails(address(first), 3, before(first));
        handOver(second, 3);
        handOverFails(address(first), 5, before(first));
        handOverFails(address(second), 5, before(second));
    }

    function test_hand_over__last_epoch_past_or_beyond_the_schedule__refused() public {
        goTo(2);
        handOverFails(address(second), 1, outOfRange(1, 2));
        handOverFails(address(second), LATEST + 1, outOfRange(LATEST + 1, 2));
        handOverFails(address(second), type(uint64).max, outOfRange(type(uint64).max, 2));
        uint256 state = vm.snapshotState();
        handOver(second, LATEST);
        vm.revertToState(state);
        handOver(second, 2);
    }

    function test_mint__next_minter_too_early__nothing() public {
        handOver(second, 3);
        goTo(4);
        vm.warp(block.timestamp - 1);
        mintFails(second, 1, 1, 0);
        goTo(4);
        mintAll(second, INITIAL / 2);
    }

    function test_mint__old_minter_before_its_last_epoch_is_over__as_before() public {
        handOver(second, 3);
        goTo(1);
        mintAll(first, 2 * uint256(INITIAL));
        goTo(3);
        mintAll(first, 4 * uint256(INITIAL));
    }

    function test_mint__old_minter_after_its_last_epoch__what_its_epochs_left_and_no_new_emission() public {
        handOver(second, 3);
        goTo(50);
        mintAll(first, 4 * uint256(INITIAL));
        mintFails(first, 1, 4 * uint256(INITIAL) + 1, 4 * uint256(INITIAL));
    }

    function test_mint__both_take_all_they_can__emission_of_all_epochs_once() public {
        handOver(second, 5);
        goTo(5);
        uint256 firstLimit = 4 * uint256(INITIAL) + 2 * (uint256(INITIAL) / 2);
        mintAll(first, firstLimit);
        goTo(1_000);
        uint256 secondLimit = minted.limitOf(address(second));
        mintAll(second, secondLimit);
        uint256 whole;
        for (uint64 e = 0; e <= LATEST; ++e) whole += minted.emissionAt(e);
        eq(firstLimit + secondLimit, whole, "the schedule's");
        eq(minted.minted(), ALLOCATED + whole, "in all");
    }

    function test_hand_over__next_has_not_begun__replaced_and_gets_nothing() public {
        handOver(second, 3);
        goTo(1);
        // Its epochs cannot be given to the first again, nor may they begin later than they were to.
        handOverFails(address(third), 2, outOfRange(2, 3));
        handOver(third, 3);
        epochsAre(second, 4, 3);
        epochsAre(third, 4, type(uint64).max);
        goTo(9);
        mintFails(second, 1, 1, 0);
        eq(minted.limitOf(address(first)), 4 * uint256(INITIAL), "as it was");
        isTrue(minted.limitOf(address(third)) != 0, "goes on");
    }

    function test_hand_over__a_second_time__three_follow_one_another() public {
        handOver(second, 3);
        goTo(6);
        handOver(third, 7);
        goTo(9);
        mintAll(first, 4 * uint256(INITIAL));
        mintAll(second, 4 * uint256(INITIAL / 2));
        mintAll(third, 2 * uint256(INITIAL / 4));
        eq(second.ended(), 7, "told");
        eq(third.begun(), 8, "told");
    }

    function before(FreeMinter minter) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(INetworkToken.NetworkToken_MinterBefore.selector, address(minter));
    }
}
