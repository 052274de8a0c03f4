// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";

import {Market} from "../base/Market.sol";
import {Wallet} from "./Wallet.sol";

/// @title Providers and renters that are contracts (ERC-1271), and others who would sign for them
contract WalletThreats is Market {
    bytes32 internal device;
    Wallet internal wallet;

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        device = enrol(0, 1);
        measure(0, one(passedLeaf(0, device)), 700);
        approveBoth(usd, 1e30);
    }

    /// @dev Puts a wallet that `key` owns where an account stands, with whatever the account has.
    function becomesWallet(address account, uint256 key) internal {
        wallet = new Wallet(vm.addr(key));
        vm.etch(account, address(wallet).code);
        vm.store(account, 0, bytes32(uint256(uint160(vm.addr(key)))));
    }

    function opened(uint256 key) internal returns (uint256) {
        ILeaseEscrow.Offer memory offer = offerOf(device, address(usd), 1e18);
        bytes memory signature = signOffer(offer, key);
        IEpochOracle.DeviceLeaf[] memory leaves = passedLeaves(0, offer.deviceIds);
        vm.prank(renter);
        return escrow.open(offer, signature, 1_000, leaves, new bytes32[][](1), 0, 0);
    }

    function refused(uint256 key) internal {
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_BadSignature.selector, provider));
        opened(key);
    }

    function test_a_provider_that_is_a_contract__offers_by_its_own_rules() public {
        becomesWallet(provider, 0x0e4);
        eq(opened(0x0e4), 1, "opened");
        refused(0xbad);
    }

    function test_an_account_with_code__still_signs_with_its_own_key() public {
        becomesWallet(provider, 0x0e4);
        eq(opened(PROVIDER_KEY), 1, "opened");
    }

    function test_a_renter_that_is_a_contract__starts_by_its_own_rules() public {
        ILeaseEscrow.Offer memory offer = offerOf(device, address(usd), 1e18);
        uint256 id = openLease(offer, 0, 1_000);
        becomesWallet(renter, 0x0e4);
        uint40 until = uint40(block.timestamp) + 100;
        bytes memory encoded = abi.encode(START_TYPE, id, keccak256(offerEncoded(offer)), HANDOVER, until);
        bytes memory forged = signed(0xbad, digestIn(address(escrow), encoded));
        bytes memory signature = signed(0x0e4, digestIn(address(escrow), encoded));
        vm.startPrank(provider);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_BadSignature.selector, renter));
        escrow.start(id, offer, HANDOVER, until, forged);
        escrow.start(id, offer, HANDOVER, until, signature);
        vm.stopPrank();
        eq(uint256(escrow.lease(id).status), uint256(ILeaseEscrow.Status.Active), "started");
    }

    function test_a_contract_that_answers_badly_or_not_at_all__has_signed_nothing() public {
        bytes[4] memory codes = [
            bytes(hex"60006000fd"), // reverts
            bytes(hex"00"), // returns nothing
            bytes(hex"630badbeef60e01b60005260206000f3"), // another magic value
            bytes(hex"631626ba7e60e01b60005260046000f3") // four bytes of the right one
        ];
        for (uint256 i = 0; i < codes.length; ++i) {
            vm.etch(provider, codes[i]);
            refused(0xbad);
        }
    }
}
