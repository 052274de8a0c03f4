"""Keys that stay elsewhere: messages and transactions signed over JSON-RPC, as Web3Signer does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import httpx2

from assay.protocol.hexadecimal import HexadecimalError, parse_fixed, parse_hex, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.signing import Domain, SignatureError, compact, recover
from assay.protocol.typed_message import TypedMessage
from assay.signing.errors import SignerUnavailable

TIMEOUT_S = 5.0
MAX_ANSWER = 64 << 10


class MessageSigner(Protocol):
    """Whatever signs for one address: a key in memory, or a remote signer."""

    address: str

    def sign(self, message: TypedMessage, domain: Domain) -> bytes:
        """Compact signature, 64 bytes."""


class RemoteSigner:
    """`eth_signTypedData` of a signer at `url`. Every answer is checked against the address before it is
    used."""

    def __init__(
        self,
        url: str,
        address: str,
        *,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.address = address
        self._url = url
        self._client = httpx2.Client(timeout=TIMEOUT_S, transport=transport, trust_env=False)

    def sign(self, message: TypedMessage, domain: Domain) -> bytes:
        """Compact signature, 64 bytes. Raises SignerUnavailable."""
        answer = self._ask("eth_signTypedData", [self.address, message.typed_data(domain)])
        try:
            data = parse_fixed(answer, 65, "signature")
        except HexadecimalError as error:
            raise SignerUnavailable(f"the remote signer's answer is no signature: {error}") from None
        r, s = int.from_bytes(data[:32], "big"), int.from_bytes(data[32:64], "big")
        signature = compact(r, s, data[64] % 27 & 1)
        try:
            signer = recover(message.digest(domain), signature)
        except SignatureError as error:
            raise SignerUnavailable(f"the remote signer's answer is no signature: {error}") from None
        if signer != self.address:
            raise SignerUnavailable(f"the remote signer signed as {signer}, not as {self.address}")
        return signature

    def sign_transaction(self, transaction: Mapping[str, Any]) -> tuple[bytes, bytes]:
        """(raw bytes, hash) of a signed EIP-1559 transaction. Raises SignerUnavailable."""
        from eth_account import Account
        from eth_account.typed_transactions.typed_transaction import TypedTransaction
        from hexbytes import HexBytes

        wanted = {k: v for k, v in transaction.items() if k != "type"}
        answer = self._ask("eth_signTransaction", [{"from": self.address, **_json(wanted)}])
        try:
            raw = parse_hex(answer, "transaction", max_bytes=MAX_ANSWER)
            fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
            signer = Account.recover_transaction(raw)
        except Exception as error:
            # The decoders raise many kinds; whatever it is, it is no transaction.
            raise SignerUnavailable(f"the remote signer's answer is no transaction: {error!r:.200}") from None
        if signer != self.address:
            raise SignerUnavailable(f"the remote signer signed as {signer}, not as {self.address}")
        for name, value in wanted.items():
            if _plain(fields[name]) != _plain(value):
                raise SignerUnavailable(f"the remote signer changed {name} of the transaction")
        if fields["accessList"]:
            raise SignerUnavailable("the remote signer added an access list to the transaction")
        return raw, keccak(raw)

    def _ask(self, method: str, params: list[Any]) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            response = self._client.post(self._url, json=body)
            if len(response.content) > MAX_ANSWER:
                raise SignerUnavailable("the remote signer's answer is too long")
            answer = response.json()
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise SignerUnavailable(f"the remote signer gave no answer: {type(error).__name__}") from None
        if not isinstance(answer, dict) or "result" not in answer:
            refusal = answer.get("error") if isinstance(answer, dict) else None
            raise SignerUnavailable(f"the remote signer refused: {str(refusal)[:200]}")
        return answer["result"]

    def close(self) -> None:
        """Lets the connection go."""
        self._client.close()


def _json(transaction: Mapping[str, Any]) -> dict[str, Any]:
    return {k: hex(v) if isinstance(v, int) else _plain(v) for k, v in transaction.items()}


def _plain(value: Any) -> Any:
    """Bytes and addresses as lower-case hexadecimal, numbers as they are."""
    if isinstance(value, bytes):
        return to_hex(value)
    return value.lower() if isinstance(value, str) else value
