// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title The network's token: who may mint how much of it
/// @notice The token holds the emission schedule itself. One minter at a time emits, each for epochs of its own; what a
/// minter has minted is counted against the emission of its epochs alone, by the token's own clock.
interface INetworkToken {
    /// @notice When how much may be minted; fixed for ever.
    /// @param genesis Second since 1970 at which epoch 0 starts.
    /// @param epochLength Seconds of an epoch.
    /// @param initialEmission Emission of one epoch of the first era, in base units; it halves era by era.
    /// @param eraEpochs Epochs of an era.
    struct Schedule {
        uint40 genesis;
        uint32 epochLength;
        uint128 initialEmission;
        uint32 eraEpochs;
    }

    /// @notice Tokens that exist from the start.
    /// @param account Who holds them.
    /// @param amount How many, in base units.
    struct Allocation {
        address account;
        uint256 amount;
    }

    /// @notice A later minter was named; the one before emits nothing for epochs after `lastEpoch`.
    /// @param previous The minter until `lastEpoch`.
    /// @param next The minter from the epoch after it on.
    /// @param lastEpoch Last epoch of the previous minter.
    event MinterHandedOver(address indexed previous, address indexed next, uint64 lastEpoch);

    /// @notice What a past minter may ever mint was fixed at what can still be claimed from it.
    /// @param minter The past minter.
    /// @param limit All that it may ever mint, what it has minted in it.
    /// @param minted What it has minted so far.
    event HandoverSettled(address indexed minter, uint256 limit, uint256 minted);

    /// @notice A constructor's argument is out of bounds.
    /// @param what Name of the argument.
    /// @param value Its value.
    /// @param bound What it must not be beyond.
    error NetworkToken_BadBound(string what, uint256 value, uint256 bound);

    /// @notice The caller neither is nor was a minter.
    /// @param caller Who called.
    error NetworkToken_NotMinter(address caller);

    /// @notice A minter would have minted more than the emission of its epochs so far.
    /// @param minter The minter.
    /// @param minted What it would have minted in all.
    /// @param limit What it may have minted by now.
    error NetworkToken_BeyondLimit(address minter, uint256 minted, uint256 limit);

    /// @notice No address was given where there has to be one.
    error NetworkToken_ZeroAddress();

    /// @notice The account to hand over to is or was a minter already.
    /// @param account The account.
    error NetworkToken_MinterBefore(address account);

    /// @notice The account to hand over to has no code, so that it can emit nothing.
    /// @param account The account.
    error NetworkToken_NoContract(address account);

    /// @notice The last epoch of the present minter lies before what has already been given to it, or beyond the schedule.
    /// @param lastEpoch The epoch asked for.
    /// @param earliest The earliest that can be asked for.
    /// @param latest The latest.
    error NetworkToken_LastEpochOutOfRange(uint64 lastEpoch, uint64 earliest, uint64 latest);

    /// @notice The account is no minter that was handed over from, or was settled already.
    /// @param account The account.
    error NetworkToken_NothingToSettle(address account);

    /// @notice The total of a past minter may still change.
    /// @param minter The past minter.
    error NetworkToken_NotFinal(address minter);

    /// @notice Mints to `to` within the caller's limit. Callable by minters, present and past.
    /// @param to Who receives the tokens.
    /// @param amount How many, in base units.
    function mint(address to, uint256 amount) external;

    /// @notice Names the next minter, from the epoch after `lastEpoch` on, and ends the emission of the present one with
    /// `lastEpoch`. One way: whoever was a minter once never emits again. Governance only.
    /// @param next The next minter, which never was one; it is told in which epoch it begins.
    /// @param lastEpoch Last epoch of the present minter, not before the current epoch.
    function handOver(address next, uint64 lastEpoch) external;

    /// @notice Fixes what a past minter may ever mint at its final total, never above the limit it had: what was earned and
    /// is not claimed yet stays reserved without term, the rest of its epochs' emission is gone. Anyone, once.
    /// @param past A minter that was handed over from and whose total is final.
    function settleHandover(address past) external;

    /// @notice The present minter. Before its first epoch the one before still emits.
    /// @return The account named last.
    function minter() external view returns (address);

    /// @notice All that was ever minted, burned or not.
    /// @return Base units, genesis in it.
    function minted() external view returns (uint256);

    /// @notice What an account has minted.
    /// @param account A minter, present or past.
    /// @return Base units; zero for anybody else.
    function mintedBy(address account) external view returns (uint256);

    /// @notice All that an account may have minted by now.
    /// @param account A minter, present or past.
    /// @return Base units; zero for anybody else, and for a minter before its first epoch.
    function limitOf(address account) external view returns (uint256);

    /// @notice The epochs that an account may emit for.
    /// @param account A minter, present or past.
    /// @return first First epoch.
    /// @return last Last epoch; the largest number for the present minter.
    /// @return settled Whether its limit has been fixed for ever.
    function epochsOf(address account) external view returns (uint64 first, uint64 last, bool settled);

    /// @notice When how much may be minted.
    /// @return The schedule that the token was deployed with.
    function schedule() external view returns (Schedule memory);

    /// @notice Emission of one epoch.
    /// @param epoch Number of the epoch.
    /// @return Base units.
    function emissionAt(uint64 epoch) external view returns (uint256);

    /// @notice The most that can ever have been minted.
    /// @return Base units.
    function cap() external view returns (uint256);
}
