// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";

import {Steps} from "./Steps.sol";

contract DrawTest is Steps {
    uint256 internal sealedAt;

    function setUp() public override {
        super.setUp();
        reachSealed(0);
        sealedAt = block.number;
    }

    function test_draw__before_its_block_is_past__too_early() public {
        vm.roll(sealedAt + DRAW_DELAY);
        vm.expectRevert(
            abi.encodeWithSelector(
                IEpochOracle.EpochOracle_TooEarly.selector, uint64(0), sealedAt + DRAW_DELAY + 1, block.number
            )
        );
        oracle.draw(0);
    }

    function test_draw__whoever_and_whenever__the_same_as_specified() public {
        vm.roll(sealedAt + DRAW_DELAY + 1);
        uint256 state = vm.snapshotState();
        bytes32 here = oracle.draw(0);
        vm.revertToState(state);
        vm.roll(sealedAt + DRAW_DELAY + 40);
        vm.warp(block.timestamp + 20);
        bytes32 expected = keccak256(abi.encodePacked(blockhash(sealedAt + DRAW_DELAY), ROOT));
        vm.expectEmit();
        emit IEpochOracle.EpochDrawn(0, expected);
        vm.prank(address(0xca11));
        eq(oracle.draw(0), here, "the same");
        eq(here, expected, "as specified");
        (,,, bytes32 rho) = oracle.sealOf(0);
        eq(rho, here, "kept");
    }

    function test_draw__blockhash_gone__refused_with_its_block() public {
        vm.roll(block.number + 20_000);
        vm.expectRevert(
            abi.encodeWithSelector(
                IEpochOracle.EpochOracle_BlockhashGone.selector, uint64(0), sealedAt + DRAW_DELAY
            )
        );
        oracle.draw(0);
    }

    function test_draw__last_second_and_the_one_after__drawn_and_too_late() public {
        vm.roll(sealedAt + DRAW_DELAY + 1);
        vm.warp(startOf(0) + DRAW_BY + 1);
        vm.expectRevert(tooLate(0, startOf(0) + DRAW_BY));
        oracle.draw(0);
        vm.warp(startOf(0) + DRAW_BY);
        oracle.draw(0);
    }

    function test_draw__twice_or_before_a_seal__wrong_phase() public {
        drawEpoch(0);
        vm.expectRevert(wrongPhase(0, IEpochOracle.Phase.Drawn));
        oracle.draw(0);
        openEpoch(1);
        vm.expectRevert(wrongPhase(1, IEpochOracle.Phase.Open));
        oracle.draw(1);
        vm.expectRevert(wrongPhase(7, IEpochOracle.Phase.None));
        oracle.draw(7);
    }
}
