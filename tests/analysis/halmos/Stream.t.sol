// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {StreamMath} from "contracts/libraries/StreamMath.sol";

/// @title What holds of money by the second for every rate, duration and amount that a lease can have
/// @dev Widths are those of a lease's fields: rates 128 bits, deposits and bonds 96, durations 32, times 40. Quotients of two
/// unknowns are beyond bit-vector solvers: `integer_proofs.py` has those.
contract StreamProofs {
    /// @dev `Leases`: of deposit and bond, five parts of three sides; whatever is streamed and forfeited, they sum to what came in.
    function check_parts_sum_to_the_whole(
        uint96 deposit,
        uint96 bond,
        uint96 streamed,
        uint96 downtimeRefund,
        uint96 forfeited,
        uint96 forfeitable
    ) external pure {
        if (streamed > deposit || downtimeRefund > streamed) return;
        if (uint256(forfeited) + forfeitable > bond) return;
        uint256 provider = (uint256(streamed) - downtimeRefund) + (uint256(bond) - forfeited - forfeitable);
        uint256 renter = uint256(deposit) - streamed + downtimeRefund + forfeited;
        assert(provider + renter + forfeitable == uint256(deposit) + bond);
    }

    function check_fee_is_never_more_than_the_amount(uint128 amount, uint16 feeBps, uint96 floor) external pure {
        if (feeBps > 500) return;
        uint256 fee = StreamMath.fee(amount, feeBps, floor);
        assert(fee <= amount);
        assert(fee >= floor || fee == amount);
    }

    /// @dev Nothing served: all of it; all served: nothing.
    function check_unserved_at_its_ends(uint96 bond, uint32 minimum, uint32 obliged, uint40 beyond) external pure {
        if (minimum == 0 || obliged > minimum) return;
        assert(StreamMath.unserved(bond, uint256(obliged) + beyond, obliged, minimum) == 0);
    }
}
