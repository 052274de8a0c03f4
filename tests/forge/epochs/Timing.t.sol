// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";

import {Steps} from "./Steps.sol";

contract TimingTest is Steps {
    function deploy(IEpochOracle.Timing memory t) internal returns (IEpochOracle) {
        return IEpochOracle(this.deployed("EpochOracle", abi.encode(seats, rewards, t)));
    }

    function refused(IEpochOracle.Timing memory t, string memory what, uint256 value, uint256 bound) internal {
        vm.expectRevert(
            abi.encodeWithSelector(IEpochOracle.EpochOracle_BadTiming.selector, what, value, bound)
        );
        deploy(t);
    }

    function test_constructor__epoch_of_no_time__refused() public {
        IEpochOracle.Timing memory t = timing();
        t.epochLength = 0;
        refused(t, "epochLength", 0, 1);
    }

    function test_constructor__deadlines_out_of_order__refused() public {
        IEpochOracle.Timing memory t = timing();
        t.openBy = 0;
        refused(t, "openBy", 0, t.sealBy);
        t.openBy = t.sealBy;
        refused(t, "openBy", t.sealBy, t.sealBy);
        t = timing();
        t.sealBy = t.drawBy;
        refused(t, "sealBy", t.drawBy, t.drawBy);
        t = timing();
        t.drawBy = t.epochLength;
        refused(t, "drawBy", t.epochLength, t.epochLength);
        t = timing();
        t.reportBy = t.drawBy;
        refused(t, "reportBy", t.drawBy, t.epochLength + t.drawBy);
    }

    /// @dev Else a leader could wait for the last second, and leave out whom it likes for good.
    function test_constructor__report_so_late_that_no_signature_can_be_added__refused() public {
        IEpochOracle.Timing memory t = timing();
        t.reportBy = t.epochLength + t.drawBy;
        refused(t, "reportBy", t.reportBy, t.reportBy);
        t.reportBy -= 1;
        deploy(t);
    }

    function test_constructor__draw_of_the_seals_own_block__refused() public {
        IEpochOracle.Timing memory t = timing();
        t.drawDelay = 0;
        refused(t, "drawDelay", 0, 1);
    }

    function test_constructor__proof_window_within_the_report__refused() public {
        IEpochOracle.Timing memory t = timing();
        t.proofWindow = t.reportBy;
        refused(t, "proofWindow", t.reportBy, t.reportBy);
        t.proofWindow = t.reportBy + 1;
        eq(deploy(t).ringSize(), 4, "an epoch and three");
    }

    function test_timing__views__as_deployed() public {
        eq(keccak256(abi.encode(oracle.timing())), keccak256(abi.encode(timing())), "timing");
        vm.warp(genesis - 1);
        eq(oracle.currentEpoch(), 0, "before the first");
        vm.warp(genesis + EPOCH);
        eq(oracle.currentEpoch(), 1, "the second");
        vm.warp(genesis + EPOCH - 1);
        eq(oracle.currentEpoch(), 0, "to its last second");
        eq(oracle.domainSeparator(), domainOf(address(oracle)), "domain");
    }
}
