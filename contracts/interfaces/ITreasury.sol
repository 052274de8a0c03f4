// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Tokens held for leases: allowed, owed, earned as fees, or put aside by providers for bonds
/// @notice What governance allows and collects of tokens, and providers' bond credit in them.
interface ITreasury {
    /// @notice Terms of a token when it is listed.
    /// @param token an ERC-20 that moves exactly what it is told to
    /// @param feeFloor the least fee of a lease, in base units
    struct TokenTerms {
        address token;
        uint96 feeFloor;
    }

    /// @notice New leases are taken in a token from now on.
    /// @param token the token
    /// @param feeFloor the least fee of a lease, fixed when the token is first listed
    event TokenListed(address indexed token, uint96 feeFloor);

    /// @notice No new leases and no more bond credit are taken in a token; what exists goes on.
    /// @param token the token
    event TokenDelisted(address indexed token);

    /// @notice The fee of leases opened from now on has changed.
    /// @param feeBps share of what is claimed, in hundredths of a percent
    event FeeSet(uint16 feeBps);

    /// @notice Fees, forfeits of bonds among them, were paid out.
    /// @param token the token
    /// @param receiver where they went
    /// @param amount base units
    event FeesCollected(address indexed token, address indexed receiver, uint256 amount);

    /// @notice What nobody was owed was paid out.
    /// @param token the token
    /// @param receiver where it went
    /// @param amount base units
    event SurplusRecovered(address indexed token, address indexed receiver, uint256 amount);

    /// @notice A provider put money aside for bonds that its operators' starts take.
    /// @param provider whose credit
    /// @param token the token
    /// @param amount what was added
    /// @param credit what there is now
    event BondCreditFilled(address indexed provider, address indexed token, uint96 amount, uint96 credit);

    /// @notice A provider took back bond credit.
    /// @param provider whose credit
    /// @param token the token
    /// @param receiver where it went
    /// @param amount what was taken back
    /// @param credit what is left
    event BondCreditDrained(
        address indexed provider,
        address indexed token,
        address indexed receiver,
        uint96 amount,
        uint96 credit
    );

    /// @notice The bond of a lease that an operator started came out of the provider's credit.
    /// @param provider whose credit
    /// @param token the token
    /// @param leaseId the lease
    /// @param amount the bond
    /// @param credit what is left
    event BondCreditUsed(
        address indexed provider,
        address indexed token,
        uint256 indexed leaseId,
        uint96 amount,
        uint96 credit
    );

    /// @notice A provider changed what its operators may take of its credit in a day.
    /// @param provider whose credit
    /// @param token the token
    /// @param perDay base units a day; zero: nothing
    event BondLimitSet(address indexed provider, address indexed token, uint96 perDay);

    /// @notice The token is not on the list, or is no contract, or the list is full.
    /// @param token the token
    error LeaseEscrow_TokenNotAllowed(address token);

    /// @notice The token did not move exactly the amount: a fee on transfer, or a balance that changes by itself.
    /// @param token the token
    /// @param balanceBefore the escrow's balance before
    /// @param balanceAfter and after the transfer
    /// @param expected by how much it had to rise
    error LeaseEscrow_TokenShort(address token, uint256 balanceBefore, uint256 balanceAfter, uint256 expected);

    /// @notice The token is on the list already.
    /// @param token the token
    error LeaseEscrow_AlreadyListed(address token);

    /// @notice The escrow holds no more of the token than it owes.
    /// @param token the token
    error LeaseEscrow_NoSurplus(address token);

    /// @notice A payout needs a receiver.
    error LeaseEscrow_ZeroReceiver();

    /// @notice An amount of zero does nothing.
    error LeaseEscrow_ZeroAmount();

    /// @notice A term is outside its bounds.
    /// @param what its name
    /// @param value what it was to be
    /// @param bound the bound that it passes
    error LeaseEscrow_BadBound(string what, uint256 value, uint256 bound);

    /// @notice The provider's credit does not cover what is asked of it.
    /// @param provider whose credit
    /// @param token the token
    /// @param credit what there is
    /// @param needed what was asked
    error LeaseEscrow_CreditTooSmall(address provider, address token, uint256 credit, uint256 needed);

    /// @notice There is no room for as much credit.
    /// @param credit what it would be
    /// @param most the most there can be
    error LeaseEscrow_CreditTooLarge(uint256 credit, uint256 most);

    /// @notice Operators have taken of the credit what the provider's limit lets them take for now.
    /// @param provider whose limit
    /// @param token the token
    /// @param left what may be taken now
    /// @param needed what was asked
    error LeaseEscrow_DailyLimit(address provider, address token, uint256 left, uint256 needed);

    /// @notice Allows new leases in a token. One listed before keeps its fee floor. Governance only.
    /// @param token the token
    /// @param feeFloor the least fee of a lease, in base units
    function listToken(address token, uint96 feeFloor) external;

    /// @notice Closes entry in a token; leases and credits that exist go on. Governance only.
    /// @param token the token
    function delistToken(address token) external;

    /// @notice Sets the fee of leases to come. Governance only.
    /// @param feeBps share of what is claimed, in hundredths of a percent; at most 500
    function setFee(uint16 feeBps) external;

    /// @notice Pays out collected fees. Governance only.
    /// @param token the token
    /// @param receiver where they go
    /// @return amount base units paid
    function collectFees(address token, address receiver) external returns (uint256 amount);

    /// @notice Pays out what nobody is owed: donations, and what a rebase added. Governance only.
    /// @param token the token
    /// @param receiver where it goes
    /// @return amount base units paid
    function recoverSurplus(address token, address receiver) external returns (uint256 amount);

    /// @notice Adds to the caller's own credit, out of which bonds are taken when one of its operators starts a lease.
    /// @param token a listed token
    /// @param amount base units, taken from the caller
    function fillBondCredit(address token, uint96 amount) external;

    /// @notice Takes back credit of the caller, whatever its limit.
    /// @param token the token
    /// @param amount base units
    /// @param receiver where it goes
    function drainBondCredit(address token, uint96 amount, address receiver) external;

    /// @notice Sets what operators may take of the caller's credit in a day. It is used up by what they take and comes
    /// back evenly in a day; of a new limit the same share is used as was of the old one.
    /// @param token the token
    /// @param perDay base units; zero, as at first: nothing
    function setBondLimit(address token, uint96 perDay) external;

    /// @notice What a provider has put aside for bonds.
    /// @param provider the provider
    /// @param token the token
    /// @return amount base units
    /// @return perDay what operators may take of it in a day
    /// @return leftToday what they may take of it now, whether there is as much or not
    function bondCredit(
        address provider,
        address token
    ) external view returns (uint96 amount, uint96 perDay, uint96 leftToday);

    /// @notice Sum of everything held for somebody in a token: leases, credits and fees. The balance covers it.
    /// @param token the token
    /// @return base units
    function owed(address token) external view returns (uint256);

    /// @notice Fees collected in a token and not yet paid out; part of what is owed.
    /// @param token the token
    /// @return base units
    function fees(address token) external view returns (uint256);

    /// @notice Whether new leases are taken in a token.
    /// @param token the token
    /// @return whether they are
    function tokenAllowed(address token) external view returns (bool);

    /// @notice The least fee of a lease in a token.
    /// @param token the token
    /// @return base units
    function feeFloorOf(address token) external view returns (uint96);

    /// @notice Fee of leases opened from now on.
    /// @return share of what is claimed, in hundredths of a percent
    function feeBps() external view returns (uint16);
}
