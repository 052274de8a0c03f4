// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {Epochs} from "./Epochs.sol";

/// @title Seats that come, sign, stay away and go, epoch after epoch
abstract contract SeatCourse is Epochs {
    uint64 internal next; // the epoch to open after the last

    function setUp() public virtual {
        deployNetwork();
    }

    /// @dev Opens the epochs up to `epoch` one by one.
    function reach(uint64 epoch) internal {
        for (; next <= epoch; ++next) openEpoch(next);
    }

    /// @dev Opens `epoch` and none before it.
    function skipTo(uint64 epoch) internal {
        openEpoch(epoch);
        next = epoch + 1;
    }

    /// @dev The next epoch, sealed and reported by the seats of these masks. An empty mask: that does not happen.
    function play(uint256 sealMask, uint256 reportMask) internal returns (uint64 e) {
        e = next;
        reach(e);
        if (sealMask == 0) return e;
        vm.warp(startOf(e) + 400);
        oracle.seal(e, 0, keccak256("s"), 1, quorumOf(sealDigest(e, 0, keccak256("s"), 1), sealMask));
        if (reportMask == 0) return e;
        drawEpoch(e);
        IEpochOracle.Report memory r = plainReport(e);
        oracle.report(r, quorumOf(reportDigest(r), reportMask));
    }

    function playUntil(uint64 epoch, uint256 sealMask, uint256 reportMask) internal {
        while (next <= epoch) play(sealMask, reportMask);
    }

    /// @dev As `play` with an empty mask, to the moment from which on seats may check in.
    function stop() internal returns (uint64 e) {
        e = play(0, 0);
        vm.warp(startOf(e) + SEAL_BY + 1);
    }

    function checkIn(uint256 i, uint64 epoch) internal {
        vm.prank(seatAccount(i));
        seats.checkIn(epoch);
    }

    function checkInFails(uint256 i, uint64 epoch, bytes memory why) internal {
        vm.prank(seatAccount(i));
        vm.expectRevert(why);
        seats.checkIn(epoch);
    }

    function leave(uint256 i) internal {
        vm.prank(seatAccount(i));
        seats.leave();
    }

    function slash(uint256 i) internal returns (uint128) {
        vm.prank(address(fraud));
        return seats.markSlashed(seatAccount(i), seatSigner(i));
    }

    function raise(uint256 i, uint128 amount) internal {
        stakeFor(seatAccount(i), amount);
        vm.prank(seatAccount(i));
        seats.raiseStake(amount);
    }

    /// @dev `account` asks for a seat with signer key k.
    function joinAs(address account, uint256 k) internal {
        bytes memory signature = seatSignature(k, account);
        vm.prank(account);
        seats.join(seatSigner(k), "", 0, signature);
    }

    function joinFails(address account, uint256 k, bytes memory why) internal {
        bytes memory signature = seatSignature(k, account);
        vm.prank(account);
        vm.expectRevert(why);
        seats.join(seatSigner(k), "", 0, signature);
    }

    function evictFails(uint256 i, uint256 leftOut) internal {
        vm.expectRevert(
            abi.encodeWithSelector(
                IValidatorSet.ValidatorSet_NotIdle.selector, seatAccount(i), leftOut, uint256(IDLE_EPOCHS)
            )
        );
        seats.evict(seatAccount(i));
    }

    function seatsAt(uint64 epoch) internal view returns (uint256) {
        return oracle.epochState(epoch).seats;
    }

    /// @dev Whether seat i sits in the set of an epoch that was opened.
    function sits(uint64 epoch, uint256 i) internal view returns (bool) {
        IValidatorSet.Seat[] memory list = seats.seatsOf(oracle.epochState(epoch).setId);
        for (uint256 at = 0; at < list.length; ++at) {
            if (list[at].account == seatAccount(i)) return list[at].signer == seatSigner(i);
        }
        return false;
    }

    function planned(uint256 i) internal view returns (bool) {
        address[] memory list = seats.plannedSeats();
        for (uint256 at = 0; at < list.length; ++at) if (list[at] == seatAccount(i)) return true;
        return false;
    }

    function stands(uint256 i, IValidatorSet.Status status, string memory what) internal view {
        eq(uint256(seats.member(seatAccount(i)).status), uint256(status), what);
    }

    function notSeated(uint256 i) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IValidatorSet.ValidatorSet_NotSeated.selector, seatAccount(i));
    }

    function free(uint256 i) internal view returns (uint256) {
        return stake.freeStake(seatAccount(i));
    }
}
