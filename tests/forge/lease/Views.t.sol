// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";
import {ITreasury} from "contracts/interfaces/ITreasury.sol";

import {Lettings} from "../base/Lettings.sol";

/// @title What the escrow's views say, of a lease through its life and of what does not exist
contract LeaseViews is Lettings {
    function zeros(bytes memory call, uint256 words) internal view {
        (bool ok, bytes memory result) = address(escrow).staticcall(call);
        isTrue(ok, "a view answers");
        eq(result.length, 32 * words, "its words");
        for (uint256 i = 0; i < words; ++i) {
            bytes32 word;
            assembly {
                word := mload(add(add(result, 0x20), mul(i, 0x20)))
            }
            eq(word, 0, "zero");
        }
    }

    function test_unknown_leases__are_zero(uint256 id) public view {
        zeros(abi.encodeCall(ILeaseEscrow.lease, (id)), 25);
        zeros(abi.encodeCall(ILeaseEscrow.streamed, (id)), 1);
        zeros(abi.encodeCall(ILeaseEscrow.claimable, (id)), 1);
        zeros(abi.encodeCall(ILeaseEscrow.refundable, (id)), 1);
        zeros(abi.encodeCall(ILeaseEscrow.bondReturnable, (id)), 1);
        zeros(abi.encodeCall(ILeaseEscrow.forfeitable, (id)), 1);
    }

    function test_unknown_devices_accounts_and_tokens__are_zero(bytes32 id, address who) public view {
        zeros(abi.encodeCall(ILeaseEscrow.activeLease, (id)), 1);
        zeros(abi.encodeCall(ILeaseEscrow.nonceFloor, (id, who)), 1);
        zeros(abi.encodeCall(ILeaseEscrow.isRefunder, (who, who)), 1);
        zeros(abi.encodeCall(ITreasury.bondCredit, (who, who)), 3);
        if (who == address(usd) || who == address(token)) return;
        zeros(abi.encodeCall(ITreasury.owed, (who)), 1);
        zeros(abi.encodeCall(ITreasury.fees, (who)), 1);
        zeros(abi.encodeCall(ITreasury.tokenAllowed, (who)), 1);
        zeros(abi.encodeCall(ITreasury.feeFloorOf, (who)), 1);
    }

    function test_a_lease__says_all_of_itself_through_its_life() public {
        ILeaseEscrow.Offer memory offer = offerOf(device, address(usd), 3e18);
        offer.maxDuration = 5_000;
        uint256 id = openLease(offer, 0, 9_000);
        vm.warp(block.timestamp + 60);
        startLease(id);
        uint256 begun = block.timestamp;
        ILeaseEscrow.Lease memory l = escrow.lease(id);
        eq(l.start, begun, "start");
        eq(l.stop, begun + 3_000, "stop");
        eq(l.bond, 1_800, "bond");
        eq(bytes32(l.offerHash), bytes32(bytes27(keccak256(offerEncoded(offer)))), "still its offer");
        eq(l.openedBlock, block.number, "still its block");
        eq(escrow.activeLease(device), id, "live");
        eq(escrow.streamed(id), 0, "nothing yet");
        vm.warp(begun + 2_999);
        eq(escrow.streamed(id), 8_997, "streamed");
        statusIs(id, ILeaseEscrow.Status.Active, "to the last second");
        vm.warp(begun + 3_000);
        statusIs(id, ILeaseEscrow.Status.Ended, "by itself");
        eq(escrow.claimable(id), 0, "held back");
        vm.warp(begun + 3_000 + HOLDBACK - 1);
        eq(escrow.claimable(id), 8_997, "all but the last second");
        eq(escrow.bondReturnable(id), 0, "held");
        vm.warp(begun + 3_000 + HOLDBACK);
        eq(escrow.claimable(id), 9_000, "all");
        eq(escrow.bondReturnable(id), 1_800, "free");
    }

    /// @dev An offer's digest is taken over calldata as it stands: bits outside of a field's type must be refused.
    function test_an_offer_with_dirty_bits__is_refused() public {
        ILeaseEscrow.Offer memory offer = plainOffer();
        IEpochOracle.DeviceLeaf[] memory leaves = passedLeaves(0, offer.deviceIds);
        bytes memory call =
            abi.encodeCall(ILeaseEscrow.open, (offer, signOffer(offer), DEPOSIT, leaves, proofsOf(leaves), 0, 0));
        uint8[10] memory fields = [0, 1, 3, 4, 5, 6, 7, 8, 9, 10]; // all but where the device ids are
        for (uint256 i = 0; i < fields.length; ++i) {
            bytes memory dirty = bytes.concat(call);
            dirty[4 + 32 * (7 + uint256(fields[i]))] = 0x01;
            vm.prank(renter);
            (bool ok,) = address(escrow).call(dirty);
            isTrue(!ok, "dirty bits");
        }
        vm.prank(renter);
        (bool good,) = address(escrow).call(call);
        isTrue(good, "and none");
    }
}
