// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {LibRLP} from "solady/src/utils/LibRLP.sol";
import {SSTORE2} from "solady/src/utils/SSTORE2.sol";

/// @title A set of seats kept as contract code
/// @notice One read of code costs less than one slot a seat. Layout: a STOP byte, n signers, n accounts, 20 bytes each.
/// @dev The writer creates nothing else, so that its k-th creation has nonce k, and a set's address follows from its id.
library SeatBlob {
    uint256 internal constant MAX_SEATS = 31;

    /// @notice Stores a set; its id is the writer's next nonce.
    function write(address[] memory signers, address[] memory accounts) internal returns (address blob) {
        bytes memory body;
        for (uint256 i = 0; i < signers.length; ++i) body = abi.encodePacked(body, signers[i]);
        for (uint256 i = 0; i < accounts.length; ++i) body = abi.encodePacked(body, accounts[i]);
        return SSTORE2.write(body);
    }

    /// @notice Address of the `setId`-th creation of `writer`.
    function addressOf(address writer, uint32 setId) internal pure returns (address) {
        return LibRLP.computeAddress(writer, setId);
    }

    /// @notice Number of seats; 0 where no set was written.
    function count(address blob) internal view returns (uint256) {
        uint256 size = blob.code.length;
        return size == 0 ? 0 : (size - 1) / 40;
    }

    function seat(address blob, uint256 index) internal view returns (address account, address signer) {
        uint256 n = count(blob);
        if (index >= n) return (address(0), address(0));
        return (_word(blob, n + index), _word(blob, index));
    }

    /// @notice Place of a signer, which sits once at most.
    function indexOf(address blob, address signer) internal view returns (bool found, uint256 index) {
        uint256 n = count(blob);
        for (index = 0; index < n; ++index) if (_word(blob, index) == signer) return (true, index);
        return (false, 0);
    }

    /// @notice Accounts of a set, in an array with room for the largest.
    function accountsOf(address blob) internal view returns (address[] memory accounts, uint256 n) {
        n = count(blob);
        accounts = new address[](MAX_SEATS);
        for (uint256 i = 0; i < n; ++i) accounts[i] = _word(blob, n + i);
    }

    /// @dev The `at`-th address after the STOP byte.
    function _word(address blob, uint256 at) private view returns (address word) {
        assembly ("memory-safe") {
            mstore(0x00, 0)
            extcodecopy(blob, 12, add(1, mul(at, 20)), 20)
            word := mload(0x00)
        }
    }
}
