"""What a node's answer to a transaction means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum


class Refusal(IntEnum):
    """Why `eth_sendRawTransaction` failed. The greater ones leave it open whether the transaction is under way."""

    FUNDS = 0  # final: the account cannot pay
    REFUSED = 1  # final: it will never be taken as it is
    UNDERPRICED = 2  # it offers too little, or too little more than what it replaces
    BUSY = 3  # the node has no room now
    UNKNOWN = 4  # anything else: it may have been taken all the same
    NONCE_TOO_LOW = 5  # the nonce was mined: by one of ours, or by a stranger
    ALREADY_KNOWN = 6  # it waits there already, or was mined: as good as taken

    @property
    def final(self) -> bool:
        """Whether nothing that was sent can still be mined by the node that said so."""
        return self <= Refusal.REFUSED


def _words(*parts: str) -> re.Pattern[str]:
    return re.compile("|".join(parts), re.IGNORECASE)


# The first that fits counts. Clients differ in words, and give no codes that could be relied on.
_TEXTS = (
    (Refusal.ALREADY_KNOWN, _words(
        r"\balready ?known", r"(?<!un)\bknown transaction", r"already imported", r"already.?exists", r"already added",
        r"already in (?:the )?(?:tx)?(?:mem)?pool", r"already (?:been )?(?:mined|submitted|processed)",
        r"transaction already", r"duplicate", r"same hash was already",
    )),
    (Refusal.NONCE_TOO_LOW, _words(
        r"nonce.{0,12}too low", r"\bold ?nonce", r"nonce has already been used", r"nonce.{0,30}expected.{0,20}higher",
        r"invalid transaction nonce", r"nonce_expired", r"invalid nonce; got \d+",
    )),
    (Refusal.UNDERPRICED, _words(
        r"under ?priced", r"fee ?too ?low", r"fee.{0,30}(?:less than|below|lower than).{0,40}(?:base|minimum|min)",
        r"lower than the current base", r"gas ?price.{0,12}(?:too low|below)", r"insufficient gas price",
        r"below chain minimum",
        r"lower than the minimum", r"not enough (?:gas price|fee)", r"tip.{0,20}below", r"replacement_underpriced",
        r"max ?fee ?per ?gas (?:less|lower) than",
    )),
    (Refusal.BUSY, _words(
        r"pool (?:is )?full", r"pool.{0,12}(?:limit|overflow)", r"future transaction tries", r"rate.?limit",
        r"too many", r"account limit", r"nonce.{0,12}too high", r"nonce.{0,20}(?:gap|too far|too distant|toofar)",
        r"in-?flight", r"can't be queued", r"already reserved", r"gapped.nonce", r"queue.{0,12}full",
        r"not.{0,12}synced", r"syncing",
    )),
    (Refusal.UNKNOWN, _words(r"time.?out", r"timed out", r"deadline", r"cancell?ed", r"internal", r"unavailable")),
    (Refusal.FUNDS, _words(
        r"insufficient (?:funds|balance)", r"insufficientfunds", r"upfront.?cost.{0,12}exceeds.{0,20}balance",
        r"(?:doesn't|does not) have enough funds", r"overdraft", r"balance.{0,20}too low",
        r"lack of funds", r"out of gas.{0,10}funds",
    )),
    (Refusal.REFUSED, _words(
        r"intrinsic ?gas", r"exceeds (?:the )?block.?gas.?limit", r"gas.?limit.{0,12}(?:too high|exceed)",
        r"(?:gas|gaslimit) ?limit ?exceeded", r"gaslimitexceeded", r"gas (?:limit )?(?:too high|too low)",
        r"exceeds allowance", r"gas required exceeds", r"invalid (?:sender|signature|chain.?id|rlp|transaction v)",
        r"chain.?id.{0,20}(?:mismatch|not match|incompatible|invalid|different)", r"wrong chain.?id",
        r"(?:tx|transaction) ?type.{0,12}(?:not supported|unsupported|invalid|unknown)", r"not supported tx type",
        r"unknown transaction type", r"oversized data", r"(?:init|code) ?size", r"negative value",
        r"transaction too large",
        r"exceeds the configured cap", r"tip.{0,40}(?:higher|above|greater).{0,20}(?:fee ?cap|max ?fee)",
        r"priority ?fee.{0,30}(?:higher|above|greater|exceed).{0,20}max ?fee", r"failed ?to ?(?:resolve|recover)",
        r"\brlp\b", r"typed transaction too short", r"sender is not an eoa", r"only replay-protected", r"invalidtx",
        r"transaction gas limit (?:is )?too high", r"exceeds (?:the )?(?:maximum|max|per.?transaction) .{0,20}gas",
        r"malformed transaction", r"cannot (?:be )?decode",
    )),
)  # fmt: skip


def classify(message: str) -> Refusal:
    """The meaning of a node's message. What is not known to be final is not."""
    for refusal, pattern in _TEXTS:
        if pattern.search(message):
            return refusal
    return Refusal.UNKNOWN


def outcome(messages: Sequence[str | None]) -> Refusal | None:
    """What several endpoints' answers mean together: None where one took it. None among the messages stands for that,
    empty text for no answer. It is final only where every endpoint's is."""
    if None in messages:
        return None
    return max(
        (classify(message) if message else Refusal.UNKNOWN for message in messages if message is not None),
        default=Refusal.UNKNOWN,
    )
