// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Network} from "../base/Network.sol";

interface Roles {
    function hasRole(uint64 role, address account) external view returns (bool isMember, uint32 delay);
    function getTargetFunctionRole(address target, bytes4 selector) external view returns (uint64);
    function GUARDIAN() external view returns (uint64);
}

/// @title Who may change what: nobody but the timelock, where the test stands, and the guardian
contract AuthorityTest is Network {
    function setUp() public {
        deployNetwork();
    }

    function test_authority__roles__timelock_administers_and_the_guardian_guards() public view {
        Roles roles = Roles(authority);
        (bool isMember, uint32 delay) = roles.hasRole(0, address(this));
        isTrue(isMember && delay == 0, "the timelock");
        (isMember, delay) = roles.hasRole(roles.GUARDIAN(), GUARDIAN);
        isTrue(isMember && delay == 0, "the guardian");
        (isMember,) = roles.hasRole(0, GUARDIAN);
        isTrue(!isMember, "the guardian administers nothing");
        address[3] memory pausable = [address(registry), address(seats), address(escrow)];
        for (uint256 i = 0; i < 3; ++i) {
            guarded(pausable[i], "pauseEntry(uint40)", true);
            guarded(pausable[i], "resumeEntry()", true);
        }
        guarded(address(rewards), "veto(uint64)", true);
        guarded(address(rewards), "vetoByTimelock(uint64)", false);
        guarded(address(token), "handOver(address,uint64)", false);
        guarded(address(stake), "restoreSlash(uint256)", false);
    }

    function guarded(address target, string memory signature, bool byGuardian) internal view {
        uint64 role = Roles(authority).getTargetFunctionRole(target, bytes4(keccak256(bytes(signature))));
        eq(role, byGuardian ? 1 : 0, signature);
    }

    function refused(address who, address target, bytes memory call) internal {
        vm.prank(who);
        (bool ok, bytes memory why) = target.call(call);
        isTrue(!ok, "went through");
        eq(keccak256(why), keccak256(abi.encodeWithSignature("AccessManagedUnauthorized(address)", who)), "why");
    }

    function test_authority__guardians_powers__nobody_elses() public {
        address stranger = address(0x57a6e4);
        refused(stranger, address(rewards), abi.encodeWithSignature("veto(uint64)", 0));
        refused(stranger, address(seats), abi.encodeWithSignature("pauseEntry(uint40)", 1));
        refused(stranger, address(registry), abi.encodeWithSignature("pauseEntry(uint40)", 1));
        refused(stranger, address(escrow), abi.encodeWithSignature("resumeEntry()"));
        // Not even the timelock's, before it has taken the role.
        refused(address(this), address(seats), abi.encodeWithSignature("pauseEntry(uint40)", 1));
    }

    function test_authority__timelocks_powers__neither_the_guardians_nor_a_strangers() public {
        address[2] memory others = [GUARDIAN, address(0x57a6e4)];
        for (uint256 i = 0; i < 2; ++i) {
            address who = others[i];
            refused(who, address(escrow), abi.encodeCall(escrow.listToken, (address(stake), 1)));
            refused(who, address(escrow), abi.encodeCall(escrow.delistToken, (address(usd))));
            refused(who, address(escrow), abi.encodeCall(escrow.setFee, (1)));
            refused(who, address(escrow), abi.encodeCall(escrow.collectFees, (address(usd), who)));
            refused(who, address(escrow), abi.encodeCall(escrow.recoverSurplus, (address(usd), who)));
            refused(who, address(escrow), abi.encodeCall(escrow.forgiveForfeit, (1)));
            refused(who, address(stake), abi.encodeCall(stake.setBounty, (1)));
            refused(who, address(stake), abi.encodeCall(stake.restoreSlash, (0)));
            refused(who, address(registry), abi.encodeCall(registry.addProfile, (firstProfiles()[0])));
            refused(who, address(registry), abi.encodeCall(registry.closeProfile, (1)));
            refused(who, address(rewards), abi.encodeCall(rewards.vetoByTimelock, (0)));
            refused(who, address(token), abi.encodeCall(token.handOver, (who, 9)));
        }
    }
}
