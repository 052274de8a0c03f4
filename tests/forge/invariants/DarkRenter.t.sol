// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";

import {Checks} from "../base/Checks.sol";
import {DarkHandler} from "./DarkHandler.sol";

/// @title What a renter of a dark device loses, whatever the provider does
///
/// Bounded. It is never more than the downtime that is borne, at the lease's rate; with every epoch reported it is no more than a
/// fraction of a base unit an epoch, by which refunds are rounded down.
///
/// Fruitless. The provider earns no more than that either.
contract DarkRenter is Checks {
    struct Selectors {
        address addr;
        bytes4[] selectors;
    }

    DarkHandler internal handler;
    ILeaseEscrow internal escrow;

    function setUp() public {
        handler = new DarkHandler();
        handler.deploy();
        escrow = handler.parts();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() public view returns (Selectors[] memory list) {
        bytes4[] memory s = new bytes4[](4);
        (s[0], s[1], s[2], s[3]) =
            (handler.rent.selector, handler.pass.selector, handler.giveUp.selector, handler.scheme.selector);
        list = new Selectors[](1);
        list[0] = Selectors(address(handler), s);
    }

    /// @dev Before the end: what is the provider's of the stream is less than what may be borne.
    function invariant_a_dark_provider_claims_nothing() public view {
        uint256 id = handler.lease();
        if (id == 0) return;
        atMost(escrow.lease(id).claimed, handler.bound(), "at most what is borne");
    }

    function afterInvariant() public {
        handler.finish();
        if (handler.lease() == 0) return;
        uint256 lost = handler.paid() > handler.back() ? handler.paid() - handler.back() : 0;
        atMost(lost, handler.bound(), "at most what is borne");
        atMost(lost, 22, "less than a unit an epoch");
        atMost(escrow.lease(handler.lease()).claimed, 22, "and nobody earns more by it");
    }
}
