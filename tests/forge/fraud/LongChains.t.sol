// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IFraudErrors} from "contracts/interfaces/IFraudErrors.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";

import {Accused} from "../base/Accused.sol";
import {Trees} from "../base/Trees.sol";

/// @title FraudProofs.proveBrokenChain in a work of more than three rounds
/// @dev Three rounds that do not begin with round 0 are linked by the root of the first of them. What stands in the rounds is
/// not looked at, so any roots will do.
contract LongChains is Accused {
    uint256 internal constant ROUNDS = 6;

    bytes32[] internal seeds;
    bytes32[] internal roots;

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        IDeviceRegistry.Profile memory p = registry.profile(1);
        p.T = uint32(ROUNDS);
        deviceIds.push(enrol(0, registry.addProfile(p)));
        openEpoch(0);
        bytes32 seed = oracle.epochSeed(0);
        seeds.push(keccak256(abi.encodePacked("assay.A", seed, deviceIds[0], uint256(4), NONCES)));
        for (uint256 t = 0; t < ROUNDS; ++t) {
            roots.push(keccak256(abi.encode("root", t)));
            seeds.push(keccak256(abi.encodePacked(seeds[t], t == 0 ? bytes32(0) : roots[t - 1])));
        }
    }

    function leaves() internal view returns (bytes32[] memory list) {
        list = new bytes32[](ROUNDS);
        for (uint256 t = 0; t < ROUNDS; ++t) list[t] = keccak256(abi.encodePacked(t, seeds[t], roots[t]));
    }

    /// @dev An accusation of rounds `from` to `from + n - 1`.
    function accusation(uint256 from, uint256 n) internal view returns (bytes memory) {
        IFraudProofs.Commitment memory c = commitmentOf(deviceIds[0], Trees.root(leaves()));
        c.jobHash = registry.jobHash(4, oracle.epochSeed(0));
        sign(c);
        IFraudProofs.Round[] memory rounds = new IFraudProofs.Round[](n);
        for (uint256 k = 0; k < n; ++k) {
            uint256 t = from + k;
            rounds[k] = IFraudProofs.Round(uint32(t), seeds[t], roots[t], Trees.path(leaves(), t));
        }
        return brokenChain(c, rounds, SALT);
    }

    function notConvictedFor(bytes memory proof, bytes4 expected) internal {
        (bool ok, bytes4 why) = accuse(proof);
        isTrue(!ok, "convicted");
        eq(bytes32(why), bytes32(expected), "why");
        eq(stake.heldSlashCount(), 0, "nobody");
    }

    function test_a_chain_that_holds__convicts_nobody_wherever_it_is_looked_at() public {
        for (uint256 t = 0; t + 3 <= ROUNDS; ++t) {
            notConvictedFor(accusation(t, 3), IFraudErrors.FraudProofs_ChainCorrect.selector);
        }
    }

    function test_a_chain_broken_at_any_later_round__is_convicted(uint256 at) public {
        at = 2 + at % (ROUNDS - 2);
        seeds[at] = keccak256("another");
        convicted(accusation(at - 2, 3));
        held(provider, DEVICE_STAKE, ACCUSER);
    }

    function test_one_or_two_rounds_that_do_not_begin_with_the_first__prove_nothing() public {
        for (uint256 t = 1; t + 2 <= ROUNDS; ++t) {
            notConvictedFor(accusation(t, 1), IFraudErrors.FraudProofs_NotConsecutive.selector);
            notConvictedFor(accusation(t, 2), IFraudErrors.FraudProofs_NotConsecutive.selector);
        }
    }
}
