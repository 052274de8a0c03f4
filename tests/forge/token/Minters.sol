// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEmission} from "contracts/interfaces/IEmission.sol";
import {INetworkToken} from "contracts/interfaces/INetworkToken.sol";

import {Network} from "../base/Network.sol";

/// @title A minter that does what it likes
contract FreeMinter is IEmission {
    uint64 public begun = type(uint64).max;
    uint64 public ended = type(uint64).max;
    uint256 internal total;
    bool internal isFinal;

    function beginEmission(uint64 firstEpoch) external {
        begun = firstEpoch;
    }

    function endEmission(uint64 lastEpoch) external {
        ended = lastEpoch;
    }

    function finalTotal() external view returns (uint256, bool) {
        return (total, isFinal);
    }

    function say(uint256 total_, bool isFinal_) external {
        (total, isFinal) = (total_, isFinal_);
    }
}

/// @title A token of its own, whose first minter is free, and others to come
/// @dev A thousand tokens an epoch at first, four epochs an era.
abstract contract Minters is Network {
    uint128 internal constant INITIAL = 1_000e18;
    uint32 internal constant ERA = 4;
    uint256 internal constant ALLOCATED = 77e18;

    INetworkToken internal minted;
    FreeMinter internal first;
    FreeMinter internal second;
    FreeMinter internal third;

    function setUp() public virtual {
        deployNetwork();
        (first, second, third) = (new FreeMinter(), new FreeMinter(), new FreeMinter());
        INetworkToken.Allocation[] memory allocations = new INetworkToken.Allocation[](1);
        allocations[0] = INetworkToken.Allocation(address(this), ALLOCATED);
        minted = deployToken(1e27, address(first), schedule(), allocations);
        vm.warp(genesis);
    }

    function schedule() internal view returns (INetworkToken.Schedule memory) {
        return INetworkToken.Schedule(genesis, uint32(EPOCH), INITIAL, ERA);
    }

    function deployToken(
        uint256 cap,
        address minter,
        INetworkToken.Schedule memory s,
        INetworkToken.Allocation[] memory allocations
    ) internal returns (INetworkToken) {
        bytes memory arguments = abi.encode("Assay", "ASY", cap, authority, minter, s, allocations);
        return INetworkToken(this.deployed("NetworkToken", arguments));
    }

    function goTo(uint64 epoch) internal {
        vm.warp(genesis + uint256(epoch) * EPOCH);
    }

    function mint(FreeMinter minter, uint256 amount) internal {
        vm.prank(address(minter));
        minted.mint(address(0xb0b), amount);
    }

    function mintFails(FreeMinter minter, uint256 amount, uint256 sum, uint256 limit) internal {
        vm.prank(address(minter));
        vm.expectRevert(
            abi.encodeWithSelector(
                INetworkToken.NetworkToken_BeyondLimit.selector, address(minter), sum, limit
            )
        );
        minted.mint(address(0xb0b), amount);
    }

    /// @dev All that the limit leaves, and not a unit more.
    function mintAll(FreeMinter minter, uint256 limit) internal {
        uint256 before = minted.mintedBy(address(minter));
        eq(minted.limitOf(address(minter)), limit, "limit");
        mintFails(minter, limit - before + 1, limit + 1, limit);
        mint(minter, limit - before);
    }
}
