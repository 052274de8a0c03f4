// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "../interfaces/IDeviceRegistry.sol";
import {IFraudErrors} from "../interfaces/IFraudErrors.sol";
import {IFraudProofs} from "../interfaces/IFraudProofs.sol";
import {Generator} from "./Generator.sol";
import {PositionalMerkle} from "./PositionalMerkle.sol";

/// @title What a resultRoot binds: rounds, chunks, seeds
/// @notice What a device committed to, checked against its root, and what it must be, computed anew.
/// @dev Every path length is fixed by the profile, so a node can never pass for a leaf.
library CommittedWork {
    /// @notice Reverts unless the round stands under resultRoot at position t.
    /// @param p the device's profile
    /// @param resultRoot that the device committed to
    /// @param round its leaf and path
    function checkRound(
        IDeviceRegistry.Profile memory p,
        bytes32 resultRoot,
        IFraudProofs.Round calldata round
    ) internal pure {
        checkBelow("t", round.t, p.T);
        bytes32 leaf = keccak256(abi.encodePacked(uint256(round.t), round.seed, round.root));
        checkPath(leaf, round.t, round.path, PositionalMerkle.depth(p.T), resultRoot);
    }

    /// @notice Reverts unless the chunk stands under the round's root; the element claimed in it.
    /// @param p the device's profile
    /// @param roundRoot of the round
    /// @param element where it is, the chunk that holds it, and its path
    /// @return value of it
    function claimedElement(
        IDeviceRegistry.Profile memory p,
        bytes32 roundRoot,
        IFraudProofs.Element calldata element
    ) internal pure returns (int32 value) {
        checkBelow("i", element.i, p.M);
        checkBelow("j", element.j, p.N);
        uint256 length = uint256(p.chunk) * 4;
        if (element.chunk.length != length) revert IFraudErrors.FraudProofs_ChunkLength(element.chunk.length, length);
        uint256 chunksPerRow = p.N / p.chunk;
        uint256 position = uint256(element.i) * chunksPerRow + element.j / p.chunk;
        uint256 levels = PositionalMerkle.depth(uint256(p.M) * chunksPerRow);
        checkPath(keccak256(element.chunk), position, element.path, levels, roundRoot);
        uint256 at = (element.j % p.chunk) * 4;
        uint32 bits = uint32(bytes4(element.chunk[at:at + 4]));
        bits = ((bits & 0xff00ff00) >> 8) | ((bits & 0x00ff00ff) << 8);
        value = int32((bits >> 16) | (bits << 16));
    }

    /// @notice The element as it must be: row i of A from the round's own seed, column j of B from the epoch's.
    /// @param p the device's profile
    /// @param roundSeed as committed to in the round
    /// @param epochSeed of the epoch
    /// @param element where it is
    /// @return value of it
    function correctElement(
        IDeviceRegistry.Profile memory p,
        bytes32 roundSeed,
        bytes32 epochSeed,
        IFraudProofs.Element calldata element
    ) internal pure returns (int32 value) {
        return int32(Generator.dot(roundSeed, element.i, epochSeed, element.j, p.K));
    }

    /// @notice Whether the seed that `rounds` ends in differs from the one that must stand there.
    /// @param p the device's profile
    /// @param resultRoot that the device committed to
    /// @param first s_0 as derived; used where `rounds` is round 0 alone
    /// @param rounds one to three that follow one another
    /// @return broken whether it differs
    function chainBroken(
        IDeviceRegistry.Profile memory p,
        bytes32 resultRoot,
        bytes32 first,
        IFraudProofs.Round[] calldata rounds
    ) internal pure returns (bool broken) {
        uint256 n = rounds.length;
        if (n == 0 || n > 3) revert IFraudErrors.FraudProofs_RoundCount(n);
        for (uint256 i = 0; i < n; ++i) {
            checkRound(p, resultRoot, rounds[i]);
            if (i > 0 && rounds[i].t != rounds[i - 1].t + 1) {
                revert IFraudErrors.FraudProofs_NotConsecutive(rounds[i].t);
            }
        }
        // One or two rounds reach back to round 0; only then is there no root before.
        if (n < 3 && rounds[0].t != 0) revert IFraudErrors.FraudProofs_NotConsecutive(rounds[0].t);
        if (n == 1) return rounds[0].seed != first;
        bytes32 before = n == 3 ? rounds[0].root : bytes32(0);
        return rounds[n - 1].seed != PositionalMerkle.pair(rounds[n - 2].seed, before);
    }

    /// @notice s_0 of a device in an epoch.
    /// @param epochSeed of the epoch
    /// @param deviceId the device
    /// @param profileId of its profile
    /// @param nonceRoot of the nonces that it was challenged with
    /// @return seed s_0
    function firstSeed(
        bytes32 epochSeed,
        bytes32 deviceId,
        uint32 profileId,
        bytes32 nonceRoot
    ) internal pure returns (bytes32 seed) {
        return keccak256(abi.encodePacked("assay.A", epochSeed, deviceId, uint256(profileId), nonceRoot));
    }

    /// @notice Reverts unless the value is below the limit.
    /// @param what it is
    /// @param value that was given
    /// @param limit the first that is too large
    function checkBelow(string memory what, uint256 value, uint256 limit) internal pure {
        if (value >= limit) revert IFraudErrors.FraudProofs_OutOfRange(what, value, limit);
    }

    /// @notice Reverts unless the leaf stands at its position under the root.
    /// @param leaf at the bottom
    /// @param position of it
    /// @param path its siblings, bottom-up
    /// @param levels that the path must have
    /// @param root that it must lead to
    function checkPath(
        bytes32 leaf,
        uint256 position,
        bytes32[] calldata path,
        uint256 levels,
        bytes32 root
    ) internal pure {
        if (path.length != levels) revert IFraudErrors.FraudProofs_PathLength(path.length, levels);
        bytes32 computed = PositionalMerkle.rootFrom(leaf, position, path);
        if (computed != root) revert IFraudErrors.FraudProofs_BadPath(computed, root);
    }

    /// @notice Round and row that a sample of a device falls on.
    /// @param p the device's profile
    /// @param rho drawn after the seal
    /// @param deviceId the device
    /// @param q the sample, below the profile's k
    /// @return t the round
    /// @return i the row
    function sample(
        IDeviceRegistry.Profile memory p,
        bytes32 rho,
        bytes32 deviceId,
        uint32 q
    ) internal pure returns (uint32 t, uint32 i) {
        checkBelow("q", q, p.k);
        uint256 index = uint256(keccak256(abi.encodePacked(rho, "q", deviceId, q))) % (uint256(p.T) * p.M);
        return (uint32(index / p.M), uint32(index % p.M));
    }

    /// @notice Root of the subtree of one row.
    /// @param p the device's profile
    /// @param row its 4N bytes
    /// @return root of its chunks
    function rowRoot(IDeviceRegistry.Profile memory p, bytes calldata row) internal pure returns (bytes32 root) {
        if (row.length != uint256(p.N) * 4) revert IFraudErrors.FraudProofs_ChunkLength(row.length, uint256(p.N) * 4);
        uint256 n = p.N / p.chunk;
        uint256 size = uint256(p.chunk) * 4;
        bytes32[] memory level = new bytes32[](n);
        for (uint256 c = 0; c < n; ++c) level[c] = keccak256(row[c * size:(c + 1) * size]);
        for (; n > 1; n /= 2) {
            for (uint256 c = 0; c < n / 2; ++c) level[c] = PositionalMerkle.pair(level[2 * c], level[2 * c + 1]);
        }
        return level[0];
    }
}
