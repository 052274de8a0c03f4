// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IStakeManager} from "contracts/interfaces/IStakeManager.sol";

import {Market} from "../base/Market.sol";

/// @title StakeManager.reserve and release
contract Reservations is Market {
    function setUp() public {
        deployNetwork();
        stakeFor(provider, 100);
    }

    function reserve(address by, uint128 amount) internal {
        vm.prank(by);
        stake.reserve(provider, amount);
    }

    function test_reserve__by_both_reservers__adds_up() public {
        reserve(address(registry), 60);
        reserve(address(seats), 40);
        eq(stake.account(provider).reserved, 100, "reserved");
        eq(stake.account(provider).active, 100, "active stays");
        eq(stake.freeStake(provider), 0, "free");
    }

    function test_reserve__of_one_unit_more_than_is_free__reverts() public {
        reserve(address(registry), 60);
        vm.expectRevert(
            abi.encodeWithSelector(IStakeManager.StakeManager_InsufficientStake.selector, provider, 40, 41)
        );
        reserve(address(seats), 41);
    }

    function test_reserve__by_anybody_else__reverts() public {
        address[4] memory callers = [provider, address(this), address(escrow), address(fraud)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeManager_NotReserver.selector, callers[i]));
            reserve(callers[i], 1);
        }
    }

    function test_release__of_what_is_reserved__makes_it_free() public {
        reserve(address(registry), 60);
        vm.prank(address(registry));
        stake.release(provider, 25);
        eq(stake.account(provider).reserved, 35, "reserved");
        eq(stake.freeStake(provider), 65, "free");
    }

    function test_release__of_one_unit_more_than_is_reserved__reverts() public {
        reserve(address(registry), 60);
        vm.prank(address(seats));
        vm.expectRevert(
            abi.encodeWithSelector(
                IStakeManager.StakeManager_OverRelease.selector, provider, uint128(60), uint128(61)
            )
        );
        stake.release(provider, 61);
    }

    function test_release__by_anybody_else__reverts() public {
        address[4] memory callers = [provider, address(this), address(escrow), address(fraud)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.prank(callers[i]);
            vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeManager_NotReserver.selector, callers[i]));
            stake.release(provider, 0);
        }
    }
}
