"""What can go wrong with a chain, each with the value that was wrong and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.network.errors import BadOrigin
from assay.network.origins import origin_of_url
from assay.protocol.text import REPLACED, printable


def shown_url(url: str) -> str:
    """An RPC address without credentials, path or query, where providers put their keys."""
    try:
        return origin_of_url(url).url
    except BadOrigin:
        return "?://?"


class ChainError(Exception):
    """Base of everything this package raises."""


class BadDeployment(ChainError):
    """A deployment file that is missing, unreadable or lacks something."""


class BadEndpoint(ChainError):
    """An RPC address that is none."""


class UnreachableChain(ChainError):
    """No endpoint answered."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"no chain answers at {shown_url(url)}: {reason}; check that the node runs and --rpc names it")


class EndpointFault(ChainError):
    """One endpoint gave no answer, or one that is no JSON-RPC response. Others may be asked."""

    def __init__(self, url: str, reason: str, *, timed_out: bool = False) -> None:
        self.reason, self.timed_out = reason, timed_out
        super().__init__(f"{shown_url(url)}: {reason}")


class UnreadableAnswer(EndpointFault):
    """An endpoint gave an answer that is none to what was asked; `answer` is that. Others may be asked."""

    def __init__(self, url: str, reason: str, answer: object) -> None:
        self.answer = answer
        super().__init__(url, reason)


class Declined(ChainError):
    """An endpoint that is well would not answer this question; others, or a smaller question, may do. `refusal` says
    why (a `LogRefusal`), `blocks` how many to ask for instead."""

    def __init__(self, message: str, refusal: int, blocks: int) -> None:
        self.refusal, self.blocks = refusal, blocks
        super().__init__(message)


class NoFinality(ChainError):
    """The node does not say which blocks are final."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"{shown_url(url)} names no final block ({reason}): where the chain has no finality of its own, or not "
            "yet, say how many blocks below the head count as final (final_depth, ASSAY_FINAL_DEPTH or --final-depth); "
            "else name a node that is in step with its consensus client"
        )


class WrongChainId(ChainError):
    """An endpoint serves another chain than the deployment is on."""

    def __init__(self, url: str, got: int, expected: int) -> None:
        super().__init__(
            f"{shown_url(url)} serves chain id {got}, the deployment is on {expected}: "
            "name an endpoint of that chain, or another deployment file"
        )


class NoCodeAt(ChainError):
    """A contract's address has no code."""

    def __init__(self, contract: str, address: str, url: str) -> None:
        super().__init__(
            f"{contract}: no code at {address} on {shown_url(url)}; "
            "the deployment file belongs to another chain, or the chain was started anew"
        )


class EndpointsDisagree(ChainError):
    """Endpoints name different blocks at one height, and no majority tells which is right."""


class BlockGone(ChainError):
    """A block that was acted on is no longer part of the chain, or an endpoint no longer holds its state."""


class RpcError(ChainError):
    """An error that the node answered with."""

    def __init__(self, method: str, code: int, message: str, data: Any = None) -> None:
        self.method, self.code, self.message, self.data = method, code, message, data
        super().__init__(f"{method}: {printable(message[:500], REPLACED)} (code {code})")


class Reverted(ChainError):
    """A contract refused a call. `name` and `arguments` are the custom error's, where the ABIs know it."""

    def __init__(self, call: str, name: str, arguments: Mapping[str, Any], data: bytes = b"") -> None:
        self.call, self.name, self.arguments, self.data = call, name, dict(arguments), data
        values = ", ".join(f"{k}={_shown(v)}" for k, v in self.arguments.items())
        super().__init__(f"{call} reverts: {name}({values})")


def _shown(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else printable(str(value)[:500], REPLACED)


class TransactionFailed(ChainError):
    """A transaction was mined and reverted, although it had been simulated."""

    def __init__(self, label: str, transaction: str, reason: str) -> None:
        self.transaction, self.reason = transaction, reason
        super().__init__(f"{label}: {transaction} was mined and reverted: {reason}")


class NotSent(ChainError):
    """A call that was never mined, and never will be under this intent: refused, cancelled, or outrun."""


class NonceTaken(NotSent):
    """A transaction that the journal does not know has used the nonce: two senders work with one key."""

    def __init__(self, address: str, nonce: int) -> None:
        super().__init__(
            f"nonce {nonce} of {address} was used by a transaction that this journal does not hold; "
            "another program sends with the same key: stop it, then send again"
        )


class FeeAboveCeiling(ChainError):
    """The chain asks for more than the fee ceiling."""

    def __init__(self, base_fee: int, ceiling: int) -> None:
        super().__init__(
            f"the base fee is {base_fee} wei, above the ceiling of {ceiling} wei a gas; wait, or raise the ceiling"
        )


class InsufficientFunds(NotSent):
    """The account cannot pay for the transaction."""

    def __init__(self, address: str, message: str) -> None:
        super().__init__(f"{address} cannot pay for the transaction: {message[:200]}; send it some of the chain's coin")


class NotConfirmed(ChainError):
    """A transaction was sent and not mined in the time allowed; the journal holds on to it."""


class JournalInUse(ChainError):
    """Another process holds the journal of this key."""


class KeyInUse(ChainError):
    """Another process of this host sends with the key, from a data folder of its own. `process` is its number."""

    def __init__(self, address: str, process: int | None) -> None:
        self.process = process
        who = "another process" if process is None else f"process {process} (`ps -fp {process}` shows it)"
        super().__init__(
            f"{who} of this host sends with {address} already: stop it first, or name its data folder with --data-dir, "
            "or give this one a key of its own (`assay provider operator add`); two senders spoil each other's nonces"
        )


class JournalFailed(ChainError):
    """The journal cannot be written: the disk is full, or gone."""


class BadCertificate(ChainError):
    """A certificate that is there already, or cannot be read."""


class KeyFileError(ChainError):
    """A key file or its password is missing, wrong or unreadable."""
