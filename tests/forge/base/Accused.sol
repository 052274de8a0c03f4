// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IFraudErrors} from "contracts/interfaces/IFraudErrors.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";
import {IStakeManager} from "contracts/interfaces/IStakeManager.sol";

import {Market} from "./Market.sol";
import {Prover} from "./Prover.sol";
import {Trees} from "./Trees.sol";

/// @title Two devices with sealed commitments in epoch 0, seats that observed them, and somebody who wants them slashed
abstract contract Accused is Market {
    bytes32 internal constant COMMITMENT_TYPE = keccak256(
        "Commitment(uint64 epoch,bytes32 jobHash,bytes32 deviceId,bytes32 nonceRoot,bytes32 resultRoot)"
    );
    bytes32 internal constant OBSERVATIONS_TYPE =
        keccak256("Observations(uint64 epoch,uint32 setId,bytes32 rho,bytes32 batchRoot)");
    address internal constant ACCUSER = address(0xacc05e4);
    bytes32 internal constant NONCES = keccak256("nonces");
    bytes32 internal constant SALT = keccak256("salt");

    bytes32[] internal deviceIds;
    bytes32 internal rho;

    function deviceKeyOf(bytes32 deviceId) internal view returns (uint256) {
        uint256 i = 0;
        while (i < deviceIds.length && deviceIds[i] != deviceId) ++i;
        return DEVICE_KEY + (i < deviceIds.length ? i : 1);
    }

    function workOf(bytes32 deviceId) internal view returns (Prover.Work memory) {
        bytes32 seed = oracle.epochSeed(0);
        return Prover.prove(seed, firstSeed(seed, deviceId));
    }

    function firstSeed(bytes32 epochSeed, bytes32 deviceId) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("assay.A", epochSeed, deviceId, uint256(1), NONCES));
    }

    function jobHash(bytes32 epochSeed) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(epochSeed, uint256(1), uint256(2), uint256(64), uint256(64), uint256(3), uint256(32), uint256(4), uint256(1))
        );
    }

    function commitmentOf(bytes32 deviceId, bytes32 resultRoot)
        internal
        view
        returns (IFraudProofs.Commitment memory)
    {
        return commitmentIn(0, deviceId, resultRoot);
    }

    function commitmentIn(uint64 epoch, bytes32 deviceId, bytes32 resultRoot)
        internal
        view
        returns (IFraudProofs.Commitment memory c)
    {
        c.epoch = epoch;
        c.jobHash = jobHash(oracle.epochSeed(epoch));
        c.deviceId = deviceId;
        c.nonceRoot = NONCES;
        c.resultRoot = resultRoot;
        sign(c);
    }

    function sign(IFraudProofs.Commitment memory c) internal view {
        bytes memory encoded =
            abi.encode(COMMITMENT_TYPE, c.epoch, c.jobHash, c.deviceId, c.nonceRoot, c.resultRoot);
        (c.r, c.vs) = vm.signCompact(deviceKeyOf(c.deviceId), digestIn(address(oracle), encoded));
    }

    function sealedLeaf(IFraudProofs.Commitment memory c) internal pure returns (bytes32) {
        return keccak256(abi.encode(c.deviceId, c.jobHash, c.nonceRoot, c.resultRoot, bytes32(0), c.r, c.vs));
    }

    function sealedAt(IFraudProofs.Commitment[] memory list, uint256 index)
        internal
        pure
        returns (IFraudProofs.Sealed memory)
    {
        IFraudProofs.Commitment memory c = list[index];
        bytes32[] memory path = Trees.path(sealLeaves(list), index);
        return IFraudProofs.Sealed(
            c.deviceId, c.jobHash, c.nonceRoot, c.resultRoot, bytes32(0), c.r, c.vs, uint32(index), path
        );
    }

    function sealLeaves(IFraudProofs.Commitment[] memory list) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](list.length);
        for (uint256 i = 0; i < list.length; ++i) leaves[i] = sealedLeaf(list[i]);
    }

    function observedLeaf(bytes32 deviceId, bytes32 resultRoot, uint16 flags) internal pure returns (bytes32) {
        return keccak256(abi.encode(deviceId, resultRoot, uint64(1_000), flags, uint16(10_000)));
    }

    /// @dev Seat's batch of both devices, and its line on device `index`.
    function observedBy(uint32 seat, IFraudProofs.Commitment[] memory list, uint256 index, uint16 flags)
        internal
        view
        returns (IFraudProofs.Observed memory o)
    {
        bytes32[] memory leaves = new bytes32[](list.length);
        for (uint256 i = 0; i < list.length; ++i) {
            leaves[i] = observedLeaf(list[i].deviceId, list[i].resultRoot, flags);
        }
        o.seat = seat;
        o.batchRoot = Trees.root(leaves);
        bytes memory encoded =
            abi.encode(OBSERVATIONS_TYPE, uint64(0), oracle.epochState(0).setId, rho, o.batchRoot);
        (o.r, o.vs) = vm.signCompact(SEAT_KEY + seat, digestIn(address(oracle), encoded));
        o.deviceId = list[index].deviceId;
        o.resultRoot = list[index].resultRoot;
        o.elapsedUs = 1_000;
        o.flags = flags;
        o.uptimeBps = 10_000;
        o.index = uint32(index);
        o.path = Trees.path(leaves, index);
    }

    function sampleOf(bytes32 deviceId, uint32 q) internal view returns (uint256 t, uint256 i) {
        uint256 at = uint256(keccak256(abi.encodePacked(rho, "q", deviceId, q))) % (Prover.T * Prover.M);
        return (at / Prover.M, at % Prover.M);
    }

    // Each accusation is the calldata of the call that proves it, which is what its reporter commits to.

    function wrongElement(
        IFraudProofs.Commitment memory c,
        IFraudProofs.Round memory r,
        IFraudProofs.Element memory e,
        bytes32 salt
    ) internal pure returns (bytes memory) {
        return abi.encodeCall(IFraudProofs.proveWrongElement, (c, r, e, salt));
    }

    function brokenChain(IFraudProofs.Commitment memory c, IFraudProofs.Round[] memory rounds, bytes32 salt)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodeCall(IFraudProofs.proveBrokenChain, (c, rounds, salt));
    }

    function twoCommitments(IFraudProofs.Commitment memory a, IFraudProofs.Commitment memory b, bytes32 salt)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodeCall(IFraudProofs.proveTwoCommitments, (a, b, salt));
    }

    function twoStatements(
        IFraudProofs.Statement what,
        uint64 epoch,
        uint32 round,
        uint32 seat,
        IFraudProofs.SignedContent memory a,
        IFraudProofs.SignedContent memory b
    ) internal pure returns (bytes memory) {
        return abi.encodeCall(IFraudProofs.proveTwoStatements, (what, epoch, round, seat, a, b, SALT));
    }

    function falsePass(
        IFraudProofs.Observed memory o,
        uint32 q,
        IFraudProofs.Round memory r,
        IFraudProofs.Element memory e
    ) internal pure returns (bytes memory) {
        return abi.encodeCall(IFraudProofs.proveFalsePass, (o, q, r, e, SALT));
    }

    function falsePassChain(
        IFraudProofs.Observed memory o,
        IFraudProofs.Sealed memory s,
        IFraudProofs.Round[] memory rounds
    ) internal pure returns (bytes memory) {
        return abi.encodeCall(IFraudProofs.proveFalsePassChain, (o, s, rounds, SALT));
    }

    function badSeal(uint64 epoch, IFraudProofs.Sealed memory s) internal pure returns (bytes memory) {
        return abi.encodeCall(IFraudProofs.proveBadSeal, (epoch, s, SALT));
    }

    function unsealedPass(
        IEpochOracle.DeviceLeaf memory leaf,
        bytes32[] memory proof,
        IFraudProofs.Sealed memory s
    ) internal pure returns (bytes memory) {
        return abi.encodeCall(IFraudProofs.proveUnsealedPass, (leaf, proof, s, SALT));
    }

    function shrunkReward(
        address account,
        IFraudProofs.RewardLine memory earlier,
        IFraudProofs.RewardLine memory later
    ) internal pure returns (bytes memory) {
        return abi.encodeCall(IFraudProofs.proveShrunkReward, (account, earlier, later, SALT));
    }

    function commitHash(address who, bytes memory a) internal pure returns (bytes32) {
        return keccak256(abi.encode(who, keccak256(a)));
    }

    /// @dev Commits to the proof, waits two blocks, makes it; whether it went through, and with what error if not.
    function accuse(bytes memory a) internal returns (bool ok, bytes4 why) {
        bytes32 hash = commitHash(ACCUSER, a);
        if (fraud.committedAt(hash) == 0) {
            vm.prank(ACCUSER);
            fraud.commit(hash);
        }
        vm.roll(block.number + 2);
        vm.prank(ACCUSER);
        bytes memory result;
        (ok, result) = address(fraud).call(a);
        if (!ok) why = bytes4(result);
    }

    function refused(bytes memory a, bytes4 expected) internal {
        (bool ok, bytes4 why) = accuse(a);
        isTrue(!ok, "an honest party was convicted");
        eq(bytes32(why), bytes32(expected), "why it was refused");
        nobodySlashed();
    }

    /// @dev A fault is convicted, but not uncommitted, in the block of the commitment or the next, by whoever did not commit,
    /// after the commitment's life, or after the proof window.
    function convicted(bytes memory a) internal {
        notConvicted(a, ACCUSER, IFraudErrors.FraudProofs_NotCommitted.selector);
        vm.prank(ACCUSER);
        fraud.commit(commitHash(ACCUSER, a));
        notConvicted(a, ACCUSER, IFraudErrors.FraudProofs_RevealTooEarly.selector);
        uint256 state = vm.snapshotState();
        vm.roll(block.number + 1);
        notConvicted(a, ACCUSER, IFraudErrors.FraudProofs_RevealTooEarly.selector);
        vm.roll(block.number + COMMIT_LIFETIME);
        notConvicted(a, ACCUSER, IFraudErrors.FraudProofs_CommitExpired.selector);
        vm.revertToState(state);
        state = vm.snapshotState();
        vm.roll(block.number + 2);
        notConvicted(a, address(0xf407), IFraudErrors.FraudProofs_NotCommitted.selector);
        vm.warp(startOf(oracle.currentEpoch() + 2) + PROOF_WINDOW);
        notConvicted(a, ACCUSER, IFraudErrors.FraudProofs_NotProvable.selector);
        vm.revertToState(state);
        (bool ok, bytes4 why) = accuse(a);
        if (!ok) eq(bytes32(why), bytes32(0), "a fault was not convicted");
    }

    function notConvicted(bytes memory a, address who, bytes4 expected) internal {
        vm.prank(who);
        (bool ok, bytes memory result) = address(fraud).call(a);
        isTrue(!ok, "convicted all the same");
        eq(bytes32(bytes4(result)), bytes32(expected), "why it was refused");
    }

    function nobodySlashed() internal view {
        eq(stake.heldSlashCount(), 0, "slashes");
        eq(stake.account(provider).active, 2 * DEVICE_STAKE, "the provider's stake");
        for (uint256 i = 0; i < 4; ++i) eq(stake.account(seatAccount(i)).active, SEAT_STAKE, "a seat's stake");
    }

    /// @dev The latest slash, on hold: whose, how much, for whom.
    function held(address owner, uint256 amount, address reporter) internal view {
        uint256 id = stake.heldSlashCount();
        IStakeManager.HeldSlash memory h = stake.heldSlash(id);
        eq(uint256(h.status), uint256(IStakeManager.HeldStatus.Held), "held");
        eq(h.owner, owner, "owner");
        eq(h.amount, amount, "amount");
        eq(h.bounty, amount / 10, "bounty");
        eq(h.reporter, reporter, "reporter");
        eq(h.heldUntil, block.timestamp + SLASH_HOLD, "until");
    }

    /// @dev Epoch 0 with these commitments sealed, drawn, and both devices reported as passed.
    function settle(IFraudProofs.Commitment[] memory list) internal {
        sealEpoch(0, Trees.root(sealLeaves(list)), uint32(list.length));
        rho = drawEpoch(0);
        IEpochOracle.Report memory r = plainReport(0);
        r.devicesRoot = Trees.sortedRoot(deviceLeaves(reported(list)));
        postReport(r);
    }

    function reported(IFraudProofs.Commitment[] memory list)
        internal
        pure
        returns (IEpochOracle.DeviceLeaf[] memory lines)
    {
        lines = new IEpochOracle.DeviceLeaf[](list.length);
        for (uint256 i = 0; i < list.length; ++i) {
            lines[i] = passedLeaf(0, list[i].deviceId);
            (lines[i].sealIndex, lines[i].resultRoot) = (uint32(i), list[i].resultRoot);
        }
    }
}
