// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Checks} from "../base/Checks.sol";
import {MintHandler} from "./MintHandler.sol";

/// @title What holds of the token whatever its minters do
///
/// Each minter, present or past, has minted no more than the emission of its own epochs that have begun, summed one by one here and
/// by the curve there. All of them together, with what was allocated at the start, stay within the cap. There is one present minter.
contract MintingInvariants is Checks {
    MintHandler internal handler;

    function setUp() public {
        handler = new MintHandler();
        handler.setUp();
    }

    struct Selectors {
        address addr;
        bytes4[] selectors;
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() public view returns (Selectors[] memory list) {
        bytes4[] memory s = new bytes4[](4);
        (s[0], s[1], s[2], s[3]) = (
            handler.wait.selector,
            handler.mintSome.selector,
            handler.handOverSome.selector,
            handler.settleSome.selector
        );
        list = new Selectors[](1);
        list[0] = Selectors(address(handler), s);
    }

    function invariant_no_minter_beyond_the_emission_of_its_epochs() public view {
        handler.checkEach();
    }

    function invariant_all_together_within_the_cap() public view {
        handler.checkAll();
    }
}
