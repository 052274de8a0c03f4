// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title A set of seats kept as contract code
/// @notice One read of code costs less than one slot a seat. Layout: a STOP byte, n signers, n accounts, 20 bytes each.
/// @dev The writer creates nothing else, so that its k-th creation has nonce k, and a set's address follows from its id.
library SeatBlob {
    uint256 internal constant MAX_SEATS = 31;

    /// @notice Stores a set; its id is the writer's next nonce.
    function write(address[] memory signers, address[] memory accounts) internal returns (address blob) {
        bytes memory body = abi.encodePacked(hex"00");
        for (uint256 i = 0; i < signers.length; ++i) body = abi.encodePacked(body, signers[i]);
        for (uint256 i = 0; i < accounts.length; ++i) body = abi.encodePacked(body, accounts[i]);
        // PUSH2 length, DUP1, PUSH1 10, RETURNDATASIZE, CODECOPY, RETURNDATASIZE, RETURN
        bytes memory init = abi.encodePacked(hex"61", uint16(body.length), hex"80600a3d393df3", body);
        assembly ("memory-safe") {
            blob := create(0, add(init, 0x20), mload(init))
        }
    }

    /// @notice Address of the `setId`-th creation of `writer`: keccak256(rlp([writer, nonce])).
    function addressOf(address writer, uint32 setId) internal pure returns (address) {
        bytes memory rlp;
        if (setId < 0x80) rlp = abi.encodePacked(hex"d694", writer, uint8(setId));
        else if (setId <= 0xff) rlp = abi.encodePacked(hex"d794", writer, hex"81", uint8(setId));
        else if (setId <= 0xffff) rlp = abi.encodePacked(hex"d894", writer, hex"82", uint16(setId));
        else if (setId <= 0xffffff) rlp = abi.encodePacked(hex"d994", writer, hex"83", uint24(setId));
        else rlp = abi.encodePacked(hex"da94", writer, hex"84", setId);
        return address(uint160(uint256(keccak256(rlp))));
    }

    /// @notice Number of seats; 0 where no set was written.
    function count(address blob) internal view returns (uint256) {
        uint256 size = blob.code.length;
        return size == 0 ? 0 : (size - 1) / 40;
    }

    /// @notice The n signers, 20 bytes each, packed.
    function packedSigners(address blob, uint256 n) internal view returns (bytes memory packed) {
        packed = new bytes(n * 20);
        assembly ("memory-safe") {
            extcodecopy(blob, add(packed, 0x20), 1, mul(n, 20))
        }
    }

    function seat(address blob, uint256 index) internal view returns (address account, address signer) {
        uint256 n = count(blob);
        if (index >= n) return (address(0), address(0));
        assembly ("memory-safe") {
            mstore(0x00, 0)
            extcodecopy(blob, 12, add(1, mul(index, 20)), 20)
            signer := mload(0x00)
            extcodecopy(blob, 12, add(1, mul(add(n, index), 20)), 20)
            account := mload(0x00)
        }
    }

    function indexOf(address blob, address account) internal view returns (bool found, uint256 index) {
        uint256 n = count(blob);
        for (index = 0; index < n; ++index) {
            (address seated, ) = seat(blob, index);
            if (seated == account) return (true, index);
        }
        return (false, 0);
    }
}
