// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Changes of a set that wait for their epoch
/// @notice First in, first out, at most `limitFor` its set for one epoch; a change that finds its epoch full takes the next.
library SetQueue {
    struct Change {
        address joins; // zero: nobody
        uint64 effective;
        address leaves; // zero: nobody
    }

    struct Queue {
        uint64 lastEffective; // slot 0
        uint32 head;
        uint32 countAtLast;
        Change[] changes;
    }

    /// @param seats The set with every waiting change made, this one left out.
    function push(
        Queue storage q,
        address joins,
        address leaves,
        uint64 earliest,
        uint256 seats
    ) internal returns (uint64 effective) {
        uint64 last = q.lastEffective;
        uint32 count = q.countAtLast;
        if (earliest > last) {
            effective = earliest;
            q.countAtLast = 1;
        } else if (count < limitFor(seats > count ? seats - count : 0)) {
            // The set that this epoch's changes start from has at least so many seats: each of them added one at most.
            effective = last;
            q.countAtLast = count + 1;
        } else {
            effective = last + 1;
            q.countAtLast = 1;
        }
        q.lastEffective = effective;
        q.changes.push(Change(joins, effective, leaves));
    }

    /// @notice Changes that one epoch may make to a set of `n`: max(1, f / 2), f = (n - 1) / 3.
    function limitFor(uint256 n) internal pure returns (uint256) {
        return n < 13 ? 1 : (n - 1) / 6;
    }

    /// @notice The next change if it is due.
    function pop(Queue storage q, uint64 epoch) internal returns (bool due, address joins, address leaves) {
        uint32 head = q.head;
        if (head == q.changes.length) return (false, address(0), address(0));
        Change storage c = q.changes[head];
        if (c.effective > epoch) return (false, address(0), address(0));
        (joins, leaves) = (c.joins, c.leaves);
        delete q.changes[head];
        q.head = head + 1;
        return (true, joins, leaves);
    }

    function waiting(Queue storage q) internal view returns (uint256) {
        return q.changes.length - q.head;
    }

    /// @notice One change made to a set in memory of which the first `n` places are taken; the new number of seats.
    function applyTo(address[] memory seats, uint256 n, address joins, address leaves) internal pure returns (uint256) {
        if (leaves == address(0)) {
            seats[n] = joins;
            return n + 1;
        }
        for (uint256 i = 0; i < n; ++i) {
            if (seats[i] != leaves) continue;
            if (joins != address(0)) {
                seats[i] = joins;
                return n;
            }
            seats[i] = seats[n - 1];
            return n - 1;
        }
        return n;
    }
}
