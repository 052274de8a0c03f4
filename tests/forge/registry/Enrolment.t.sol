// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IStakeManager} from "contracts/interfaces/IStakeManager.sol";

import {Pausable} from "../base/Extras.sol";
import {Market} from "../base/Market.sol";

/// @title DeviceRegistry.enrol
contract Enrolment is Market {
    bytes32 internal constant SPEC = keccak256("specification");
    address internal key = vm.addr(DEVICE_KEY);

    function setUp() public {
        deployNetwork();
        stakeFor(provider, DEVICE_STAKE);
    }

    function signature(uint256 signer, address by, uint32 profile, uint64 nonce) internal view returns (bytes memory) {
        bytes memory encoded = abi.encode(
            keccak256("Enrol(address provider,uint32 profile,bytes32 specHash,uint64 nonce)"), by, profile, SPEC, nonce
        );
        return signed(signer, digestIn(address(registry), encoded));
    }

    function enrolWith(address deviceKey, uint32 profile, bytes memory signature_) internal returns (bytes32) {
        vm.prank(provider);
        return registry.enrol(deviceKey, profile, SPEC, "https://device", keccak256("tls"), signature_);
    }

    function badSignature(address recovered) internal view returns (bytes memory) {
        return abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_BadSignature.selector, key, recovered);
    }

    function test_enrol__signed_by_the_device_key__is_active_and_staked() public {
        bytes32 id = enrolWith(key, 3, signature(DEVICE_KEY, provider, 3, 0));
        eq(id, keccak256(abi.encodePacked(provider, key)), "id");
        eq(id, registry.deviceIdOf(provider, key), "as the view says");
        IDeviceRegistry.Device memory d = registry.device(id);
        eq(d.provider, provider, "provider");
        eq(d.deviceKey, key, "key");
        eq(d.profile, 3, "profile");
        eq(uint256(d.status), uint256(IDeviceRegistry.Status.Active), "status");
        eq(d.enrolledAt, block.timestamp, "enrolled");
        eq(d.retiredAt, 0, "not retired");
        eq(d.specHash, SPEC, "specification");
        isTrue(!d.stakeReleased, "staked");
        eq(stake.account(provider).reserved, DEVICE_STAKE, "reserved");
        eq(registry.enrolNonce(key), 1, "the key's nonce is spent");
        eq(registry.deviceCount(), 1, "how many");
        eq(registry.keyOf(id), key, "key");
    }

    function test_enrol__announces_the_device_and_where_it_is() public {
        bytes memory s = signature(DEVICE_KEY, provider, 1, 0);
        bytes32 id = registry.deviceIdOf(provider, key);
        vm.expectEmit();
        emit IDeviceRegistry.DeviceEnrolled(id, provider, key, 1, SPEC);
        vm.expectEmit();
        emit IDeviceRegistry.DeviceEndpoint(id, "https://device", keccak256("tls"));
        enrolWith(key, 1, s);
    }

    function test_enrol__of_a_zero_key__reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_ZeroKey.selector));
        enrolWith(address(0), 1, "");
    }

    function test_enrol__at_no_profile__reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_UnknownProfile.selector, 0));
        enrolWith(key, 0, "");
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_UnknownProfile.selector, 4));
        enrolWith(key, 4, "");
    }

    function test_enrol__twice__reverts() public {
        bytes32 id = enrolWith(key, 1, signature(DEVICE_KEY, provider, 1, 0));
        stakeFor(provider, DEVICE_STAKE);
        bytes memory again = signature(DEVICE_KEY, provider, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_AlreadyEnrolled.selector, id));
        enrolWith(key, 1, again);
    }

    /// @dev A device that was slashed does not come back under its id, whose faults of long ago would then be nobody's.
    function test_enrol__of_a_device_that_left__reverts() public {
        bytes32 id = enrolWith(key, 1, signature(DEVICE_KEY, provider, 1, 0));
        vm.prank(provider);
        registry.retire(id);
        vm.warp(registry.releasableFrom(id));
        registry.releaseStake(id);
        bytes memory again = signature(DEVICE_KEY, provider, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_AlreadyEnrolled.selector, id));
        enrolWith(key, 1, again);
    }

    function test_enrol__signed_by_another_key__reverts() public {
        bytes memory s = signature(DEVICE_KEY + 1, provider, 1, 0);
        vm.expectRevert(badSignature(vm.addr(DEVICE_KEY + 1)));
        enrolWith(key, 1, s);
    }

    function test_enrol__signed_for_another_provider_profile_or_nonce__reverts() public {
        bytes4 bad = IDeviceRegistry.DeviceRegistry_BadSignature.selector;
        bytes memory s = signature(DEVICE_KEY, renter, 1, 0);
        vm.expectPartialRevert(bad);
        enrolWith(key, 1, s);
        s = signature(DEVICE_KEY, provider, 2, 0);
        vm.expectPartialRevert(bad);
        enrolWith(key, 1, s);
        s = signature(DEVICE_KEY, provider, 1, 1);
        vm.expectPartialRevert(bad);
        enrolWith(key, 1, s);
    }

    function test_enrol__with_no_signature__reverts() public {
        vm.expectRevert(badSignature(address(0)));
        enrolWith(key, 1, "");
    }

    function test_enrol__without_stake__reverts() public {
        enrolWith(key, 1, signature(DEVICE_KEY, provider, 1, 0));
        bytes memory s = signature(DEVICE_KEY + 1, provider, 1, 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStakeManager.StakeManager_InsufficientStake.selector, provider, 0, uint256(DEVICE_STAKE)
            )
        );
        enrolWith(vm.addr(DEVICE_KEY + 1), 1, s);
    }

    function test_enrol__with_an_endless_endpoint__reverts() public {
        bytes memory s = signature(DEVICE_KEY, provider, 1, 0);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_EndpointTooLong.selector, 257, 256));
        registry.enrol(key, 1, SPEC, string(new bytes(257)), 0, s);
    }

    function test_enrol__while_entry_is_paused__reverts() public {
        vm.prank(GUARDIAN);
        Pausable(address(registry)).pauseEntry(1 days);
        bytes memory s = signature(DEVICE_KEY, provider, 1, 0);
        vm.expectRevert(abi.encodeWithSignature("EntryPausedUntil(uint40)", block.timestamp + 1 days));
        enrolWith(key, 1, s);
    }

    function test_a_key_sold_to_another_provider__is_another_device_with_a_stake_of_its_own() public {
        bytes32 sold = enrolWith(key, 1, signature(DEVICE_KEY, provider, 1, 0));
        stakeFor(renter, DEVICE_STAKE);
        bytes memory s = signature(DEVICE_KEY, renter, 1, 1);
        vm.prank(renter);
        bytes32 bought = registry.enrol(key, 1, SPEC, "", 0, s);
        isTrue(bought != sold, "another id");
        eq(registry.device(sold).provider, provider, "the first stays whose it was");
        eq(stake.account(renter).reserved, DEVICE_STAKE, "staked by the buyer");
    }
}
