// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {EmissionCurve} from "../libraries/EmissionCurve.sol";
import {Generator} from "../libraries/Generator.sol";
import {PositionalMerkle} from "../libraries/PositionalMerkle.sol";
import {StreamMath} from "../libraries/StreamMath.sol";

/// @title Libraries opened up for tests
contract LibraryHarness {
    function dot(bytes32 seedA, uint32 row, bytes32 seedB, uint32 column, uint256 K) external pure returns (int256) {
        return Generator.dot(seedA, row, seedB, column, K);
    }

    function rootFrom(bytes32 leaf, uint256 position, bytes32[] calldata path) external pure returns (bytes32) {
        return PositionalMerkle.rootFrom(leaf, position, path);
    }

    function depth(uint256 count) external pure returns (uint256) {
        return PositionalMerkle.depth(count);
    }

    function emissionAt(uint256 initial, uint256 era, uint256 epoch) external pure returns (uint256) {
        return EmissionCurve.at(initial, era, epoch);
    }

    function emissionUpTo(uint256 initial, uint256 era, uint256 epoch) external pure returns (uint256) {
        return EmissionCurve.upTo(initial, era, epoch);
    }

    function fee(uint256 amount, uint256 feeBps, uint256 floor) external pure returns (uint256) {
        return StreamMath.fee(amount, feeBps, floor);
    }

    function unserved(uint256 bond, uint256 served, uint256 minDuration) external pure returns (uint256) {
        return StreamMath.unserved(bond, served, minDuration, minDuration);
    }
}
