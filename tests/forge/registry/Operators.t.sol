// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {OperatorScopes} from "contracts/libraries/OperatorScopes.sol";

import {Market} from "../base/Market.sol";

/// @title DeviceRegistry.setOperator, setPayout, and setEndpoint by whom it may be called
contract Operators is Market {
    address internal constant OPERATOR = address(0x09e4a704);
    bytes32 internal device;

    function setUp() public {
        deployNetwork();
        device = enrol(0, 1);
    }

    function appoint(uint8 scopes, uint40 until) internal {
        vm.prank(provider);
        registry.setOperator(OPERATOR, scopes, until);
    }

    function test_set_operator__appoints_at_once_and_to_the_last_second() public {
        uint40 until = uint40(block.timestamp) + 100;
        vm.expectEmit();
        emit IDeviceRegistry.OperatorSet(provider, OPERATOR, 5, until);
        appoint(5, until);
        IDeviceRegistry.Operator memory o = registry.operatorOf(provider, OPERATOR);
        eq(o.scopes, 5, "scopes");
        eq(o.until, until, "until");
        isTrue(registry.mayAct(provider, OPERATOR, 5), "at once");
        vm.warp(until);
        isTrue(registry.mayAct(provider, OPERATOR, 5), "in the last second");
        vm.warp(until + 1);
        isTrue(!registry.mayAct(provider, OPERATOR, 5), "and no longer");
    }

    function test_may_act__needs_every_scope_that_is_asked(uint8 has, uint8 asked) public {
        has = has % 32;
        asked = asked % 32;
        appoint(has, uint40(block.timestamp));
        isTrue(
            registry.mayAct(provider, OPERATOR, asked) == (asked != 0 && (has & asked) == asked), "as the scopes say"
        );
    }

    function test_may_act__for_another_provider_or_by_another_key__is_never() public {
        appoint(OperatorScopes.ALL, uint40(block.timestamp));
        isTrue(!registry.mayAct(renter, OPERATOR, 1), "another provider");
        isTrue(!registry.mayAct(provider, address(this), 1), "another key");
        isTrue(!registry.mayAct(provider, provider, 1), "a provider is no operator of its own");
    }

    function test_set_operator__without_scopes__revokes_at_once() public {
        appoint(OperatorScopes.ALL, type(uint40).max);
        vm.expectEmit();
        emit IDeviceRegistry.OperatorSet(provider, OPERATOR, 0, 0);
        appoint(0, type(uint40).max);
        isTrue(!registry.mayAct(provider, OPERATOR, 1), "revoked");
        eq(registry.operatorOf(provider, OPERATOR).until, 0, "nothing left of it");
    }

    function test_set_operator__again__replaces_what_there_was() public {
        appoint(OperatorScopes.OFFER | OperatorScopes.START, type(uint40).max);
        appoint(OperatorScopes.END, uint40(block.timestamp));
        isTrue(!registry.mayAct(provider, OPERATOR, OperatorScopes.OFFER), "no longer");
        isTrue(registry.mayAct(provider, OPERATOR, OperatorScopes.END), "but");
    }

    function test_set_operator__nobody_or_the_provider_itself__reverts() public {
        vm.startPrank(provider);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_BadOperator.selector, address(0)));
        registry.setOperator(address(0), 1, type(uint40).max);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_BadOperator.selector, provider));
        registry.setOperator(provider, 1, type(uint40).max);
    }

    function test_set_operator__scopes_that_do_not_exist__reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_BadScopes.selector, 32, 31));
        appoint(32, type(uint40).max);
    }

    function test_set_operator__until_a_second_ago__reverts() public {
        uint40 past = uint40(block.timestamp) - 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                IDeviceRegistry.DeviceRegistry_OperatorExpired.selector, OPERATOR, past, block.timestamp
            )
        );
        appoint(1, past);
    }

    /// @dev An operator's key that is stolen can neither appoint others nor send the money elsewhere: it can only do so for
    /// itself, whose operator and payout nobody asks for.
    function test_an_operator__appoints_nobody_and_names_no_payout() public {
        appoint(OperatorScopes.ALL, type(uint40).max);
        vm.startPrank(OPERATOR);
        registry.setOperator(address(0xbad), OperatorScopes.ALL, type(uint40).max);
        registry.setPayout(address(0xbad));
        vm.expectRevert(
            abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_NotProvider.selector, device, OPERATOR)
        );
        registry.retire(device);
        vm.stopPrank();
        isTrue(!registry.mayAct(provider, address(0xbad), 1), "no operator of the provider");
        eq(registry.payoutOf(provider), provider, "nor its payout");
    }

    function test_payout__is_the_provider_until_it_names_another_and_again_when_it_names_none() public {
        eq(registry.payoutOf(provider), provider, "itself");
        vm.expectEmit();
        emit IDeviceRegistry.PayoutSet(provider, address(0x9a1));
        vm.prank(provider);
        registry.setPayout(address(0x9a1));
        eq(registry.payoutOf(provider), address(0x9a1), "as named");
        eq(registry.payoutOf(renter), renter, "nobody else's");
        vm.prank(provider);
        registry.setPayout(address(0));
        eq(registry.payoutOf(provider), provider, "itself again");
    }

    /// @dev What it may not touch is out of its operators' reach anyway; what was slashed stays slashed.
    function test_set_operator__of_a_provider_that_was_slashed__reaches_no_device_of_it() public {
        vm.prank(address(fraud));
        registry.markSlashed(device, 0);
        appoint(OperatorScopes.ALL, type(uint40).max);
        vm.prank(OPERATOR);
        vm.expectRevert(
            abi.encodeWithSelector(
                IDeviceRegistry.DeviceRegistry_NotActive.selector, device, IDeviceRegistry.Status.Slashed
            )
        );
        registry.setEndpoint(device, "https://again", 0);
    }

    function test_set_endpoint__by_the_provider__is_announced() public {
        vm.expectEmit();
        emit IDeviceRegistry.DeviceEndpoint(device, "https://new", keccak256("tls"));
        vm.prank(provider);
        registry.setEndpoint(device, "https://new", keccak256("tls"));
    }

    function test_set_endpoint__by_an_operator_with_that_scope__is_announced() public {
        appoint(OperatorScopes.ENDPOINT, type(uint40).max);
        vm.expectEmit();
        emit IDeviceRegistry.DeviceEndpoint(device, "https://new", 0);
        vm.prank(OPERATOR);
        registry.setEndpoint(device, "https://new", 0);
    }

    function notProvider(address who) internal view returns (bytes memory) {
        return abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_NotProvider.selector, device, who);
    }

    function test_set_endpoint__by_an_operator_without_that_scope__reverts() public {
        appoint(OperatorScopes.ALL ^ OperatorScopes.ENDPOINT, type(uint40).max);
        vm.prank(OPERATOR);
        vm.expectRevert(notProvider(OPERATOR));
        registry.setEndpoint(device, "https://new", 0);
    }

    function test_set_endpoint__by_an_operator_whose_time_is_over__reverts() public {
        appoint(OperatorScopes.ENDPOINT, uint40(block.timestamp));
        vm.warp(block.timestamp + 1);
        vm.prank(OPERATOR);
        vm.expectRevert(notProvider(OPERATOR));
        registry.setEndpoint(device, "https://new", 0);
    }

    function test_set_endpoint__by_a_stranger__reverts() public {
        vm.prank(renter);
        vm.expectRevert(notProvider(renter));
        registry.setEndpoint(device, "https://new", 0);
    }

    function test_set_endpoint__of_no_device__reverts() public {
        vm.expectRevert(
            abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_UnknownDevice.selector, keccak256("none"))
        );
        registry.setEndpoint(keccak256("none"), "", 0);
    }

    function test_set_endpoint__of_a_device_that_left__reverts() public {
        vm.startPrank(provider);
        registry.retire(device);
        vm.expectRevert(
            abi.encodeWithSelector(
                IDeviceRegistry.DeviceRegistry_NotActive.selector, device, IDeviceRegistry.Status.Retired
            )
        );
        registry.setEndpoint(device, "", 0);
    }
}
