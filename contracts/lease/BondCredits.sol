// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ITreasury} from "../interfaces/ITreasury.sol";

/// @title What a provider has put aside for bonds, and how much of it a day its operators may take
/// @dev What was taken is kept as the time in which the limit makes up for it, rounded up to a second: so a credit is one slot.
/// At once they can take a day's limit, in any day no more than two.
library BondCredits {
    struct Credit {
        uint96 amount; // slot 0
        uint96 perDay;
        uint64 wholeAt; // when all of the limit can be taken again
    }

    /// @notice What may be taken now, whether there is as much or not.
    function left(Credit storage c) internal view returns (uint256) {
        return _left(c.perDay, _wait(c));
    }

    /// @notice Takes the bond of a lease that an operator starts; reverts where credit or limit do not cover it.
    function take(Credit storage c, address provider, address token, uint256 amount) internal returns (uint256 credit) {
        credit = c.amount;
        if (amount > credit) revert ITreasury.LeaseEscrow_CreditTooSmall(provider, token, credit, amount);
        (uint256 perDay, uint256 wait) = (c.perDay, _wait(c));
        uint256 leftNow = _left(perDay, wait);
        if (amount > leftNow) revert ITreasury.LeaseEscrow_DailyLimit(provider, token, leftNow, amount);
        credit -= amount;
        c.amount = uint96(credit);
        c.wholeAt = uint64(block.timestamp + wait + (amount * 1 days + perDay - 1) / perDay);
    }

    function _left(uint256 perDay, uint256 wait) private pure returns (uint256) {
        return (perDay * (1 days - wait)) / 1 days;
    }

    /// @dev Never more than a day.
    function _wait(Credit storage c) private view returns (uint256) {
        uint256 wholeAt = c.wholeAt;
        return wholeAt > block.timestamp ? wholeAt - block.timestamp : 0;
    }
}
