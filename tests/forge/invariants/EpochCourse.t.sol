// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {Checks} from "../base/Checks.sol";
import {Oracle, Seats} from "../base/Extras.sol";
import {EpochHandler} from "./EpochHandler.sol";

/// @title What holds of epochs and seats whatever anybody does
///
/// Quorum. A seal or a report goes through exactly when at least ⌊2n/3⌋ + 1 seats of the epoch's own set signed it, in its time
/// (checked by the handler at each try); no signer is ever recorded outside the set.
///
/// Course. Phases only move on, a beacon never changes, rewards never fall, reports never go back (checked at each step).
///
/// No gaps. Whatever became of earlier epochs, the next one can be opened in its time.
///
/// Seats. A set that an epoch has used never changes, its signers are different, and it has at most 31 seats.
contract EpochInvariants is Checks {
    EpochHandler internal handler;
    Oracle internal oracle;
    Seats internal seats;
    mapping(uint32 setId => bytes32) internal setHash;

    function setUp() public {
        handler = new EpochHandler();
        (oracle, seats) = handler.parts();
    }

    struct Selectors {
        address addr;
        bytes4[] selectors;
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() public view returns (Selectors[] memory list) {
        bytes4[] memory s = new bytes4[](8);
        (s[0], s[1], s[2], s[3]) =
            (handler.open.selector, handler.wait.selector, handler.seal.selector, handler.draw.selector);
        (s[4], s[5], s[6], s[7]) = (
            handler.report.selector, handler.voidEpoch.selector, handler.joinSeat.selector, handler.leaveSeat.selector
        );
        list = new Selectors[](1);
        list[0] = Selectors(address(handler), s);
    }

    function invariant_signers_within_their_set() public view {
        IEpochOracle.EpochState memory s = oracle.epochState(handler.highest());
        isTrue(uint256(s.sealSigners | s.reportSigners) >> s.seats == 0, "no signer outside the set");
        uint256 quorum = (2 * uint256(s.seats)) / 3 + 1;
        if (s.sealBlock != 0) atMost(quorum, handler.bits(s.sealSigners), "a quorum sealed");
        if (s.reportedAt != 0) atMost(quorum, handler.bits(s.reportSigners), "a quorum reported");
    }

    function invariant_sets_never_change() public {
        uint32 current = seats.currentSetId();
        for (uint32 id = 1; id <= current; ++id) {
            IValidatorSet.Seat[] memory list = seats.seatsOf(id);
            atMost(list.length, 31, "seats");
            bytes32 hash = keccak256(abi.encode(list));
            if (setHash[id] == 0) setHash[id] = hash;
            eq(hash, setHash[id], "a set never changes");
            for (uint256 i = 0; i < list.length; ++i) {
                for (uint256 k = 0; k < i; ++k) isTrue(list[i].signer != list[k].signer, "one signer, one seat");
            }
        }
    }

    function afterInvariant() public {
        uint64 before = handler.highest();
        handler.open();
        isTrue(handler.highest() > before, "no gap holds up the next epoch");
    }
}
