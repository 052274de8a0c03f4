// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {Leases} from "contracts/lease/Leases.sol";

import {Checks} from "../../base/Checks.sol";

/// @title Which epochs' downtime was credited: each once, in any order, within the 64 that are kept
contract CreditedEpochs is Checks {
    using Leases for Leases.Stored;

    Leases.Stored private s;
    mapping(uint256 epoch => bool) private seen;

    function credit(uint256 epoch) external {
        s.credit(epoch);
    }

    function again(uint256 epoch) internal {
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_EpochAlreadyRefunded.selector, epoch));
        this.credit(epoch);
    }

    function test_credit__of_the_first_epoch_of_all__counts_once() public {
        this.credit(0);
        again(0);
        this.credit(1);
        again(0);
        again(1);
    }

    function test_credit__of_the_oldest_that_is_kept__counts_and_of_one_older_does_not() public {
        this.credit(100);
        this.credit(37);
        again(37);
        again(36);
        again(0);
    }

    function test_credit__far_ahead__forgets_what_is_no_longer_open() public {
        this.credit(100);
        this.credit(164);
        again(100);
        this.credit(101);
        this.credit(2 ** 48 - 1);
        again(2 ** 48 - 1);
        again(164);
        this.credit(2 ** 48 - 64);
    }

    function test_credit__leaves_the_rest_of_the_slot_alone() public {
        (s.downtimeRefund, s.downtime) = (7, 9);
        this.credit(5);
        eq(s.downtimeRefund, 7, "refund");
        eq(s.downtime, 9, "seconds");
    }

    /// @dev Beside a list of all that was ever credited.
    function test_credit__any_epochs_in_any_order__each_once(uint8[40] memory steps) public {
        uint256 latest;
        bool any;
        for (uint256 i = 0; i < steps.length; ++i) {
            uint256 epoch = 1_000 + steps[i];
            if ((any && latest >= epoch + 64) || seen[epoch]) {
                again(epoch);
                continue;
            }
            this.credit(epoch);
            (seen[epoch], any) = (true, true);
            if (epoch > latest) latest = epoch;
        }
    }
}
