"""What the escrow's refusals mean to whoever rents."""

from __future__ import annotations

# name of the contract's error -> what it means, and what to do
_WORDS = {
    "LeaseEscrow_DeviceLeased": "somebody else's lease of this device runs already. Take another device; a deposit of "
    "yours that waits for it comes back whole when you cancel",
    "LeaseEscrow_WrongStatus": "the lease has gone on meanwhile. Load the page again to see how it stands",
    "LeaseEscrow_NotParty": "only the lease's renter and its provider may do this: is it another account of yours?",
    "LeaseEscrow_OfferExpired": "the offer has run out. Load the page again for the provider's newest one",
    "LeaseEscrow_OfferCancelled": "the provider has withdrawn the offer. Load the page again for its newest one",
    "LeaseEscrow_NotForRenter": "the offer was made to another account",
    "LeaseEscrow_OperatorNotAllowed": "the key that signed the offer may not any more. Take another device",
    "LeaseEscrow_ReportTooOld": "the device's last pass is too old by now. Load the page again for a newer one",
    "LeaseEscrow_DeviceNotPassed": "the device did not pass in the report that this was made from. Load the page again",
    "LeaseEscrow_ScoreTooLow": "the device scored less than the page said. Load the page again",
    "LeaseEscrow_MemoryTooSmall": "the device showed less memory than the page said. Load the page again",
    "LeaseEscrow_DepositTooSmall": "the deposit does not pay for the offer's minimum",
    "LeaseEscrow_DepositTooLarge": "the deposit pays for longer than the offer allows",
    "LeaseEscrow_StartExpired": "the start was signed too long ago. Sign it again",
    "LeaseEscrow_LeftEarly": "the renter has left already, and pays to the minimum",
    "LeaseEscrow_NothingDue": "there is nothing to take yet",
    "LeaseEscrow_BondHeld": "the bond is held for a while longer",
    "LeaseEscrow_WouldForfeit": "this would forfeit a part of the bond, which an operator may not",
    "ERC20InsufficientBalance": "the account has less of the token than this takes",
    "ERC20InsufficientAllowance": "the escrow may not take so much of the token: approve it first",
    "DeviceRegistry_Leased": "another lease of the device runs",
    "DeviceRegistry_NotActive": "the device is retired, or was slashed",
}


def worded(explained: str) -> str:
    """A contract's error, `Name(argument = value, …)`, with what it means before it where that is known."""
    words = _WORDS.get(explained.partition("(")[0])
    return f"{words}. ({explained})" if words else explained
