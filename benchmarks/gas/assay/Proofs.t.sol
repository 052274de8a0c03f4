// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";

import {Accused} from "../../../tests/forge/base/Accused.sol";
import {Trees} from "../../../tests/forge/base/Trees.sol";
import {Measured} from "../Measured.sol";

/// @title Gas of proofs, of slashes, and of demands and their answers, in the full shapes of micro and datacenter
/// @dev Somebody has been slashed and somebody been asked before, as ever but for the first time.
contract ProofGas is Accused, Measured {
    address internal constant ANSWERER = address(0xa25e4);

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        deviceIds.push(enrol(0, 2));
        deviceIds.push(enrol(1, 3));
        openEpoch(0);
        stakeFor(renter, 1);
        vm.prank(address(fraud));
        stake.slash(renter, 1, ACCUSER);
    }

    function siblings(uint256 depth, string memory what) internal pure returns (bytes32[] memory path) {
        path = new bytes32[](depth);
        for (uint256 d = 0; d < depth; ++d) path[d] = keccak256(abi.encode(what, d));
    }

    /// @dev Root over a leaf at `position` with these siblings.
    function rootOver(bytes32 node, uint256 position, bytes32[] memory path) internal pure returns (bytes32) {
        for (uint256 d = 0; d < path.length; ++d) {
            node = (position >> d) & 1 == 1
                ? keccak256(abi.encodePacked(path[d], node))
                : keccak256(abi.encodePacked(node, path[d]));
        }
        return node;
    }

    function depthOf(uint256 leaves) internal pure returns (uint256 depth) {
        while ((uint256(1) << depth) < leaves) ++depth;
    }

    /// @dev Bytes of which none is zero.
    function filled(uint256 length) internal pure returns (bytes memory data) {
        data = new bytes(length);
        for (uint256 at = 0; at < length; ++at) data[at] = bytes1(uint8(1 + at % 255));
    }

    function commitmentAt(uint256 d, uint32 profileId, bytes32 resultRoot)
        internal
        view
        returns (IFraudProofs.Commitment memory c)
    {
        c.jobHash = registry.jobHash(profileId, oracle.epochSeed(0));
        c.deviceId = deviceIds[d];
        c.nonceRoot = NONCES;
        c.resultRoot = resultRoot;
        sign(c);
    }

    /// @dev A wrong element of a profile in its full shape: paths as long as they are there.
    function wrong(uint256 d, uint32 profileId) internal view returns (bytes memory) {
        IDeviceRegistry.Profile memory p = registry.profile(profileId);
        IFraudProofs.Element memory e;
        e.chunk = filled(p.chunk * 4);
        e.path = siblings(depthOf(uint256(p.M) * p.N / p.chunk), "chunk");
        IFraudProofs.Round memory r;
        r.seed = keccak256("seed");
        r.root = rootOver(keccak256(e.chunk), 0, e.path);
        r.path = siblings(depthOf(p.T), "round");
        bytes32 resultRoot = rootOver(keccak256(abi.encodePacked(uint256(0), r.seed, r.root)), 0, r.path);
        return wrongElement(commitmentAt(d, profileId, resultRoot), r, e, keccak256("salt"));
    }

    function revealed(bytes memory proof, string memory what) internal {
        vm.prank(ACCUSER);
        fraud.commit(commitHash(ACCUSER, proof));
        note("Assay", "commit of a proof");
        vm.roll(block.number + 2);
        vm.prank(ACCUSER);
        (bool ok, bytes memory why) = address(fraud).call(proof);
        note("Assay", what);
        isTrue(ok, string(why));
    }

    function test_gas_of_a_wrong_element() public {
        revealed(wrong(0, 2), "wrong element, K = 4,096");
        revealed(wrong(1, 3), "wrong element, K = 65,536");
    }

    function test_gas_of_two_commitments() public {
        revealed(
            twoCommitments(
                commitmentAt(0, 2, keccak256("first")), commitmentAt(0, 2, keccak256("second")), keccak256("salt")
            ),
            "two commitments"
        );
        uint256 id = stake.heldSlashCount();
        vm.warp(stake.heldSlash(id).heldUntil);
        stake.settleSlash(id);
        note("Assay", "settleSlash");
    }

    /// @dev A result all of whose rows are the same, so that whichever is sampled can be shown.
    struct Result {
        bytes row;
        bytes32[] rowPath;
        bytes32[] roundLeaves;
        bytes32 roundRoot;
    }

    function resultOf(IDeviceRegistry.Profile memory p) internal pure returns (Result memory r) {
        r.row = filled(p.N * 4);
        r.rowPath = new bytes32[](depthOf(p.M));
        r.roundRoot = rowRoot(p, r.row);
        for (uint256 d = 0; d < r.rowPath.length; ++d) {
            r.rowPath[d] = r.roundRoot;
            r.roundRoot = keccak256(abi.encodePacked(r.roundRoot, r.roundRoot));
        }
        r.roundLeaves = new bytes32[](p.T);
        for (uint256 t = 0; t < p.T; ++t) r.roundLeaves[t] = keccak256(abi.encodePacked(t, bytes32(t), r.roundRoot));
    }

    function asked(uint256 d, IFraudProofs.Sealed memory leaf, Result memory r, string memory what) internal {
        IDeviceRegistry.Profile memory p = registry.profile(uint32(2 + d));
        uint256 at = uint256(keccak256(abi.encodePacked(rho, "q", deviceIds[d], uint32(0)))) % (uint256(p.T) * p.M);
        uint256 t = at / p.M;
        IFraudProofs.Round memory round =
            IFraudProofs.Round(uint32(t), bytes32(t), r.roundRoot, Trees.path(r.roundLeaves, t));
        vm.prank(ACCUSER);
        bytes32 row = demands.demand(0, leaf, true, 0, type(uint128).max);
        note("Assay", string.concat("demand, ", what));
        vm.prank(ACCUSER);
        bytes32 other = demands.demand(0, leaf, false, uint32(t), type(uint128).max);
        bytes memory answer = abi.encodeCall(demands.answerRow, (row, round, r.row, r.rowPath));
        (, uint256 rowReward,) = demands.bondOfDemand(row);
        (, uint256 roundReward,) = demands.bondOfDemand(other);
        vm.prank(ANSWERER);
        (bool ok,) = address(demands).call(answer);
        isTrue(ok, "answered");
        uint256 rowGas = note("Assay", string.concat("answer of a row, ", what));
        vm.prank(ANSWERER);
        demands.answerRound(other, round);
        uint256 roundGas = note("Assay", string.concat("answer of a round, ", what));
        // The unit is set to twice a round answer's gas; then a row's reward is about twice its own, whatever its width: so
        // answering never costs, and bait never earns more than twice what it does.
        uint256 rewardGas = 2 * roundGas * rowReward / roundReward;
        if (floorOf(answer) > rowGas) rowGas = floorOf(answer);
        atMost(rowGas * 3 / 2, rewardGas, "reward of a row, in gas");
        atMost(rewardGas, 3 * rowGas, "reward of a row, in gas");
    }

    /// @dev The least that a transaction with this calldata costs (EIP-7623).
    function floorOf(bytes memory data) internal pure returns (uint256 gas) {
        gas = 21_000;
        for (uint256 i = 0; i < data.length; ++i) gas += data[i] == 0 ? 10 : 40;
    }

    /// @dev Root of a row's subtree.
    function rowRoot(IDeviceRegistry.Profile memory p, bytes memory row) internal pure returns (bytes32) {
        bytes32[] memory level = new bytes32[](p.N / p.chunk);
        for (uint256 c = 0; c < level.length; ++c) {
            bytes memory chunk = new bytes(p.chunk * 4);
            for (uint256 b = 0; b < chunk.length; ++b) chunk[b] = row[c * chunk.length + b];
            level[c] = keccak256(chunk);
        }
        for (uint256 n = level.length; n > 1; n /= 2) {
            for (uint256 c = 0; c < n / 2; ++c) {
                level[c] = keccak256(abi.encodePacked(level[2 * c], level[2 * c + 1]));
            }
        }
        return level[0];
    }

    function test_gas_of_demands_and_answers() public {
        token.transfer(ACCUSER, 1e24);
        vm.prank(ACCUSER);
        token.approve(address(demands), type(uint256).max);
        Result memory narrow = resultOf(registry.profile(2));
        Result memory wide = resultOf(registry.profile(3));
        bytes32[] memory path = siblings(10, "seal");
        IFraudProofs.Commitment[] memory list = new IFraudProofs.Commitment[](2);
        list[0] = commitmentAt(0, 2, Trees.root(narrow.roundLeaves));
        list[1] = commitmentAt(1, 3, Trees.root(wide.roundLeaves));
        path[0] = sealedLeaf(list[1]);
        sealEpoch(0, rootOver(sealedLeaf(list[0]), 0, path), 1_000);
        rho = drawEpoch(0);
        asked(0, leafAt(list[0], 0, path), narrow, "N = 256");
        path[0] = sealedLeaf(list[0]);
        asked(1, leafAt(list[1], 1, path), wide, "N = 4,096");
    }

    function leafAt(IFraudProofs.Commitment memory c, uint32 index, bytes32[] memory path)
        internal
        pure
        returns (IFraudProofs.Sealed memory)
    {
        return IFraudProofs.Sealed(c.deviceId, c.jobHash, c.nonceRoot, c.resultRoot, 0, c.r, c.vs, index, path);
    }

    function test_gas_of_an_expired_demand() public {
        token.transfer(ACCUSER, 1e24);
        vm.prank(ACCUSER);
        token.approve(address(demands), type(uint256).max);
        IFraudProofs.Commitment[] memory list = new IFraudProofs.Commitment[](1);
        list[0] = commitmentAt(0, 2, keccak256("result"));
        sealEpoch(0, sealedLeaf(list[0]), 1);
        IFraudProofs.Sealed memory leaf = sealedAt(list, 0);
        vm.prank(ACCUSER);
        bytes32 id = demands.demand(0, leaf, false, 0, type(uint128).max);
        vm.warp(demands.demandOf(id).deadline);
        demands.expireDemand(id);
        note("Assay", "expireDemand, with the slash");
    }
}
