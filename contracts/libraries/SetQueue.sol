// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Changes of a set that wait for their epoch
/// @notice First in, first out. An account joins in at most one waiting change and leaves in at most one, so that the queue is
/// never longer than a set that comes whole and a set that goes whole.
library SetQueue {
    struct Change {
        address joins; // slot 0; zero: nobody
        uint64 earliest; // epoch
        address leaves; // slot 1; zero: nobody
    }

    struct Queue {
        uint256 head;
        Change[] changes;
    }

    /// @notice Changes that one epoch may make to a set of `n`: max(1, f / 2), f = (n - 1) / 3.
    function limitFor(uint256 n) internal pure returns (uint256) {
        return n < 13 ? 1 : (n - 1) / 6;
    }

    function push(Queue storage q, address joins, address leaves, uint64 earliest) internal {
        q.changes.push(Change(joins, earliest, leaves));
    }

    function isEmpty(Queue storage q) internal view returns (bool) {
        return q.head == q.changes.length;
    }

    /// @notice What waits, in order.
    function waiting(Queue storage q) internal view returns (Change[] memory changes) {
        uint256 head = q.head;
        changes = new Change[](q.changes.length - head);
        for (uint256 i = 0; i < changes.length; ++i) changes[i] = q.changes[head + i];
    }

    /// @notice Whether the next change may be made in `epoch`.
    function isDue(Queue storage q, uint64 epoch) internal view returns (bool) {
        return !isEmpty(q) && q.changes[q.head].earliest <= epoch;
    }

    /// @notice Takes the next change out.
    function pop(Queue storage q) internal returns (Change memory next) {
        uint256 head = q.head;
        next = q.changes[head];
        delete q.changes[head];
        q.head = head + 1;
    }

    /// @notice Takes out the change by which `account` joins, wherever it waits. Those behind it move up, so that what comes and
    /// goes again leaves nothing for an opening to step over.
    function withdraw(Queue storage q, address account) internal returns (Change memory withdrawn) {
        uint256 at = q.head;
        while (q.changes[at].joins != account) ++at;
        withdrawn = q.changes[at];
        _close(q, at);
    }

    /// @notice Makes the change by which `account` leaves one by which nobody does: whoever joins with it still joins.
    function forgetLeaving(Queue storage q, address account) internal {
        uint256 at = q.head;
        while (q.changes[at].leaves != account) ++at;
        if (q.changes[at].joins == address(0)) _close(q, at);
        else q.changes[at].leaves = address(0);
    }

    /// @notice One change made to a set in memory of which the first `n` places are taken; the new number of seats.
    function applyTo(address[] memory seats, uint256 n, Change memory c) internal pure returns (uint256) {
        if (c.leaves == address(0)) {
            seats[n] = c.joins;
            return n + 1;
        }
        uint256 i;
        while (seats[i] != c.leaves) ++i;
        if (c.joins != address(0)) {
            seats[i] = c.joins;
            return n;
        }
        seats[i] = seats[n - 1];
        return n - 1;
    }

    function _close(Queue storage q, uint256 at) private {
        uint256 last = q.changes.length - 1;
        for (; at < last; ++at) q.changes[at] = q.changes[at + 1];
        q.changes.pop();
    }
}
