// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IRewardsDistributor} from "contracts/interfaces/IRewardsDistributor.sol";
import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {Market} from "../base/Market.sol";

/// @title The last second and the last unit; orders of events that are easy to forget
contract Boundaries is Market {
    function setUp() public {
        deployNetwork();
        joinSeats(4);
        runEpoch(0, noLeaves(), noDevices(), 700);
    }

    function test_a_schedule_of_many_eras__counts_them_all() public {
        bytes memory tooMuch =
            abi.encode(authority, token, oracle, uint128(1e24), uint32(1_000), uint16(8_000), uint128(5e18), CLAIM_DELAY);
        vm.expectPartialRevert(IRewardsDistributor.RewardsDistributor_BadBound.selector);
        vm.deployCode("RewardsDistributor.sol:RewardsDistributor", tooMuch);
        bytes memory fits =
            abi.encode(authority, token, oracle, uint128(2e23), uint32(1_000), uint16(8_000), uint128(5e18), CLAIM_DELAY);
        vm.deployCode("RewardsDistributor.sol:RewardsDistributor", fits);
    }

    /// @dev A signature whose s is above half the order, of a signer that was made to fit it.
    function test_a_high_s__of_a_signer_that_fits__reverts() public {
        openEpoch(1);
        bytes32 root = keccak256("s");
        bytes32 digest = sealDigest(1, 0, root, 1);
        bytes32 r = 0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798;
        uint256 half = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
        IEpochOracle.Quorum memory q = quorumOf(digest, 7);
        address blob = vm.computeCreateAddress(address(seats), oracle.epochState(1).setId);
        for (uint256 s = half; s < half + 2; ++s) {
            address fits = ecrecover(digest, 27, r, bytes32(s));
            isTrue(fits != address(0), "a signer");
            bytes memory seated = abi.encodePacked(hex"00", fits, seatSigner(1), seatSigner(2), seatSigner(3));
            for (uint256 i = 0; i < 4; ++i) seated = abi.encodePacked(seated, seatAccount(i));
            vm.etch(blob, seated);
            for (uint256 i = 0; i < 32; ++i) q.signatures[i] = r[i];
            for (uint256 i = 0; i < 32; ++i) q.signatures[32 + i] = bytes32(s)[i];
            uint256 state = vm.snapshotState();
            vm.warp(startOf(1) + 400);
            if (s > half) vm.expectPartialRevert(IEpochOracle.EpochOracle_BadSignature.selector);
            oracle.seal(1, 0, root, 1, q);
            vm.revertToState(state);
        }
    }

    /// @dev Joins, and leaves before the join has taken effect: in for one epoch, and then gone for good.
    function test_a_seat_that_leaves_before_it_sits__is_gone_in_the_end() public {
        join(7, SEAT_STAKE);
        vm.prank(seatAccount(7));
        seats.leave();
        eq(uint256(seats.member(seatAccount(7)).status), uint256(IValidatorSet.Status.Leaving), "leaving");
        openEpoch(2);
        eq(oracle.epochState(2).seats, 5, "in");
        eq(uint256(seats.member(seatAccount(7)).status), uint256(IValidatorSet.Status.Leaving), "still leaving");
        openEpoch(3);
        eq(oracle.epochState(3).seats, 4, "out");
        eq(uint256(seats.member(seatAccount(7)).status), uint256(IValidatorSet.Status.Left), "left");
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_NotSeated.selector);
        seats.evict(seatAccount(7));
    }
}
