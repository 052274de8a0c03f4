// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";
import {ITreasury} from "contracts/interfaces/ITreasury.sol";

import {Lettings} from "../base/Lettings.sol";
import {WalletPermitToken} from "./OddTokens.sol";
import {Wallet} from "./Wallet.sol";

/// @title Opening with a permit for the deposit: of keys, of wallets, spent by others, forged
contract Permits is Lettings {
    bytes32 internal constant PERMIT_TYPE =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
    uint256 internal deadline;

    function setUp() public override {
        super.setUp();
        deadline = block.timestamp + 100;
        vm.prank(renter);
        usd.approve(address(escrow), 0);
    }

    function usdPermit(uint256 key, uint256 value) internal view returns (uint8, bytes32, bytes32) {
        bytes32 structHash =
            keccak256(abi.encode(PERMIT_TYPE, renter, escrow, value, usd.nonces(renter), deadline));
        return vm.sign(key, keccak256(abi.encodePacked(hex"1901", usd.DOMAIN_SEPARATOR(), structHash)));
    }

    function joined(uint8 v, bytes32 r, bytes32 s) internal pure returns (bytes memory) {
        return abi.encodePacked(r, s, v);
    }

    function tryWith(ILeaseEscrow.Offer memory offer, bytes memory permit) internal {
        bytes memory signature = signOffer(offer);
        IEpochOracle.DeviceLeaf[] memory leaves = passedLeaves(0, offer.deviceIds);
        bytes32[][] memory proofs = proofsOf(leaves);
        vm.prank(renter);
        escrow.openWithPermit(
            offer, signature, DEPOSIT, leaves, proofs, 0, 0, ILeaseEscrow.Permit(deadline, permit)
        );
    }

    function walletToken() internal returns (WalletPermitToken odd) {
        odd = new WalletPermitToken();
        escrow.listToken(address(odd), 1);
        odd.mint(renter, 1e15);
    }

    function test_open_with_permit__of_a_key__opens() public {
        (uint8 v, bytes32 r, bytes32 s) = usdPermit(RENTER_KEY, DEPOSIT);
        tryWith(plainOffer(), joined(v, r, s));
        eq(escrow.lease(1).deposit, DEPOSIT, "opened");
        eq(usd.allowance(renter, address(escrow)), 0, "spent");
    }

    function test_a_permit_spent_by_somebody_else__does_no_harm() public {
        (uint8 v, bytes32 r, bytes32 s) = usdPermit(RENTER_KEY, DEPOSIT);
        usd.permit(renter, address(escrow), DEPOSIT, deadline, v, r, s);
        tryWith(plainOffer(), joined(v, r, s));
        eq(escrow.lease(1).deposit, DEPOSIT, "opened all the same");
    }

    function test_open_with_permit__of_another_amount_or_key__opens_nothing() public {
        (uint8 v, bytes32 r, bytes32 s) = usdPermit(RENTER_KEY, DEPOSIT - 1);
        bytes4 why = bytes4(keccak256("ERC20InsufficientAllowance(address,uint256,uint256)"));
        vm.expectPartialRevert(why);
        tryWith(plainOffer(), joined(v, r, s));
        (v, r, s) = usdPermit(OPERATOR_KEY, DEPOSIT);
        vm.expectPartialRevert(why);
        tryWith(plainOffer(), joined(v, r, s));
        vm.expectPartialRevert(why);
        tryWith(plainOffer(), "");
        eq(usd.balanceOf(address(escrow)), 0, "nothing taken");
    }

    function test_open_with_permit__a_token_not_listed__reverts() public {
        ILeaseEscrow.Offer memory offer = offerOf(device, address(0xdead), RATE);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.LeaseEscrow_TokenNotAllowed.selector, address(0xdead)));
        tryWith(offer, new bytes(65));
    }

    /// @dev An account with code whose key is another's, at a token that knows wallets.
    function test_open_with_permit__of_a_wallet__opens_by_its_own_rules() public {
        WalletPermitToken odd = walletToken();
        vm.etch(renter, address(new Wallet(vm.addr(0x0e4))).code);
        vm.store(renter, 0, bytes32(uint256(uint160(vm.addr(0x0e4)))));
        bytes32 digest = odd.digestOf(renter, address(escrow), DEPOSIT, deadline);
        tryWith(offerOf(device, address(odd), RATE), signed(0x0e4, digest));
        eq(escrow.lease(1).deposit, DEPOSIT, "opened");
    }

    function test_open_with_permit__forged_for_a_wallet__opens_nothing() public {
        WalletPermitToken odd = walletToken();
        vm.etch(renter, address(new Wallet(vm.addr(0x0e4))).code);
        vm.store(renter, 0, bytes32(uint256(uint160(vm.addr(0x0e4)))));
        bytes32 digest = odd.digestOf(renter, address(escrow), DEPOSIT, deadline);
        ILeaseEscrow.Offer memory offer = offerOf(device, address(odd), RATE);
        bytes memory forged = signed(0xbad, digest);
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x11));
        tryWith(offer, forged);
    }

    /// @dev As an account under EIP-7702 does: it has code, and signs with its own key at a token that knows only keys.
    function test_open_with_permit__of_the_key_of_an_account_with_code__opens() public {
        vm.etch(renter, address(new Wallet(vm.addr(0x0e4))).code);
        (uint8 v, bytes32 r, bytes32 s) = usdPermit(RENTER_KEY, DEPOSIT);
        tryWith(plainOffer(), joined(v, r, s));
        eq(escrow.lease(1).deposit, DEPOSIT, "opened");
    }

    function test_open_with_permit__an_allowance_already_there__needs_none() public {
        vm.prank(renter);
        usd.approve(address(escrow), DEPOSIT);
        tryWith(plainOffer(), "");
        eq(escrow.lease(1).deposit, DEPOSIT, "opened");
    }

    function test_open_with_permit__while_entry_is_paused__reverts() public {
        vm.prank(GUARDIAN);
        escrow.pauseEntry(1 days);
        vm.expectRevert(abi.encodeWithSignature("EntryPausedUntil(uint40)", block.timestamp + 1 days));
        tryWith(plainOffer(), "");
    }
}
