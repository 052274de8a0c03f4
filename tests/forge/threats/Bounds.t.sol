// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";

import {Market} from "../base/Market.sol";

/// @title What cannot be deployed, added or enrolled
contract Bounds is Market {
    function setUp() public {
        deployNetwork();
    }

    function deployable(string memory name, bytes memory arguments) internal returns (bool) {
        try this.deploy(name, arguments) {
            return true;
        } catch {
            return false;
        }
    }

    function deploy(string memory name, bytes memory arguments) external {
        vm.deployCode(string.concat(name, ".sol:", name), arguments);
    }

    function withTiming(uint32 length, uint32 open, uint32 seal, uint32 draw, uint32 report, uint32 delay, uint40 window)
        internal
        returns (bool)
    {
        IEpochOracle.Timing memory t = IEpochOracle.Timing(genesis, length, open, seal, draw, report, delay, window);
        return deployable("EpochOracle", abi.encode(seats, rewards, t));
    }

    function test_timings_out_of_order__cannot_be_deployed() public {
        isTrue(withTiming(1_000, 50, 550, 650, 1_500, 2, 10_000), "as they are");
        isTrue(withTiming(1_000, 1, 2, 999, 2_000, 1, 2_001), "at every bound");
        isTrue(!withTiming(0, 50, 550, 650, 1_500, 2, 10_000), "no length");
        isTrue(!withTiming(1_000, 0, 550, 650, 1_500, 2, 10_000), "no time to open");
        isTrue(!withTiming(1_000, 550, 550, 650, 1_500, 2, 10_000), "seal with opening");
        isTrue(!withTiming(1_000, 50, 650, 650, 1_500, 2, 10_000), "draw with seal");
        isTrue(!withTiming(1_000, 50, 550, 1_000, 1_500, 2, 10_000), "draw in the next epoch");
        isTrue(!withTiming(1_000, 50, 550, 650, 650, 2, 10_000), "report with draw");
        isTrue(!withTiming(1_000, 50, 550, 650, 2_001, 2, 10_000), "report too late");
        isTrue(!withTiming(1_000, 50, 550, 650, 1_500, 0, 10_000), "no delay");
        isTrue(!withTiming(1_000, 50, 550, 650, 1_500, 2, 1_500), "no window");
    }

    function test_seats_stakes_and_windows_out_of_bounds__cannot_be_deployed() public {
        isTrue(deployable("ValidatorSet", abi.encode(authority, oracle, stake, fraud, 1, uint32(2))), "least");
        isTrue(!deployable("ValidatorSet", abi.encode(authority, oracle, stake, fraud, 0, uint32(2))), "no stake");
        isTrue(!deployable("ValidatorSet", abi.encode(authority, oracle, stake, fraud, 1, uint32(1))), "no patience");
        uint32 ring = uint32(oracle.ringSize());
        isTrue(!deployable("ValidatorSet", abi.encode(authority, oracle, stake, fraud, 1, ring - 2)), "beyond the ring");
        isTrue(deployable("ValidatorSet", abi.encode(authority, oracle, stake, fraud, 1, ring - 3)), "within it");
    }

    function rewardsWith(uint256 first, uint256 era, uint256 share, uint256 delay) internal returns (bool) {
        return deployable("RewardsDistributor", abi.encode(authority, token, oracle, first, era, share, 0, delay));
    }

    function test_a_schedule_beyond_the_cap__cannot_be_deployed() public {
        isTrue(rewardsWith(1, 1, 10_000, 1), "least");
        isTrue(rewardsWith(1, 1, 0, PROOF_WINDOW - REPORT_BY), "longest delay");
        isTrue(!rewardsWith(1, 0, 0, 1), "no era");
        isTrue(!rewardsWith(1, 1, 10_001, 1), "more than all");
        isTrue(!rewardsWith(1, 1, 0, 0), "no delay");
        isTrue(!rewardsWith(1, 1, 0, PROOF_WINDOW - REPORT_BY + 1), "a delay that outlives the ring");
        isTrue(!rewardsWith((CAP - GENESIS_MINT) / 2 + 1e12, 1, 0, 1), "more than the cap leaves");
        isTrue(rewardsWith((CAP - GENESIS_MINT) / 2 - 1e12, 1, 0, 1), "what the cap leaves");
    }

    function test_the_token__is_minted_by_the_distributor_within_the_cap() public {
        vm.expectRevert(abi.encodeWithSignature("NetworkToken_NotMinter(address)", address(this)));
        token.mint(address(this), 1);
        eq(token.minted(), GENESIS_MINT, "genesis");
        uint256 room = CAP - GENESIS_MINT;
        vm.prank(address(rewards));
        vm.expectRevert(abi.encodeWithSignature("NetworkToken_CapExceeded(uint256,uint256)", CAP + 1, CAP));
        token.mint(address(this), room + 1);
        vm.prank(address(rewards));
        token.mint(address(this), room);
        eq(token.minted(), CAP, "cap");
        (bool ok,) = address(token).call(abi.encodeWithSignature("burn(uint256)", room));
        isTrue(ok, "burned");
        vm.prank(address(rewards));
        vm.expectRevert();
        token.mint(address(this), 1);
        Allocation[] memory none = new Allocation[](0);
        isTrue(!deployable("NetworkToken", abi.encode("A", "B", 1, address(0), none)), "no minter");
        isTrue(deployable("NetworkToken", abi.encode("A", "B", 1, address(1), none)), "a minter");
    }
}
