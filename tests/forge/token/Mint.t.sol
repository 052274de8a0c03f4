// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {INetworkToken} from "contracts/interfaces/INetworkToken.sol";

import {Token} from "../base/Extras.sol";
import {Minters} from "./Minters.sol";

/// @title What a minter may mint, whatever it says
contract MintTest is Minters {
    function test_mint__no_minter__refused() public {
        vm.expectRevert(abi.encodeWithSelector(INetworkToken.NetworkToken_NotMinter.selector, address(this)));
        minted.mint(address(this), 1);
        eq(minted.limitOf(address(this)), 0, "no limit");
        (uint64 from, uint64 last, bool settled) = minted.epochsOf(address(this));
        isTrue(from == 0 && last == 0 && !settled, "no epochs");
    }

    function test_mint__before_the_first_epoch__nothing() public {
        vm.warp(genesis - 1);
        mintFails(first, 1, 1, 0);
        eq(minted.limitOf(address(first)), 0, "limit");
    }

    function test_mint__epoch_by_epoch__emission_so_far_by_the_tokens_clock() public {
        uint256 limit;
        for (uint64 e = 0; e < 10; ++e) {
            goTo(e);
            limit += uint256(INITIAL) >> (e / ERA);
            mintAll(first, limit);
        }
        vm.warp(block.timestamp + EPOCH - 1);
        mintFails(first, 1, limit + 1, limit);
        eq(minted.mintedBy(address(first)), limit, "by it");
        eq(minted.minted(), ALLOCATED + limit, "in all");
        eq(Token(address(minted)).balanceOf(address(0xb0b)), limit, "to whom it said");
    }

    function test_mint__long_after_the_last_era__all_there_is_and_no_more() public {
        goTo(100_000);
        uint256 whole = minted.limitOf(address(first));
        mintAll(first, whole);
        atMost(minted.minted(), minted.cap(), "within the cap");
        goTo(type(uint32).max);
        eq(minted.limitOf(address(first)), whole, "no more, ever");
    }

    function test_mint__as_much_as_numbers_go__refused_by_name() public {
        mint(first, 1);
        mintFails(first, type(uint256).max, type(uint256).max, INITIAL);
    }

    function test_mint__burned_tokens__make_no_room() public {
        mint(first, INITIAL);
        vm.prank(address(0xb0b));
        (bool ok,) = address(minted).call(abi.encodeWithSignature("burn(uint256)", uint256(INITIAL)));
        isTrue(ok, "burned");
        mintFails(first, 1, uint256(INITIAL) + 1, INITIAL);
        eq(minted.minted(), ALLOCATED + INITIAL, "still counted");
    }
}
