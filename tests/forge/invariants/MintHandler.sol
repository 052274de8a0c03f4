// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {INetworkToken} from "contracts/interfaces/INetworkToken.sol";

import {FreeMinter, Minters} from "../token/Minters.sol";

/// @title Minters that mint whatever they can, before, in and after their epochs
contract MintHandler is Minters {
    FreeMinter[] internal minters;
    mapping(FreeMinter minter => uint64) internal firstOf;
    mapping(FreeMinter minter => uint64) internal lastOf;
    mapping(FreeMinter minter => uint256) internal settledAt; // plus one

    function setUp() public override {
        super.setUp();
        minters.push(first);
        lastOf[first] = type(uint64).max;
    }

    function wait(uint256 seconds_) external {
        vm.warp(block.timestamp + within(seconds_, 1, 3 * EPOCH));
    }

    function mintSome(uint256 pick, uint256 amount) external {
        FreeMinter minter = minters[pick % minters.length];
        uint256 before = minted.mintedBy(address(minter));
        uint256 limit = limitOf(minter);
        amount = within(amount, 1, 3 * uint256(INITIAL));
        vm.prank(address(minter));
        (bool ok,) = address(minted).call(abi.encodeCall(INetworkToken.mint, (address(0xb0b), amount)));
        isTrue(ok == (before + amount <= limit), "minted exactly within its limit");
    }

    function handOverSome(uint256 epochs) external {
        if (minters.length >= 6) return;
        FreeMinter next = new FreeMinter();
        FreeMinter present = minters[minters.length - 1];
        uint64 last = current() + uint64(within(epochs, 0, 5));
        if (firstOf[present] > last + 1 || last >= 64 * ERA) return;
        minted.handOver(address(next), last);
        lastOf[present] = last;
        minters.push(next);
        firstOf[next] = last + 1;
        lastOf[next] = type(uint64).max;
    }

    function settleSome(uint256 pick, uint256 total, bool isFinal) external {
        FreeMinter minter = minters[pick % minters.length];
        total = within(total, 0, 10 * uint256(INITIAL));
        minter.say(total, isFinal);
        bool expected = isFinal && settledAt[minter] == 0 && lastOf[minter] < current();
        uint256 limit = limitOf(minter);
        (bool ok,) = address(minted).call(abi.encodeCall(INetworkToken.settleHandover, (address(minter))));
        isTrue(ok == expected, "settled exactly once it is final");
        if (ok) settledAt[minter] = (total < limit ? total : limit) + 1;
    }

    function checkEach() external view {
        for (uint256 i = 0; i < minters.length; ++i) {
            FreeMinter minter = minters[i];
            eq(minted.limitOf(address(minter)), limitOf(minter), "limit");
            atMost(minted.mintedBy(address(minter)), emittedBy(minter), "within the emission of its epochs");
        }
    }

    function checkAll() external view {
        uint256 sum = ALLOCATED;
        for (uint256 i = 0; i < minters.length; ++i) sum += minted.mintedBy(address(minters[i]));
        eq(minted.minted(), sum, "nobody else mints");
        atMost(sum, minted.cap(), "within the cap");
        eq(minted.minter(), address(minters[minters.length - 1]), "one present minter");
    }

    function limitOf(FreeMinter minter) internal view returns (uint256) {
        return settledAt[minter] != 0 ? settledAt[minter] - 1 : emittedBy(minter);
    }

    /// @dev Emission of the minter's epochs that have begun, one by one.
    function emittedBy(FreeMinter minter) internal view returns (uint256 sum) {
        for (uint64 e = firstOf[minter]; e <= current() && e <= lastOf[minter]; ++e) {
            if (e / ERA < 64) sum += uint256(INITIAL) >> (e / ERA);
        }
    }

    function current() internal view returns (uint64) {
        return uint64((block.timestamp - genesis) / EPOCH);
    }
}
