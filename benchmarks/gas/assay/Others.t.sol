// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";

import {Market} from "../../../tests/forge/base/Market.sol";
import {Measured} from "../Measured.sol";

/// @title Gas of reward claims, stake, devices and seats
contract OtherGas is Market, Measured {
    function setUp() public {
        deployNetwork();
        joinSeats(4);
        enrol(0, 2);
        openEpoch(0);
    }

    function siblings(uint256 depth, string memory what) internal pure returns (bytes32[] memory path) {
        path = new bytes32[](depth);
        for (uint256 d = 0; d < depth; ++d) path[d] = keccak256(abi.encode(what, d));
    }

    function sortedOver(bytes32 node, bytes32[] memory path) internal pure returns (bytes32) {
        for (uint256 d = 0; d < path.length; ++d) {
            node = node < path[d]
                ? keccak256(abi.encodePacked(node, path[d]))
                : keccak256(abi.encodePacked(path[d], node));
        }
        return node;
    }

    function reportReward(uint64 e, uint256 cumulative) internal {
        if (e != 0) openEpoch(e);
        sealEpoch(e, 0, 0);
        drawEpoch(e);
        IEpochOracle.Report memory r = plainReport(e);
        r.rewardsTotal = cumulative;
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(renter, cumulative))));
        r.rewardsRoot = sortedOver(leaf, siblings(20, "reward"));
        postReport(r);
        vm.warp(block.timestamp + CLAIM_DELAY);
    }

    function test_gas_of_reward_claims() public {
        address another = address(0xa0);
        token.transfer(another, 1);
        reportReward(0, 1e18);
        vm.prank(renter);
        rewards.claim(0, 1e18, siblings(20, "reward"), renter);
        note("Assay", "reward claim, first ever");
        reportReward(1, 2e18);
        vm.prank(renter);
        rewards.claim(1, 2e18, siblings(20, "reward"), renter);
        note("Assay", "reward claim");
    }

    function test_gas_of_stake_devices_and_seats() public {
        address who = seatAccount(9);
        token.transfer(who, 3 * SEAT_STAKE);
        vm.prank(who);
        token.approve(address(stake), type(uint256).max);
        vm.prank(who);
        stake.deposit(who, SEAT_STAKE);
        note("Assay", "deposit, first");
        vm.prank(who);
        stake.deposit(who, SEAT_STAKE);
        note("Assay", "deposit");
        bytes memory signature = seatSignature(9, who);
        vm.prank(who);
        seats.join(seatSigner(9), "https://seat.example", keccak256("tls"), signature);
        note("Assay", "join");
        vm.prank(who);
        stake.requestWithdrawal(SEAT_STAKE);
        note("Assay", "requestWithdrawal");
        vm.warp(block.timestamp + UNBONDING);
        vm.prank(who);
        stake.withdraw(who);
        note("Assay", "withdraw stake");
        stakeFor(provider, DEVICE_STAKE);
        address key = vm.addr(DEVICE_KEY + 7);
        bytes memory encoded = abi.encode(
            keccak256("Enrol(address provider,uint32 profile,bytes32 specHash,uint64 nonce)"),
            provider,
            uint32(2),
            bytes32(uint256(7)),
            uint64(0)
        );
        signature = signed(DEVICE_KEY + 7, digestIn(address(registry), encoded));
        vm.prank(provider);
        registry.enrol(key, 2, bytes32(uint256(7)), "https://device.example", keccak256("tls"), signature);
        note("Assay", "enrol");
        vm.prank(provider);
        registry.setOperator(who, 31, type(uint40).max);
        note("Assay", "setOperator");
        vm.prank(who);
        token.transfer(provider, 1e18);
        note("Assay", "token transfer");
    }
}
