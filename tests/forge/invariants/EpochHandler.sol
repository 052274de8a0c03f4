// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";

import {Oracle, Seats} from "../base/Extras.sol";
import {Epochs} from "../base/Epochs.sol";

/// @title Validators, and whoever else comes, who move epochs on or do not; seats that come and go
/// @dev Every step is tried with whatever mask of signers the run brings: too few must fail, enough must do.
contract EpochHandler is Epochs {
    uint64 public highest; // epoch opened last
    uint256 public opened;
    uint256 internal nextSeat;

    mapping(uint64 epoch => uint256) public reached; // phase seen last
    mapping(uint64 epoch => bytes32) public beaconOf;
    uint256 public rewardsSeen;
    uint64 public reportedLast;
    bool public anyReport;

    constructor() {
        deployNetwork();
        joinSeats(5);
        nextSeat = 5;
        open();
    }

    function parts() external view returns (Oracle, Seats) {
        return (oracle, seats);
    }

    function open() public {
        uint64 e = oracle.currentEpoch();
        if (block.timestamp < startOf(e)) vm.warp(startOf(e));
        if (opened != 0 && (e <= highest || block.timestamp > startOf(e) + OPEN_BY)) {
            e = highest >= e ? highest + 1 : e + 1;
            vm.warp(startOf(e));
        }
        vm.roll(block.number + 1);
        oracle.openEpoch(e);
        if (opened != 0 && e <= highest) revert NotTrue("an epoch opened twice or backwards");
        highest = e;
        ++opened;
        beaconOf[e] = oracle.epochState(e).beacon;
        observe();
    }

    function wait(uint256 seconds_) external {
        vm.warp(block.timestamp + within(seconds_, 1, 400));
        vm.roll(block.number + 5);
        observe();
    }

    function seal(uint256 mask, bytes32 root) external {
        IEpochOracle.EpochState memory s = oracle.epochState(highest);
        if (root == 0) root = keccak256("root");
        mask &= (1 << s.seats) - 1;
        IEpochOracle.Quorum memory q = quorumBySet(sealDigest(highest, 0, root, 1), mask, s.setId);
        bool expected = s.phase == IEpochOracle.Phase.Open && block.timestamp <= startOf(highest) + SEAL_BY
            && bits(mask) >= quorumOf(s.seats);
        (bool ok,) = address(oracle).call(abi.encodeCall(IEpochOracle.seal, (highest, 0, root, 1, q)));
        isTrue(ok == expected, "a seal goes through exactly with a quorum, in its time");
        observe();
    }

    function draw() external {
        IEpochOracle.EpochState memory s = oracle.epochState(highest);
        bool expected = s.phase == IEpochOracle.Phase.Sealed && block.timestamp <= startOf(highest) + DRAW_BY
            && block.number > s.sealBlock + DRAW_DELAY;
        (bool ok,) = address(oracle).call(abi.encodeCall(IEpochOracle.draw, (highest)));
        isTrue(ok == expected, "a draw goes through exactly after its block, in its time");
        observe();
    }

    function report(uint256 mask, uint256 more) external {
        IEpochOracle.EpochState memory s = oracle.epochState(highest);
        mask &= (1 << s.seats) - 1;
        IEpochOracle.Report memory r = plainReport(highest);
        r.rewardsTotal += within(more, 0, 200e18);
        IEpochOracle.Quorum memory q = quorumBySet(reportDigest(r), mask, s.setId);
        (uint128 before,,) = oracle.lastReport();
        uint256 limit = s.seats < 4 ? before : before + rewards.emissionOf(highest);
        bool expected = s.phase == IEpochOracle.Phase.Drawn && block.timestamp <= startOf(highest) + REPORT_BY
            && bits(mask) >= quorumOf(s.seats) && r.rewardsTotal <= limit;
        (bool ok,) = address(oracle).call(abi.encodeCall(IEpochOracle.report, (r, q)));
        isTrue(ok == expected, "a report goes through exactly with a quorum, in its time, within the schedule");
        observe();
    }

    function voidEpoch(uint256 back) external {
        uint64 e = highest - uint64(within(back, 0, highest > 2 ? 2 : highest));
        address(oracle).call(abi.encodeCall(IEpochOracle.voidEpoch, (e)));
        observe();
    }

    function joinSeat() external {
        if (nextSeat >= 25 || seats.plannedSeats().length >= 12) return;
        join(nextSeat++, SEAT_STAKE);
    }

    function leaveSeat(uint256 pick) external {
        address[] memory planned = seats.plannedSeats();
        if (planned.length <= 2) return;
        vm.prank(planned[pick % planned.length]);
        seats.leave();
    }

    /// @dev Phases only move on, a beacon never changes, rewards never fall, reports never go back.
    function observe() internal {
        uint64 first = highest > 3 ? highest - 3 : 0;
        for (uint64 e = first; e <= highest; ++e) {
            IEpochOracle.EpochState memory s = oracle.epochState(e);
            atMost(reached[e], uint256(s.phase), "phases only move on");
            reached[e] = uint256(s.phase);
            eq(s.beacon, beaconOf[e], "a beacon never changes");
        }
        (uint128 total, uint64 last, bool any) = oracle.lastReport();
        atMost(rewardsSeen, total, "rewards never fall");
        isTrue(!anyReport || (any && last >= reportedLast), "reports never go back");
        (rewardsSeen, reportedLast, anyReport) = (total, last, any);
    }

    function bits(uint256 mask) public pure returns (uint256 n) {
        for (; mask != 0; mask &= mask - 1) ++n;
    }

    /// @dev Seats of the epoch's own set sign, whoever they are by now.
    function quorumBySet(bytes32 digest, uint256 mask, uint32 setId)
        internal
        view
        returns (IEpochOracle.Quorum memory q)
    {
        q.signers = uint32(mask);
        for (uint256 i = 0; i < 32; ++i) {
            if ((mask >> i) & 1 == 0) continue;
            (, address signer) = seats.seatAt(setId, i);
            uint256 k;
            while (seatSigner(k) != signer) ++k;
            q.signatures = bytes.concat(q.signatures, signed(SEAT_KEY + k, digest));
        }
    }
}
