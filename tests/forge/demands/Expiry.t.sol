// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IFraudErrors} from "contracts/interfaces/IFraudErrors.sol";
import {IOpeningDemands} from "contracts/interfaces/IOpeningDemands.sol";

import {Asked} from "./Asked.sol";

/// @title OpeningDemands.expireDemand, deadlines, and FraudProofs.convictWithheld
contract Expiry is Asked {
    function setUp() public {
        deployAsked();
    }

    function deadlineOf(bytes32 id) internal view returns (uint40) {
        return demands.demandOf(id).deadline;
    }

    function test_a_withheld_opening__is_slashed_from_its_deadline_on() public {
        bytes32 id = ask(true, 0);
        (uint128 bond,,) = demands.bondOfDemand(id);
        uint40 deadline = deadlineOf(id);
        vm.warp(deadline - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IOpeningDemands.OpeningDemands_NotExpired.selector, id, deadline, uint256(deadline) - 1
            )
        );
        demands.expireDemand(id);
        vm.warp(deadline);
        vm.expectEmit();
        emit IOpeningDemands.DemandExpired(id, true);
        demands.expireDemand(id);
        held(provider, DEVICE_STAKE, ACCUSER);
        eq(demands.bondOf(ACCUSER), bond, "the whole bond back");
        eq(uint256(registry.device(deviceIds[0]).status), uint256(IDeviceRegistry.Status.Slashed), "off the market");
        isTrue(fraud.proven(IFraudErrors.Kind.WithheldOpening, deviceIds[0], 0), "of this epoch");
        isTrue(!fraud.proven(IFraudErrors.Kind.WithheldOpening, deviceIds[0], 1), "of no other");
        eq(statusOf(id), uint256(IOpeningDemands.DemandStatus.Expired), "status");
        eq(demands.openDemandsOf(deviceIds[0]) + demands.openDemands(), 0, "closed");
    }

    function test_expire__twice_or_what_was_answered_or_never_asked__reverts() public {
        bytes32 id = ask(true, 0);
        bytes32 answered = ask(false, 0);
        answerRound(answered, 0);
        vm.warp(deadlineOf(id));
        demands.expireDemand(id);
        vm.expectRevert(notOpen(id, IOpeningDemands.DemandStatus.Expired));
        demands.expireDemand(id);
        vm.expectRevert(notOpen(answered, IOpeningDemands.DemandStatus.Answered));
        demands.expireDemand(answered);
        vm.expectRevert(notOpen(keccak256("none"), IOpeningDemands.DemandStatus.None));
        demands.expireDemand(keccak256("none"));
    }

    /// @dev The first that runs out slashes; whoever else had asked gets the bond back at once, and nothing else happens.
    function test_other_demands_against_a_slashed_device__give_the_bond_back_and_nothing_else() public {
        address other = address(0x07e4);
        allow(other);
        bytes32 first = ask(true, 0);
        bytes32 second = ask(other, 0, true, 1);
        (uint128 bond,,) = demands.bondOfDemand(second);
        vm.warp(deadlineOf(first));
        demands.expireDemand(first);
        isTrue(block.timestamp < deadlineOf(second), "before its time");
        vm.expectEmit();
        emit IOpeningDemands.DemandExpired(second, false);
        demands.expireDemand(second);
        eq(demands.bondOf(other), bond, "the whole bond");
        eq(stake.heldSlashCount(), 1, "slashed once");
    }

    function test_a_demand_against_a_device_slashed_for_something_else__gives_the_bond_back() public {
        bytes32 id = ask(true, 0);
        (uint128 bond,,) = demands.bondOfDemand(id);
        slashDevice();
        demands.expireDemand(id);
        eq(demands.bondOf(ACCUSER), bond, "the whole bond");
        isTrue(!fraud.proven(IFraudErrors.Kind.WithheldOpening, deviceIds[0], 0), "withheld nothing");
    }

    /// @dev A device that retires does not get away: the demand is of an epoch that it answers for.
    function test_a_withheld_opening__of_a_device_that_retired_meanwhile__is_slashed() public {
        bytes32 id = ask(true, 0);
        vm.prank(provider);
        registry.retire(deviceIds[0]);
        vm.warp(deadlineOf(id));
        demands.expireDemand(id);
        held(provider, DEVICE_STAKE, ACCUSER);
    }

    /// @dev Asked in the last second of the proof window, the demand runs on when everything else is over.
    function test_an_open_demand__keeps_the_devices_stake_and_nothing_else() public {
        vm.prank(provider);
        registry.retire(deviceIds[0]);
        stakeFor(provider, 77e18);
        vm.prank(provider);
        stake.requestWithdrawal(77e18);
        vm.warp(startOf(1) + PROOF_WINDOW);
        bytes32 id = ask(true, 0);
        vm.warp(registry.releasableFrom(deviceIds[0]));
        vm.expectRevert(
            abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_DemandsOpen.selector, deviceIds[0], 1)
        );
        registry.releaseStake(deviceIds[0]);
        vm.warp(block.timestamp + UNBONDING);
        vm.prank(provider);
        eq(stake.withdraw(provider), 77e18, "what backs nothing leaves");
        vm.prank(provider);
        registry.retire(deviceIds[1]);
        answerRow(id, 0);
        registry.releaseStake(deviceIds[0]);
        eq(stake.freeStake(provider), DEVICE_STAKE, "and then the device's");
    }

    function test_deadlines__are_put_off_by_what_else_is_open() public {
        uint256 plain = block.timestamp + ANSWER_WINDOW;
        eq(deadlineOf(ask(ACCUSER, 1, false, 0)), plain, "nothing else");
        eq(deadlineOf(ask(false, 0)), plain + 15, "one in the network");
        eq(deadlineOf(ask(false, 1)), plain + 2 * 15 + 10 minutes, "one of the device, too");
        bytes32 third = ask(false, 2);
        eq(deadlineOf(third), plain + 3 * 15 + 20 minutes, "two");
        answerRound(third, 2);
        eq(deadlineOf(ask(true, 0)), plain + 3 * 15 + 20 minutes, "what is closed puts off nothing");
    }

    function test_deadlines__are_put_off_by_a_week_at_most() public {
        uint256 plain = block.timestamp + ANSWER_WINDOW;
        // The count of open demands, in its own slot: as if forty thousand others were open.
        vm.store(address(demands), bytes32(uint256(1)), bytes32(uint256(40_319)));
        eq(demands.openDemands(), 40_319, "open");
        eq(deadlineOf(ask(ACCUSER, 1, false, 0)), plain + 40_319 * 15, "to the last");
        eq(deadlineOf(ask(false, 0)), plain + 7 days, "a week");
        eq(deadlineOf(ask(false, 1)), plain + 7 days, "no more");
    }

    function test_expiry__while_fees_are_a_multiple_of_those_at_asking__waits_a_week_at_most() public {
        vm.fee(20 gwei);
        bytes32 id = ask(true, 0);
        uint40 deadline = deadlineOf(id);
        vm.warp(deadline);
        vm.fee(80 gwei + 1);
        bytes memory tooHigh = abi.encodeWithSelector(
            IOpeningDemands.OpeningDemands_FeesTooHigh.selector, id, 80 gwei + 1, 80 gwei, uint256(deadline) + 7 days
        );
        vm.expectRevert(tooHigh);
        demands.expireDemand(id);
        uint256 state = vm.snapshotState();
        vm.fee(80 gwei);
        demands.expireDemand(id);
        vm.revertToState(state);
        vm.warp(deadline + 7 days - 1);
        vm.expectRevert(tooHigh);
        demands.expireDemand(id);
        vm.warp(deadline + 7 days);
        demands.expireDemand(id);
        held(provider, DEVICE_STAKE, ACCUSER);
    }

    /// @dev The reward was reckoned at the reference where fees were lower: four times that is affordable.
    function test_expiry__of_a_demand_made_at_low_fees__goes_by_the_reference() public {
        vm.fee(1);
        bytes32 id = ask(true, 0);
        eq(demands.demandOf(id).baseFee, REFERENCE_BASE_FEE, "reckoned with");
        vm.warp(deadlineOf(id));
        vm.fee(4 * uint256(REFERENCE_BASE_FEE));
        demands.expireDemand(id);
    }

    function test_convict_withheld__by_anybody_but_opening_demands__reverts() public {
        address[4] memory callers = [provider, ACCUSER, address(registry), address(this)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.prank(callers[i]);
            vm.expectRevert(
                abi.encodeWithSelector(IFraudErrors.FraudProofs_NotOpeningDemands.selector, callers[i])
            );
            fraud.convictWithheld(deviceIds[0], 0, callers[i]);
        }
    }
}
