// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";

import {Market} from "../base/Market.sol";

/// @title DeviceRegistry.addProfile and closeProfile
contract Profiles is Market {
    uint256 internal constant WORK = 2 * 64 * 64 * 3; // of `good`

    function setUp() public {
        deployNetwork();
    }

    function good() internal pure returns (IDeviceRegistry.Profile memory) {
        return IDeviceRegistry.Profile(2, 64, 64, 3, 32, 4, 3, 1, 0, 0, LEAST_STAKE);
    }

    function refused(IDeviceRegistry.Profile memory p, string memory what, uint256 value) internal {
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_BadProfile.selector, what, value));
        registry.addProfile(p);
    }

    function test_add_profile__within_the_rules__gets_the_next_id_and_stays_as_it_is() public {
        IDeviceRegistry.Profile memory p = good();
        p.maxGops = 7;
        eq(registry.addProfile(p), 4, "the next id");
        eq(registry.profileCount(), 4, "how many");
        eq(keccak256(abi.encode(registry.profile(4))), keccak256(abi.encode(p)), "every field");
        isTrue(!registry.profileClosed(4), "open");
    }

    function test_add_profile__of_the_largest_shape__is_taken() public {
        IDeviceRegistry.Profile memory p = good();
        (p.M, p.N, p.K, p.chunk, p.T) = (1 << 20, 1 << 20, 65_536, 1 << 20, type(uint32).max);
        registry.addProfile(p);
    }

    function test_add_profile__sides_that_are_no_powers_of_two_or_too_large__reverts() public {
        uint32[4] memory sides = [uint32(0), 3, 96, 1 << 21];
        for (uint256 i = 0; i < 4; ++i) {
            IDeviceRegistry.Profile memory p = good();
            p.M = sides[i];
            refused(p, "M", sides[i]);
            p = good();
            p.N = sides[i];
            refused(p, "N", sides[i]);
        }
    }

    function test_add_profile__an_inner_length_off_the_rules__reverts() public {
        uint32[4] memory lengths = [uint32(0), 63, 65, 65_600];
        for (uint256 i = 0; i < 4; ++i) {
            IDeviceRegistry.Profile memory p = good();
            p.K = lengths[i];
            refused(p, "K", lengths[i]);
        }
    }

    function test_add_profile__a_chunk_that_does_not_divide_a_row__reverts() public {
        uint32[4] memory chunks = [uint32(0), 16, 48, 128];
        for (uint256 i = 0; i < 4; ++i) {
            IDeviceRegistry.Profile memory p = good();
            p.chunk = chunks[i];
            refused(p, "chunk", chunks[i]);
        }
    }

    function test_add_profile__without_rounds__reverts() public {
        IDeviceRegistry.Profile memory p = good();
        p.T = 0;
        refused(p, "T", 0);
    }

    function test_add_profile__without_samples__reverts() public {
        IDeviceRegistry.Profile memory p = good();
        p.k = 0;
        refused(p, "k", 0);
    }

    function test_add_profile__more_rounds_kept_than_there_are__reverts() public {
        IDeviceRegistry.Profile memory p = good();
        p.W = 4;
        refused(p, "W", 4);
    }

    function test_add_profile__without_a_deadline_or_beyond_the_longest__reverts() public {
        IDeviceRegistry.Profile memory p = good();
        p.deadlineMs = 0;
        refused(p, "deadlineMs", 0);
        p.deadlineMs = LONGEST_DEADLINE + 1;
        refused(p, "deadlineMs", LONGEST_DEADLINE + 1);
        p.deadlineMs = LONGEST_DEADLINE;
        registry.addProfile(p);
    }

    function test_add_profile__a_stake_out_of_bounds__reverts() public {
        IDeviceRegistry.Profile memory p = good();
        p.stake = LEAST_STAKE - 1;
        refused(p, "stake", LEAST_STAKE - 1);
        p.stake = MOST_STAKE + 1;
        refused(p, "stake", MOST_STAKE + 1);
        p.stake = MOST_STAKE;
        registry.addProfile(p);
    }

    /// @dev A profile whose work is little and whose credit is large would be the whole emission of whoever enrols first.
    function test_add_profile__more_credit_than_its_work__reverts() public {
        IDeviceRegistry.Profile memory p = good();
        p.credit = uint32(WORK / WORK_PER_CREDIT);
        registry.addProfile(p);
        p.credit += 1;
        refused(p, "credit", p.credit);
        p.credit = type(uint32).max;
        refused(p, "credit", p.credit);
    }

    function test_add_profile__twice_the_work__may_have_twice_the_credit(uint256 which) public {
        IDeviceRegistry.Profile memory p = good();
        which = which % 4;
        if (which == 0) p.M *= 2;
        else if (which == 1) p.N *= 2;
        else if (which == 2) p.K *= 2;
        else p.T *= 2;
        p.credit = uint32(2 * WORK / WORK_PER_CREDIT);
        registry.addProfile(p);
        p.credit += 1;
        refused(p, "credit", p.credit);
    }

    function test_add_profile__by_anybody_but_governance__reverts() public {
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSignature("AccessManagedUnauthorized(address)", provider));
        registry.addProfile(good());
    }

    function test_close_profile__takes_no_more_devices_and_earns_no_more() public {
        bytes32 device = enrol(0, 1);
        vm.expectEmit();
        emit IDeviceRegistry.ProfileClosed(1);
        registry.closeProfile(1);
        isTrue(registry.profileClosed(1), "closed");
        eq(registry.profile(1).credit, 0, "credit");
        eq(registry.profile(1).stake, DEVICE_STAKE, "and nothing else");
        stakeFor(provider, DEVICE_STAKE);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_ProfileClosed.selector, 1));
        registry.enrol(vm.addr(DEVICE_KEY + 1), 1, 0, "", 0, "");
        eq(uint256(registry.device(device).status), uint256(IDeviceRegistry.Status.Active), "its devices stay");
        enrol(1, 2);
    }

    /// @dev What a device had to compute is the same whatever its credit: closing convicts nobody and frees nobody.
    function test_close_profile__changes_no_job() public {
        bytes32 before = registry.jobHash(1, keccak256("seed"));
        registry.closeProfile(1);
        eq(registry.jobHash(1, keccak256("seed")), before, "job");
    }

    function test_close_profile__twice__reverts() public {
        registry.closeProfile(1);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_ProfileClosed.selector, 1));
        registry.closeProfile(1);
    }

    function test_close_profile__that_does_not_exist__reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_UnknownProfile.selector, 0));
        registry.closeProfile(0);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_UnknownProfile.selector, 4));
        registry.closeProfile(4);
    }

    function test_close_profile__by_anybody_but_governance__reverts() public {
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSignature("AccessManagedUnauthorized(address)", GUARDIAN));
        registry.closeProfile(1);
    }

    function deploy(IDeviceRegistry.ProfileBounds memory bounds, IDeviceRegistry.Profile[] memory first)
        internal
        returns (IDeviceRegistry)
    {
        bytes memory arguments = abi.encode(authority, stake, oracle, fraud, demands, escrow, bounds, first);
        return IDeviceRegistry(this.deployed("DeviceRegistry", arguments));
    }

    function refusedBounds(IDeviceRegistry.ProfileBounds memory b, string memory what, uint256 value, uint256 bound)
        internal
    {
        vm.expectRevert(
            abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_BadBound.selector, what, value, bound)
        );
        deploy(b, new IDeviceRegistry.Profile[](0));
    }

    function test_bounds_that_bound_nothing_or_everything__cannot_be_deployed() public {
        IDeviceRegistry.ProfileBounds memory b = profileBounds();
        b.minStake = 0;
        refusedBounds(b, "minStake", 0, 1);
        b = profileBounds();
        b.maxStake = b.minStake - 1;
        refusedBounds(b, "maxStake", b.maxStake, b.minStake);
        b = profileBounds();
        b.workPerCredit = 0;
        refusedBounds(b, "workPerCredit", 0, 1);
        b = profileBounds();
        b.maxDeadlineMs = 0;
        refusedBounds(b, "maxDeadlineMs", 0, 1);
    }

    function test_bounds__are_shown_as_they_were_given() public {
        IDeviceRegistry.ProfileBounds memory b = IDeviceRegistry.ProfileBounds(5, 5, 1, 1);
        IDeviceRegistry made = deploy(b, new IDeviceRegistry.Profile[](0));
        eq(keccak256(abi.encode(made.profileBounds())), keccak256(abi.encode(b)), "bounds");
    }

    function test_a_first_profile_out_of_bounds__cannot_be_deployed() public {
        IDeviceRegistry.Profile[] memory first = new IDeviceRegistry.Profile[](1);
        first[0] = good();
        first[0].stake = MOST_STAKE + 1;
        vm.expectRevert(
            abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_BadProfile.selector, "stake", MOST_STAKE + 1)
        );
        deploy(profileBounds(), first);
    }
}
