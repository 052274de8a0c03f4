// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Tokens moved, whatever they return
/// @notice A token may return nothing, or true. One that reverts is heard out; one that returns false, gives no reason or is no
/// contract is named. By hand because it runs up to four times in a transaction.
library TokenMoves {
    error TokenMoves_Failed(address token, address from, address to, uint256 amount);
    error TokenMoves_NoBalance(address token);

    function pull(address token, address from, uint256 amount) internal {
        bool good;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, 0x23b872dd) // transferFrom(address,address,uint256)
            mstore(add(free, 0x20), shr(96, shl(96, from)))
            mstore(add(free, 0x40), address())
            mstore(add(free, 0x60), amount)
            good := call(gas(), token, 0, add(free, 0x1c), 0x64, 0x00, 0x20)
        }
        _check(good, token, from, address(this), amount);
    }

    function push(address token, address to, uint256 amount) internal {
        bool good;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, 0xa9059cbb) // transfer(address,uint256)
            mstore(add(free, 0x20), shr(96, shl(96, to)))
            mstore(add(free, 0x40), amount)
            good := call(gas(), token, 0, add(free, 0x1c), 0x44, 0x00, 0x20)
        }
        _check(good, token, address(this), to, amount);
    }

    function held(address token) internal view returns (uint256 amount) {
        bool good;
        assembly ("memory-safe") {
            mstore(0x00, 0x70a08231) // balanceOf(address)
            mstore(0x20, address())
            good := staticcall(gas(), token, 0x1c, 0x24, 0x00, 0x20)
            good := and(good, gt(returndatasize(), 0x1f))
            amount := mload(0x00)
        }
        if (!good) revert TokenMoves_NoBalance(token);
    }

    /// @dev Reads what the call just made has returned, of which the first word lies in memory at 0.
    function _check(bool good, address token, address from, address to, uint256 amount) private view {
        assembly ("memory-safe") {
            switch returndatasize()
            case 0 {
                good := and(good, gt(extcodesize(token), 0))
            }
            default {
                if iszero(good) {
                    let free := mload(0x40)
                    returndatacopy(free, 0, returndatasize())
                    revert(free, returndatasize())
                }
                good := and(gt(returndatasize(), 0x1f), eq(mload(0x00), 1))
            }
        }
        if (!good) revert TokenMoves_Failed(token, from, to, amount);
    }
}
