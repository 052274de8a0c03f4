// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

/// @dev As USDC has it since version 2.2: ECDSA or, of an account with code, ERC-1271.
interface IPermitForWallets {
    function permit(address owner, address spender, uint256 value, uint256 deadline, bytes calldata signature) external;
}

/// @title ERC-2612 permits, of keys and of contract wallets
library TokenPermits {
    /// @notice Spends a permit for the caller's contract, in whichever form the token takes it. One that does not work is not
    /// an error: it may have been spent by somebody else, and has left its allowance behind.
    /// @param signature 65 bytes (r, s, v) of a key, or whatever a wallet takes for its signature
    function tryPermit(
        address token,
        address owner,
        uint256 amount,
        uint256 deadline,
        bytes calldata signature
    ) internal {
        bool asKey = signature.length == 65;
        bool done;
        if (!asKey || owner.code.length != 0) {
            (done, ) = token.call(
                abi.encodeCall(IPermitForWallets.permit, (owner, address(this), amount, deadline, signature))
            );
        }
        // An account with code may still sign with its own key, and a token may know only that.
        if (done || !asKey) return;
        bytes32 r;
        bytes32 s;
        assembly ("memory-safe") {
            r := calldataload(signature.offset)
            s := calldataload(add(signature.offset, 0x20))
        }
        uint8 v = uint8(signature[64]);
        (done, ) = token.call(abi.encodeCall(IERC20Permit.permit, (owner, address(this), amount, deadline, v, r, s)));
    }
}
