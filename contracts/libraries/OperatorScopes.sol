// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title What a provider may let an operator do
/// @notice Bits of `IDeviceRegistry.Operator.scopes`. None of them reaches stake, the payout address, or other operators.
library OperatorScopes {
    /// @notice Sign offers of the provider's devices, and cancel those that it signed.
    uint8 internal constant OFFER = 1;

    /// @notice Start leases, with bonds from the provider's bond credit.
    uint8 internal constant START = 2;

    /// @notice Give notice, and end leases where nothing is forfeited.
    uint8 internal constant END = 4;

    /// @notice Have rent and bonds paid to the provider's payout address.
    uint8 internal constant CLAIM = 8;

    /// @notice Announce where devices are reached.
    uint8 internal constant ENDPOINT = 16;

    /// @notice All of them.
    uint8 internal constant ALL = 31;
}
