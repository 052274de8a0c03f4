// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title What the token asks of whoever mints its emission
/// @notice A minter is told in which epochs it may emit, and says in the end how much of that anybody can ever claim.
interface IEmission {
    /// @notice Says that the caller's emission is this contract's from `firstEpoch` on. Callable by the token, once.
    /// @param firstEpoch First epoch that this contract may emit for.
    function beginEmission(uint64 firstEpoch) external;

    /// @notice Says that `lastEpoch` is the last epoch that this contract may emit for. Callable by the token, once.
    /// @param lastEpoch Last epoch with emission; nothing is emitted for later ones.
    function endEmission(uint64 lastEpoch) external;

    /// @notice All that this contract can ever mint, what it has minted in it.
    /// @return total The cumulative total that claims are paid up to.
    /// @return isFinal Whether the emission has ended and no report of its epochs can still come or be vetoed.
    function finalTotal() external view returns (uint256 total, bool isFinal);
}
