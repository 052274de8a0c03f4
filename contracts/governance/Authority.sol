// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

import {IRewardsDistributor} from "../interfaces/IRewardsDistributor.sol";
import {PausableEntry} from "./PausableEntry.sol";

/// @title Who may change what
/// @notice The timelock is the only administrator from the first block on, and whatever is restricted is its; the guardian
/// may pause entry and veto a rewards root. The deployer never holds a role.
contract Authority is AccessManager {
    /// @notice Number of the guardian's role.
    uint64 public constant GUARDIAN = 1;

    /// @param timelock Whose everything is that is restricted and not the guardian's.
    /// @param guardian Who may pause entry and veto.
    /// @param pausable The contracts whose entry it may pause.
    /// @param distributor The contract whose rewards roots it may veto.
    constructor(
        address timelock,
        address guardian,
        address[] memory pausable,
        address distributor
    ) AccessManager(timelock) {
        _grantRole(GUARDIAN, guardian, 0, 0);
        for (uint256 i = 0; i < pausable.length; ++i) {
            _setTargetFunctionRole(pausable[i], PausableEntry.pauseEntry.selector, GUARDIAN);
            _setTargetFunctionRole(pausable[i], PausableEntry.resumeEntry.selector, GUARDIAN);
        }
        _setTargetFunctionRole(distributor, IRewardsDistributor.veto.selector, GUARDIAN);
    }
}
