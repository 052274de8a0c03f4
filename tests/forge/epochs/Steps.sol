// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";

import {Epochs} from "../base/Epochs.sol";

/// @title Seven seats, and an epoch as far as it is to go
abstract contract Steps is Epochs {
    bytes32 internal constant ROOT = keccak256("sealed");

    function setUp() public virtual {
        deployNetwork();
        joinSeats(7);
    }

    function reachSealed(uint64 epoch) internal {
        openEpoch(epoch);
        sealEpoch(epoch, ROOT, 3);
    }

    function reachDrawn(uint64 epoch) internal {
        reachSealed(epoch);
        drawEpoch(epoch);
    }

    function sealFails(uint64 epoch, IEpochOracle.Quorum memory q, bytes memory why) internal {
        vm.expectRevert(why);
        oracle.seal(epoch, 0, ROOT, 3, q);
    }

    function reportFails(IEpochOracle.Report memory r, bytes memory why) internal {
        IEpochOracle.Quorum memory q = quorumOver(reportDigest(r), 5);
        vm.expectRevert(why);
        oracle.report(r, q);
    }

    function sealQuorum(uint64 epoch) internal view returns (IEpochOracle.Quorum memory) {
        return quorumOver(sealDigest(epoch, 0, ROOT, 3), 5);
    }

    function wrongPhase(uint64 epoch, IEpochOracle.Phase phase) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IEpochOracle.EpochOracle_WrongPhase.selector, epoch, phase);
    }

    function tooLate(uint64 epoch, uint256 closedAt) internal view returns (bytes memory) {
        return abi.encodeWithSelector(
            IEpochOracle.EpochOracle_TooLate.selector, epoch, closedAt, block.timestamp
        );
    }

    function zeroRoot(uint64 epoch) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IEpochOracle.EpochOracle_ZeroRoot.selector, epoch);
    }
}
