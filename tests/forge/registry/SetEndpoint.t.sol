// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";

import {Market} from "../base/Market.sol";

/// @title DeviceRegistry.setEndpoint and what it takes for an endpoint
contract SetEndpoint is Market {
    bytes4 private immutable NOT_VISIBLE = IDeviceRegistry.DeviceRegistry_EndpointNotVisible.selector;
    bytes32 internal device;

    function setUp() public {
        deployNetwork();
        device = enrol(0, 1);
        vm.startPrank(provider);
    }

    function announce(bytes memory endpoint) internal {
        registry.setEndpoint(device, string(endpoint), 0);
    }

    function refuses(bytes memory endpoint) internal {
        vm.expectRevert(NOT_VISIBLE);
        announce(endpoint);
    }

    function test_set_endpoint__not_utf8__reverts() public {
        refuses("http://caf\xe9");
        refuses(hex"ff");
    }

    function test_set_endpoint__utf8_beyond_ascii__reverts() public {
        refuses(unicode"http://exa℀mple.org");
        refuses(unicode"https://データ.example");
    }

    function test_set_endpoint__blanks_and_control_characters__reverts() public {
        refuses("https://two words");
        refuses("https://line\n");
        refuses("\x1b[2Jhttps://screen");
        refuses("https://nul\x00");
        refuses("https://del\x7f");
    }

    function test_set_endpoint__every_byte_at_every_place_of_a_word__as_the_rule_has_it() public {
        for (uint256 value = 0; value < 256; ++value) {
            for (uint256 length = 1; length <= 65; length += 8) {
                bytes memory endpoint = filled(length);
                endpoint[(value * 7) % length] = bytes1(uint8(value));
                if (value < 0x21 || value > 0x7e) vm.expectRevert(NOT_VISIBLE);
                announce(endpoint);
            }
        }
    }

    function test_set_endpoint__any_bytes__as_a_plain_loop_says(bytes memory endpoint) public {
        if (endpoint.length > 256) assembly { mstore(endpoint, 256) }
        bool visible = true;
        for (uint256 i = 0; i < endpoint.length; ++i) {
            visible = visible && endpoint[i] >= 0x21 && endpoint[i] <= 0x7e;
        }
        if (!visible) vm.expectRevert(NOT_VISIBLE);
        announce(endpoint);
    }

    function test_set_endpoint__what_lies_behind_the_text__does_not_count() public {
        bytes memory call = abi.encodeCall(IDeviceRegistry.setEndpoint, (device, "https://d", 0));
        call[call.length - 1] = 0xe9; // in the padding of the string
        (bool taken, ) = address(registry).call(call);
        isTrue(taken, "the padding is no part of the text");
    }

    function test_set_endpoint__none_and_the_longest__are_taken() public {
        announce("");
        announce(filled(256));
    }

    function test_set_endpoint__of_one_byte_too_many__reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_EndpointTooLong.selector, 257, 256));
        announce(filled(257));
    }

    function filled(uint256 length) private pure returns (bytes memory endpoint) {
        endpoint = new bytes(length);
        for (uint256 i = 0; i < length; ++i) endpoint[i] = "x";
    }
}
