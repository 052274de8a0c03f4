// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IFormerEscrow} from "contracts/interfaces/IFormerEscrow.sol";

import {Token} from "../base/Extras.sol";
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
        runEpoch(0, noLeaves(), one(passedLeaf(0, device)), 700);
        approveBoth(usd, 1e30);
    }

    /// @dev Puts a wallet that `key` owns where an account stands, with whatever the account has.
    function becomesWallet(address account, uint256 key) internal {
        wallet = new Wallet(vm.addr(key));
        vm.etch(account, address(wallet).code);
        vm.store(account, 0, bytes32(uint256(uint160(vm.addr(key)))));
    }

    function offerSignedBy(uint256 key) internal view returns (IFormerEscrow.Offer memory offer, bytes memory) {
        offer = offerOf(device, address(usd), 1e18);
        return (offer, signed(key, digestIn(address(escrow), abi.encode(OFFER_TYPE, offer))));
    }

    function test_a_provider_that_is_a_contract__offers_by_its_own_rules() public {
        becomesWallet(provider, 0x0e4);
        (IFormerEscrow.Offer memory offer, bytes memory signature) = offerSignedBy(0x0e4);
        vm.prank(renter);
        eq(escrow.open(offer, signature, 1_000, passedLeaf(0, device), new bytes32[](0), 0), 1, "opened");
        (offer, signature) = offerSignedBy(0xbad);
        vm.prank(renter);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_BadSignature.selector);
        escrow.open(offer, signature, 1_000, passedLeaf(0, device), new bytes32[](0), 0);
    }

    function test_an_account_with_code__still_signs_with_its_own_key() public {
        becomesWallet(provider, 0x0e4);
        (IFormerEscrow.Offer memory offer, bytes memory signature) = offerSignedBy(PROVIDER_KEY);
        vm.prank(renter);
        eq(escrow.open(offer, signature, 1_000, passedLeaf(0, device), new bytes32[](0), 0), 1, "opened");
    }

    function test_a_renter_that_is_a_contract__starts_by_its_own_rules() public {
        uint256 id = openLease(offerOf(device, address(usd), 1e18), 0, 1_000);
        becomesWallet(renter, 0x0e4);
        uint40 until = uint40(block.timestamp) + 100;
        bytes memory encoded = abi.encode(
            keccak256("LeaseStart(uint256 leaseId,bytes32 resultRoot,uint40 validUntil)"), id, keccak256("r"), until
        );
        bytes memory forged = signed(0xbad, digestIn(address(escrow), encoded));
        bytes memory signature = signed(0x0e4, digestIn(address(escrow), encoded));
        vm.startPrank(provider);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_BadSignature.selector);
        escrow.start(id, keccak256("r"), until, forged);
        escrow.start(id, keccak256("r"), until, signature);
        vm.stopPrank();
        eq(uint256(escrow.lease(id).status), uint256(IFormerEscrow.Status.Active), "started");
    }

    function test_a_contract_that_answers_badly_or_not_at_all__has_signed_nothing() public {
        bytes[4] memory codes = [
            bytes(hex"60006000fd"), // reverts
            bytes(hex"00"), // returns nothing
            bytes(hex"630badbeef60e01b60005260206000f3"), // another magic value
            bytes(hex"631626ba7e60e01b60005260046000f3") // four bytes of the right one
        ];
        (IFormerEscrow.Offer memory offer, bytes memory signature) = offerSignedBy(0xbad);
        for (uint256 i = 0; i < codes.length; ++i) {
            vm.etch(provider, codes[i]);
            vm.prank(renter);
            vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_BadSignature.selector);
            escrow.open(offer, signature, 1_000, passedLeaf(0, device), new bytes32[](0), 0);
        }
    }

    function test_a_permit_of_another_amount_or_none__opens_nothing() public {
        vm.prank(renter);
        usd.approve(address(escrow), 0);
        IFormerEscrow.Offer memory offer = offerOf(device, address(usd), 1e18);
        bytes memory signature = signOffer(offer);
        IFormerEscrow.Permit memory none = IFormerEscrow.Permit(block.timestamp + 100, 27, bytes32(0), bytes32(0));
        vm.prank(renter);
        vm.expectRevert();
        escrow.openWithPermit(offer, signature, 1_000, passedLeaf(0, device), new bytes32[](0), 0, none);
        offer.token = address(0xbad);
        vm.prank(renter);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_TokenNotAllowed.selector);
        escrow.openWithPermit(offer, signature, 1_000, passedLeaf(0, device), new bytes32[](0), 0, none);
        eq(Token(usd).balanceOf(address(escrow)), 0, "nothing taken");
    }
}
