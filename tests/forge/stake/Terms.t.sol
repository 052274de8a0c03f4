// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IStakeManager} from "contracts/interfaces/IStakeManager.sol";

import {Market} from "../base/Market.sol";

/// @title StakeManager's periods, and the bounty
contract StakeTerms is Market {
    uint40 internal constant LEAST = EPOCH + OPEN_BY + SEAL_BY + DRAW_BY + REPORT_BY + PROOF_WINDOW + ANSWER_WINDOW;

    function setUp() public {
        deployNetwork();
    }

    function deploy(uint40 unbonding, uint40 hold, uint16 bounty) internal returns (IStakeManager) {
        return IStakeManager(
            this.deployed(
                "StakeManager",
                abi.encode(
                    authority,
                    token,
                    registry,
                    seats,
                    fraud,
                    oracle,
                    delays,
                    ANSWER_WINDOW,
                    unbonding,
                    hold,
                    bounty
                )
            )
        );
    }

    function test_unbonding_near_zero__cannot_be_deployed() public {
        vm.expectRevert(
            abi.encodeWithSelector(IStakeManager.StakeManager_UnbondingTooShort.selector, LEAST, uint256(LEAST))
        );
        deploy(LEAST, SLASH_HOLD, 1_000);
        eq(deploy(LEAST + 1, SLASH_HOLD, 1_000).unbondingPeriod(), LEAST + 1, "one second more");
    }

    function test_a_hold_no_longer_than_the_timelocks_longest_delay__cannot_be_deployed() public {
        vm.expectRevert(
            abi.encodeWithSelector(
                IStakeManager.StakeManager_HoldTooShort.selector, LONGEST_DELAY, uint256(LONGEST_DELAY)
            )
        );
        deploy(UNBONDING, LONGEST_DELAY, 1_000);
        eq(deploy(UNBONDING, LONGEST_DELAY + 1, 1_000).slashHold(), LONGEST_DELAY + 1, "one second more");
    }

    /// @dev Slashes are stored in 96 bits, which no amount can exceed where the token's cap does not.
    function test_a_token_whose_cap_does_not_fit__cannot_be_deployed() public {
        uint256 limit = type(uint96).max;
        vm.mockCall(address(token), abi.encodeCall(token.cap, ()), abi.encode(limit + 1));
        vm.expectRevert(
            abi.encodeWithSelector(IStakeManager.StakeManager_CapTooLarge.selector, limit + 1, limit)
        );
        deploy(UNBONDING, SLASH_HOLD, 1_000);
        vm.mockCall(address(token), abi.encodeCall(token.cap, ()), abi.encode(limit));
        deploy(UNBONDING, SLASH_HOLD, 1_000);
    }

    function test_a_bounty_above_ten_percent__cannot_be_deployed() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeManager_BadBounty.selector, 1_001, 1_000));
        deploy(UNBONDING, SLASH_HOLD, 1_001);
        eq(deploy(UNBONDING, SLASH_HOLD, 1_000).bountyBps(), 1_000, "ten percent");
    }

    function test_a_bounty_above_ten_percent__cannot_be_set() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeManager_BadBounty.selector, 1_001, 1_000));
        stake.setBounty(1_001);
        vm.expectEmit();
        emit IStakeManager.BountySet(999);
        stake.setBounty(999);
        eq(stake.bountyBps(), 999, "set");
    }

    function test_the_bounty__is_governances_to_set() public {
        address[3] memory callers = [provider, GUARDIAN, address(fraud)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.prank(callers[i]);
            vm.expectRevert(abi.encodeWithSignature("AccessManagedUnauthorized(address)", callers[i]));
            stake.setBounty(1);
        }
    }
}
