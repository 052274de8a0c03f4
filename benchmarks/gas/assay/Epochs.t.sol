// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";

import {Epochs} from "../../../tests/forge/base/Epochs.sol";
import {Measured} from "../Measured.sol";

/// @title Gas of an epoch's four transactions, once the ring has been round
abstract contract EpochGas is Epochs, Measured {
    uint256 internal n;

    function setUp() public {
        deployNetwork();
        n = size();
        joinSeats(n);
        for (uint64 e = 0; e < oracle.ringSize(); ++e) epoch(e, 10, "");
    }

    function size() internal pure virtual returns (uint256);

    /// @dev Roots without a zero byte, so that the calldata of two epochs differs in nothing but their numbers.
    function full(string memory what, uint64 e) internal pure returns (bytes32 hash) {
        hash = keccak256(abi.encode(what, e)) | bytes32(uint256(0x0101010101010101010101010101010101010101010101010101010101010101));
    }

    /// @dev Signatures over a digest; a salt in the root is turned until none of them has a zero byte.
    function fullQuorum(bytes32 digest) internal view returns (IEpochOracle.Quorum memory q, bool none) {
        q = quorumOver(digest, quorumOf(n));
        none = true;
        for (uint256 i = 0; i < q.signatures.length; ++i) if (q.signatures[i] == 0) return (q, false);
    }

    function epoch(uint64 e, uint32 devices, string memory label) internal {
        bool noted = bytes(label).length != 0;
        vm.warp(startOf(e) + 1);
        vm.roll(block.number + 1);
        oracle.openEpoch(e);
        if (noted) note("Assay", string.concat("openEpoch", label));
        vm.warp(startOf(e) + 400);
        (bytes32 root, IEpochOracle.Quorum memory q) = sealOver(e, devices, noted);
        oracle.seal(e, 0, root, devices, q);
        if (noted) note("Assay", string.concat("seal", label));
        vm.roll(block.number + DRAW_DELAY + 1);
        vm.warp(startOf(e) + 600);
        oracle.draw(e);
        if (noted) note("Assay", string.concat("draw", label));
        vm.warp(startOf(e) + 900);
        (IEpochOracle.Report memory r, IEpochOracle.Quorum memory rq) = reportOver(e, noted);
        oracle.report(r, rq);
        if (noted) note("Assay", string.concat("report", label));
    }

    function sealOver(uint64 e, uint32 devices, bool tidy)
        private
        view
        returns (bytes32 root, IEpochOracle.Quorum memory q)
    {
        bool none;
        for (uint64 salt = 0; !none; ++salt) {
            root = full("seal", e * 1_000_000 + salt);
            (q, none) = fullQuorum(sealDigest(e, 0, root, devices));
            if (!tidy) return (root, q);
        }
    }

    function reportOver(uint64 e, bool tidy)
        private
        view
        returns (IEpochOracle.Report memory r, IEpochOracle.Quorum memory q)
    {
        bool none;
        (uint128 total,,) = oracle.lastReport();
        for (uint64 salt = 0; !none; ++salt) {
            r = IEpochOracle.Report(
                e, 0, full("devices", e * 1_000_000 + salt), full("rewards", e * 1_000_000 + salt), total + 0x01010101, full("data", e * 1_000_000 + salt)
            );
            (q, none) = fullQuorum(reportDigest(r));
            if (!tidy) return (r, q);
        }
    }
}

contract EpochGas4 is EpochGas {
    function size() internal pure override returns (uint256) {
        return 4;
    }

    function test_gas_with_4_seats() public {
        epoch(16, 1_000, ", 4 seats");
    }
}

contract EpochGas7 is EpochGas {
    function size() internal pure override returns (uint256) {
        return 7;
    }

    function test_gas_with_7_seats() public {
        epoch(16, 1_000, ", 7 seats");
    }

    /// @dev The epochs compared have numbers of one byte, so that only the number of devices differs.
    function test_gas_with_10_devices() public {
        epoch(16, 10, ", 10 devices");
    }

    function test_gas_with_1000_devices() public {
        epoch(16, 1_000, ", 1,000 devices");
    }

    function test_gas_with_100000_devices() public {
        epoch(16, 100_000, ", 100,000 devices");
    }
}

contract EpochGas10 is EpochGas {
    function size() internal pure override returns (uint256) {
        return 10;
    }

    function test_gas_with_10_seats() public {
        epoch(16, 1_000, ", 10 seats");
    }
}

contract EpochGas31 is EpochGas {
    function size() internal pure override returns (uint256) {
        return 31;
    }

    function test_gas_with_31_seats() public {
        epoch(16, 1_000, ", 31 seats");
    }
}
