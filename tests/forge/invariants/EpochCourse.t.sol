// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {Checks} from "../base/Checks.sol";
import {Oracle, Rewards, Seats, Stake, Token} from "../base/Extras.sol";
import {EpochHandler} from "./EpochHandler.sol";

/// @title What holds of epochs, seats and rewards whatever anybody does
///
/// Quorum. A seal or a report goes through exactly when at least ⌊2n/3⌋ + 1 seats of the epoch's own set signed it, in its time
/// (checked by the handler at each try); no signer is ever recorded outside the set.
///
/// Course. Phases only move on, a beacon never changes, reports never go back (checked at each step). A report raises the total
/// by no more than its own epoch's emission, and what is vetoed counts no more (checked at each report and claim).
///
/// No gaps. Whatever became of earlier epochs, the next one can be opened in its time.
///
/// Seats. A set that an epoch has used never changes, its signers are different, and it has at most 31 seats. From one epoch that
/// is opened to the next it changes by no more than max(1, f / 2) seats, those aside that were slashed, who are gone; and every
/// set was foretold (checked at each opening). What an account has reserved is what its seat has at stake, no more and no less.
///
/// Mint. What was ever minted is what was claimed, within the total of the report claimed against (checked at each claim) and
/// within the emission of the epochs so far.
contract EpochInvariants is Checks {
    EpochHandler internal handler;
    Oracle internal oracle;
    Seats internal seats;
    Rewards internal rewards;
    Token internal token;
    Stake internal stake;
    mapping(uint32 setId => bytes32) internal setHash;
    uint256 internal mintedAtFirst;

    function setUp() public {
        handler = new EpochHandler();
        (oracle, seats, rewards, token, stake) = handler.parts();
        mintedAtFirst = token.minted();
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
        bytes4[] memory s = new bytes4[](14);
        (s[0], s[1], s[2], s[3]) =
            (handler.open.selector, handler.wait.selector, handler.seal.selector, handler.draw.selector);
        (s[4], s[5], s[6], s[7]) = (
            handler.report.selector, handler.voidEpoch.selector, handler.joinSeat.selector, handler.leaveSeat.selector
        );
        (s[8], s[9], s[10], s[11], s[12]) = (
            handler.slashSeat.selector,
            handler.checkInSeat.selector,
            handler.evictSeat.selector,
            handler.claimSome.selector,
            handler.vetoSome.selector
        );
        s[13] = handler.run.selector;
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

    function invariant_reservations_are_what_seats_have_at_stake() public view {
        address[] memory planned = seats.plannedSeats();
        atMost(planned.length, 31, "planned");
        for (uint256 i = 0; i < handler.accountCount(); ++i) {
            address account = handler.accounts(i);
            IValidatorSet.Member memory m = seats.member(account);
            eq(stake.account(account).reserved, m.reserved ? m.stake : 0, "reserved");
            bool sits = m.status == IValidatorSet.Status.Joining || m.status == IValidatorSet.Status.Seated;
            uint256 places;
            for (uint256 k = 0; k < planned.length; ++k) if (planned[k] == account) ++places;
            eq(places, sits ? 1 : 0, "planned exactly once while it is to sit");
        }
    }

    function invariant_minted_within_claims_and_schedule() public view {
        uint256 minted = rewards.totalClaimed();
        eq(minted, handler.paid(), "what was claimed");
        eq(token.minted() - mintedAtFirst, minted, "nobody else mints");
        atMost(minted, token.limitOf(address(rewards)), "within the emission so far");
        atMost(token.minted(), token.cap(), "within the cap");
    }

    function afterInvariant() public {
        uint64 before = handler.highest();
        handler.open(1);
        isTrue(handler.highest() > before || seats.currentSeats().length == 0, "no gap holds up the next epoch");
    }
}
