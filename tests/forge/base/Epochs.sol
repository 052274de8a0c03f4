// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";

import {Network} from "./Network.sol";
import {Trees} from "./Trees.sol";

/// @title Seats, and epochs run by them
abstract contract Epochs is Network {
    uint256 internal constant SEAT_KEY = 0x5ea70000;
    bytes32 internal constant SEAL_TYPE = keccak256(
        "Seal(uint64 epoch,uint32 setId,uint32 round,bytes32 epochSeed,bytes32 sealRoot,uint32 count)"
    );
    bytes32 internal constant REPORT_TYPE = keccak256(
        "EpochReport(uint64 epoch,uint32 setId,uint32 round,bytes32 rho,bytes32 devicesRoot,bytes32 rewardsRoot,uint256 rewardsTotal,bytes32 dataHash)"
    );
    bytes32 internal constant SEAT_TYPE = keccak256("Seat(address account,address signer,uint64 nonce)");

    function seatAccount(uint256 i) internal pure returns (address) {
        return vm.addr(SEAT_KEY + 1_000 + i);
    }

    function seatSigner(uint256 i) internal pure returns (address) {
        return vm.addr(SEAT_KEY + i);
    }

    function joinSeats(uint256 n) internal {
        for (uint256 i = 0; i < n; ++i) join(i, SEAT_STAKE);
    }

    /// @dev Account and signer key of seat i, with `deposit` of stake put down first.
    function join(uint256 i, uint128 deposit) internal {
        address account = seatAccount(i);
        stakeFor(account, deposit);
        bytes memory signature = seatSignature(i, account);
        vm.prank(account);
        seats.join(seatSigner(i), "https://seat", bytes32(i), signature);
    }

    function seatSignature(uint256 i, address account) internal view returns (bytes memory) {
        bytes memory encoded = abi.encode(SEAT_TYPE, account, seatSigner(i), seats.seatNonce(account));
        return signed(SEAT_KEY + i, digestIn(address(seats), encoded));
    }

    function stakeFor(address account, uint128 amount) internal {
        token.approve(address(stake), amount);
        stake.deposit(account, amount);
    }

    function startOf(uint64 epoch) internal view returns (uint256) {
        return uint256(genesis) + uint256(epoch) * EPOCH;
    }

    function openEpoch(uint64 epoch) internal {
        vm.warp(startOf(epoch) + 1);
        vm.roll(block.number + 1);
        oracle.openEpoch(epoch);
    }

    function quorumOf(uint256 n) internal pure returns (uint256) {
        return (2 * n) / 3 + 1;
    }

    /// @dev The first `n` seats sign.
    function quorumOver(bytes32 digest, uint256 n) internal pure returns (IEpochOracle.Quorum memory) {
        return quorumOf(digest, (uint256(1) << n) - 1);
    }

    function quorumOf(bytes32 digest, uint256 mask) internal pure returns (IEpochOracle.Quorum memory q) {
        q.signers = uint32(mask);
        for (uint256 i = 0; i < 32; ++i) {
            if ((mask >> i) & 1 == 1) q.signatures = bytes.concat(q.signatures, signed(SEAT_KEY + i, digest));
        }
    }

    function sealDigest(uint64 epoch, uint32 round, bytes32 root, uint32 count) internal view returns (bytes32) {
        IEpochOracle.EpochState memory s = oracle.epochState(epoch);
        return digestIn(address(oracle), abi.encode(SEAL_TYPE, epoch, s.setId, round, s.epochSeed, root, count));
    }

    function reportDigest(IEpochOracle.Report memory r) internal view returns (bytes32) {
        IEpochOracle.EpochState memory s = oracle.epochState(r.epoch);
        return digestIn(
            address(oracle),
            abi.encode(
                REPORT_TYPE,
                r.epoch,
                s.setId,
                r.round,
                s.rho,
                r.devicesRoot,
                r.rewardsRoot,
                r.rewardsTotal,
                r.dataHash
            )
        );
    }

    function sealEpoch(uint64 epoch, bytes32 root, uint32 count) internal {
        vm.warp(startOf(epoch) + 400);
        uint256 n = oracle.epochState(epoch).seats;
        oracle.seal(epoch, 0, root, count, quorumOver(sealDigest(epoch, 0, root, count), quorumOf(n)));
    }

    function drawEpoch(uint64 epoch) internal returns (bytes32) {
        vm.roll(block.number + DRAW_DELAY + 1);
        vm.warp(startOf(epoch) + 600);
        return oracle.draw(epoch);
    }

    function plainReport(uint64 epoch) internal view returns (IEpochOracle.Report memory r) {
        (uint128 total,,) = oracle.lastReport();
        r = IEpochOracle.Report(epoch, 0, keccak256("devices"), keccak256("rewards"), total, keccak256("data"));
    }

    function postReport(IEpochOracle.Report memory r) internal {
        uint256 n = oracle.epochState(r.epoch).seats;
        oracle.report(r, quorumOver(reportDigest(r), quorumOf(n)));
    }

    /// @dev A whole epoch whose report has `devices` and `rewardLeaves`, posted `at` seconds into the epoch.
    function runEpoch(
        uint64 epoch,
        bytes32[] memory sealLeaves,
        IEpochOracle.DeviceLeaf[] memory devices,
        uint256 at
    ) internal {
        openEpoch(epoch);
        sealEpoch(epoch, sealLeaves.length == 0 ? bytes32(0) : Trees.root(sealLeaves), uint32(sealLeaves.length));
        drawEpoch(epoch);
        vm.warp(startOf(epoch) + at);
        IEpochOracle.Report memory r = plainReport(epoch);
        if (devices.length != 0) r.devicesRoot = Trees.sortedRoot(deviceLeaves(devices));
        postReport(r);
    }

    function deviceLeaves(IEpochOracle.DeviceLeaf[] memory devices) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](devices.length);
        for (uint256 i = 0; i < devices.length; ++i) leaves[i] = Trees.standardLeaf(abi.encode(devices[i]));
    }

    function noLeaves() internal pure returns (bytes32[] memory) { }

    function noDevices() internal pure returns (IEpochOracle.DeviceLeaf[] memory) { }
}
