// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {StreamMath} from "contracts/libraries/StreamMath.sol";

/// @title What holds of money by the second for every rate, duration and amount that a lease can have
/// @dev Widths are those of a lease's fields: rates, deposits and bonds 128 bits, durations 32, times 40. Quotients of two
/// unknowns are beyond bit-vector solvers: `integer_proofs.py` has those.
contract StreamProofs {
    /// @dev `LeaseBook`: of deposit and bond, four parts; whatever is streamed, they sum to what came in.
    function check_parts_sum_to_the_whole(
        uint128 deposit,
        uint128 bond,
        uint128 streamed,
        uint128 downtimeRefund,
        uint128 forfeited
    ) external pure {
        if (streamed > deposit || downtimeRefund > streamed || forfeited > bond) return;
        uint256 provider = (uint256(streamed) - downtimeRefund) + (uint256(bond) - forfeited);
        uint256 renter = uint256(deposit) - streamed + downtimeRefund + forfeited;
        assert(provider + renter == uint256(deposit) + bond);
    }

    function check_fee_is_never_more_than_the_amount(uint128 amount, uint16 feeBps, uint88 floor) external pure {
        if (feeBps > 500) return;
        uint256 fee = StreamMath.fee(amount, feeBps, floor);
        assert(fee <= amount);
        assert(fee >= floor || fee == amount);
    }

    /// @dev Nothing served: all of it; all served: nothing.
    function check_unserved_at_its_ends(uint128 bond, uint32 minimum, uint40 beyond) external pure {
        if (minimum == 0) return;
        assert(StreamMath.unserved(bond, uint256(minimum) + beyond, minimum) == 0);
    }
}
