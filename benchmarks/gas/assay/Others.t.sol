// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";

import {Accused} from "../../../tests/forge/base/Accused.sol";
import {Measured} from "../Measured.sol";

/// @title Gas of proofs, reward claims, stake, devices and seats
contract OtherGas is Accused, Measured {
    function setUp() public {
        deployNetwork();
        joinSeats(4);
        deviceIds.push(enrol(0, 2));
        deviceIds.push(enrol(1, 3));
        openEpoch(0);
    }

    function siblings(uint256 depth, string memory what) internal pure returns (bytes32[] memory path) {
        path = new bytes32[](depth);
        for (uint256 d = 0; d < depth; ++d) path[d] = keccak256(abi.encode(what, d));
    }

    /// @dev Root over a leaf at position 0 with these siblings.
    function rootOver(bytes32 node, bytes32[] memory path) internal pure returns (bytes32) {
        for (uint256 d = 0; d < path.length; ++d) node = keccak256(abi.encodePacked(node, path[d]));
        return node;
    }

    function sortedOver(bytes32 node, bytes32[] memory path) internal pure returns (bytes32) {
        for (uint256 d = 0; d < path.length; ++d) {
            node = node < path[d]
                ? keccak256(abi.encodePacked(node, path[d]))
                : keccak256(abi.encodePacked(path[d], node));
        }
        return node;
    }

    function depthOf(uint256 leaves) internal pure returns (uint256 depth) {
        while ((uint256(1) << depth) < leaves) ++depth;
    }

    /// @dev A wrong element of a profile in its full shape: paths as long as they are there.
    function wrong(uint256 d, uint32 profileId) internal returns (bytes memory) {
        IDeviceRegistry.Profile memory p = registry.profile(profileId);
        IFraudProofs.Element memory e;
        e.chunk = new bytes(p.chunk * 4);
        for (uint256 at = 0; at < e.chunk.length; ++at) e.chunk[at] = bytes1(uint8(1 + at % 255));
        e.path = siblings(depthOf(uint256(p.M) * p.N / p.chunk), "chunk");
        IFraudProofs.Round memory r;
        r.seed = keccak256("seed");
        r.root = rootOver(keccak256(e.chunk), e.path);
        r.path = siblings(depthOf(p.T), "round");
        IFraudProofs.Commitment memory c;
        c.jobHash = registry.jobHash(profileId, oracle.epochSeed(0));
        c.deviceId = deviceIds[d];
        c.nonceRoot = NONCES;
        c.resultRoot = rootOver(keccak256(abi.encodePacked(uint256(0), r.seed, r.root)), r.path);
        sign(c);
        return wrongElement(c, r, e, keccak256("salt"));
    }

    function revealed(bytes memory a, string memory what) internal {
        vm.prank(ACCUSER);
        fraud.commit(commitHash(ACCUSER, a));
        note("Assay", string.concat("commit of a proof", what));
        vm.roll(block.number + 1);
        vm.prank(ACCUSER);
        (bool ok, bytes memory why) = address(fraud).call(a);
        note("Assay", string.concat("wrong element", what));
        isTrue(ok, string(why));
    }

    function test_gas_of_a_wrong_element() public {
        revealed(wrong(0, 2), ", K = 4,096");
        revealed(wrong(1, 3), ", K = 65,536");
    }

    function test_gas_of_two_commitments() public {
        IFraudProofs.Commitment memory c;
        c.jobHash = registry.jobHash(2, oracle.epochSeed(0));
        c.deviceId = deviceIds[0];
        c.nonceRoot = NONCES;
        c.resultRoot = keccak256("first");
        IFraudProofs.Commitment memory other = abi.decode(abi.encode(c), (IFraudProofs.Commitment));
        other.resultRoot = keccak256("second");
        sign(c);
        sign(other);
        bytes memory a = twoCommitments(c, other, keccak256("salt"));
        vm.prank(ACCUSER);
        fraud.commit(commitHash(ACCUSER, a));
        vm.roll(block.number + 1);
        vm.prank(ACCUSER);
        (bool ok,) = address(fraud).call(a);
        note("Assay", "two commitments");
        isTrue(ok, "convicted");
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
        vm.prank(who);
        token.transfer(provider, 1e18);
        note("Assay", "token transfer");
    }
}
