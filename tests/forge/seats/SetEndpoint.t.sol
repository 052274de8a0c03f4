// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {SeatCourse} from "../base/SeatCourse.sol";

/// @title ValidatorSet.setEndpoint and join: what they take for an endpoint
contract SeatEndpoints is SeatCourse {
    bytes4 private immutable NOT_VISIBLE = IValidatorSet.ValidatorSet_EndpointNotVisible.selector;

    function refuses(bytes memory endpoint) internal {
        vm.expectRevert(NOT_VISIBLE);
        vm.prank(seatAccount(0));
        seats.setEndpoint(string(endpoint), 0);
    }

    function test_set_endpoint__of_a_seat__announced() public {
        joinSeats(1);
        vm.expectEmit();
        emit IValidatorSet.SeatEndpoint(seatAccount(0), "https://moved", keccak256("tls2"));
        vm.prank(seatAccount(0));
        seats.setEndpoint("https://moved", keccak256("tls2"));
    }

    function test_set_endpoint__of_nobody__refused() public {
        vm.expectRevert(abi.encodeWithSelector(IValidatorSet.ValidatorSet_NotSeated.selector, address(this)));
        seats.setEndpoint("https://stranger", 0);
    }

    function test_set_endpoint__not_utf8_not_ascii_or_not_visible__reverts() public {
        joinSeats(1);
        refuses("http://caf\xe9");
        refuses(unicode"http://exa℀mple.org");
        refuses("https://two words");
        refuses("\x1b[2Jhttps://screen");
        refuses("https://del\x7f");
    }

    function test_join__with_an_endpoint_that_is_not_visible__reverts() public {
        stakeFor(seatAccount(0), SEAT_STAKE);
        bytes memory signature = seatSignature(0, seatAccount(0));
        bytes memory odd = "http://caf\xe9";
        vm.prank(seatAccount(0));
        vm.expectRevert(NOT_VISIBLE);
        seats.join(seatSigner(0), string(odd), 0, signature);
    }
}
