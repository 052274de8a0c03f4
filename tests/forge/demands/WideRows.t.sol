// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IFraudErrors} from "contracts/interfaces/IFraudErrors.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";

import {Accused} from "../base/Accused.sol";
import {Trees} from "../base/Trees.sol";

/// @title Rows of any width can be shown
/// @dev What a row says is not looked at, only that it stands under the round's root: any bytes will do.
contract WideRows is Accused {
    bytes[] internal rows;
    bytes32[] internal rowRoots;
    bytes32[] internal roundLeaves;

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        openEpoch(0);
        token.transfer(ACCUSER, 1e24);
        vm.prank(ACCUSER);
        token.approve(address(demands), type(uint256).max);
    }

    function filled(uint256 length, uint256 with_) internal pure returns (bytes memory chunk) {
        chunk = new bytes(length);
        for (uint256 i = 0; i < length; ++i) chunk[i] = bytes1(uint8(with_ + i));
    }

    /// @dev Two rows of `n` entries in chunks of 32, the same in each of three rounds; the result's root.
    function build(uint32 n) internal returns (bytes32) {
        for (uint256 i = 0; i < 2; ++i) {
            bytes32[] memory chunks = new bytes32[](n / 32);
            bytes memory row;
            for (uint256 c = 0; c < chunks.length; ++c) {
                bytes memory chunk = filled(128, i * 100 + c);
                chunks[c] = keccak256(chunk);
                row = bytes.concat(row, chunk);
            }
            rows.push(row);
            rowRoots.push(Trees.root(chunks));
        }
        for (uint256 t = 0; t < 3; ++t) {
            roundLeaves.push(keccak256(abi.encodePacked(t, bytes32(t), Trees.root(rowRoots))));
        }
        return Trees.root(roundLeaves);
    }

    function wide(uint32 n) internal {
        IDeviceRegistry.Profile memory p = registry.profile(1);
        p.N = n;
        p.credit = 0;
        uint32 id = registry.addProfile(p);
        deviceIds.push(enrol(0, id));
        IFraudProofs.Commitment[] memory list = new IFraudProofs.Commitment[](1);
        list[0] = commitmentOf(deviceIds[0], build(n));
        list[0].jobHash = registry.jobHash(id, oracle.epochSeed(0));
        sign(list[0]);
        sealEpoch(0, Trees.root(sealLeaves(list)), 1);
        rho = drawEpoch(0);
        IFraudProofs.Sealed memory s = sealedAt(list, 0);
        vm.prank(ACCUSER);
        bytes32 demand = demands.demand(0, s, true, 3, type(uint128).max);
        (uint256 t, uint256 i) = sampleOf(deviceIds[0], 3);
        IFraudProofs.Round memory r =
            IFraudProofs.Round(uint32(t), bytes32(t), Trees.root(rowRoots), Trees.path(roundLeaves, t));
        bytes memory wrong = bytes.concat(rows[i]);
        wrong[wrong.length - 1] ^= 0x01;
        bytes32[] memory path = Trees.path(rowRoots, i);
        vm.expectPartialRevert(IFraudErrors.FraudProofs_BadPath.selector);
        demands.answerRow(demand, r, wrong, path);
        demands.answerRow(demand, r, rows[i], path);
        eq(demands.bondOf(address(this)), uint256(UNIT_BOND) * (512 + n) / 512, "answered");
    }

    function test_a_row_of_one_chunk__is_answered() public {
        wide(32);
    }

    function test_a_row_of_four_chunks__is_answered() public {
        wide(128);
    }

    function test_a_row_of_eight_chunks__is_answered() public {
        wide(256);
    }
}
