"""Keys that stay elsewhere: messages and transactions signed over JSON-RPC, as Web3Signer does."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import httpx2

from assay.network.errors import BadOrigin
from assay.network.origins import origin_of_url
from assay.protocol.hexadecimal import HexadecimalError, parse_address, parse_fixed, parse_hex, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.signing import Domain, SignatureError, compact, recover
from assay.protocol.typed_message import TypedMessage
from assay.signing.errors import SignerUnavailable

TIMEOUT_S = 5.0
METHOD_NOT_FOUND = -32_601
MAX_ANSWER = 64 << 10


class _NoSuchMethod(SignerUnavailable):
    """It does not know the method."""


class MessageSigner(Protocol):
    """Whatever signs for one address: a key in memory, or a remote signer."""

    address: str
    blocks: bool  # whether it waits for somebody: then it is asked on a thread

    def sign(self, message: TypedMessage, domain: Domain) -> bytes:
        """Compact signature, 64 bytes."""


class RemoteSigner:
    """A signer at `url`, by JSON-RPC: `eth_signTypedData_v4` or, where it has none, `eth_signTypedData`, and
    `eth_signTransaction`. Every answer is checked against the address and the request before it is used.

    `ca_file` holds the authority that signs its certificate; the system's authorities where it is None. Raises
    SignerUnavailable for an address that would carry requests in clear beyond this machine.
    """

    blocks = True

    def __init__(
        self,
        url: str,
        address: str,
        *,
        timeout_s: float = TIMEOUT_S,
        ca_file: Path | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.address = address
        self._url = checked_url(url)
        self._methods = ["eth_signTypedData_v4", "eth_signTypedData"]
        try:
            verify = ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise SignerUnavailable(f"{ca_file}: no certificates to trust ({error})") from None
        self._client = httpx2.Client(timeout=timeout_s, transport=transport, trust_env=False, verify=verify)

    def accounts(self) -> list[str]:
        """Addresses it signs for, checksummed. Raises SignerUnavailable."""
        answer = self._ask("eth_accounts", [])
        try:
            return [parse_address(account) for account in answer]
        except (HexadecimalError, TypeError) as error:
            raise SignerUnavailable(f"the remote signer's accounts are malformed: {error}") from None

    def sign(self, message: TypedMessage, domain: Domain) -> bytes:
        """Compact signature, 64 bytes. Raises SignerUnavailable."""
        answer = self._ask_typed([self.address, message.typed_data(domain)])
        try:
            data = parse_fixed(answer, 65, "signature")
        except HexadecimalError as error:
            raise SignerUnavailable(f"the remote signer's answer is not a signature: {error}") from None
        r, s = int.from_bytes(data[:32], "big"), int.from_bytes(data[32:64], "big")
        signature = compact(r, s, data[64] % 27 & 1)
        try:
            signer = recover(message.digest(domain), signature)
        except SignatureError as error:
            raise SignerUnavailable(f"the remote signer's answer is not a signature: {error}") from None
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
            raise SignerUnavailable(f"the remote signer's answer is not a transaction: {error!r:.200}") from None
        if signer != self.address:
            raise SignerUnavailable(f"the remote signer signed as {signer}, not as {self.address}")
        for name, value in wanted.items():
            if _plain(fields[name]) != _plain(value):
                raise SignerUnavailable(f"the remote signer changed {name} of the transaction")
        if fields["accessList"]:
            raise SignerUnavailable("the remote signer added an access list to the transaction")
        return raw, keccak(raw)

    def _ask_typed(self, params: list[Any]) -> Any:
        while True:
            try:
                return self._ask(self._methods[0], params)
            except _NoSuchMethod:
                if len(self._methods) == 1:
                    raise
                del self._methods[0]

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
            if isinstance(refusal, dict) and refusal.get("code") == METHOD_NOT_FOUND:
                raise _NoSuchMethod(f"the remote signer has no {method}")
            raise SignerUnavailable(f"the remote signer refused: {str(refusal)[:200]}")
        return answer["result"]

    def close(self) -> None:
        """Lets the connection go."""
        self._client.close()


def checked_url(url: str) -> str:
    """The address, if it is https, or http on this machine. Raises SignerUnavailable."""
    try:
        origin = origin_of_url(url)
    except BadOrigin as error:
        raise SignerUnavailable(f"signer_url {error.reason}") from None
    if origin.is_secure or origin.names_loopback:
        return url
    raise SignerUnavailable(
        f"signer_url {origin}: what a seat signs travels over https, or over http to this machine only"
    )


def _json(transaction: Mapping[str, Any]) -> dict[str, Any]:
    return {k: hex(v) if isinstance(v, int) else _plain(v) for k, v in transaction.items()}


def _plain(value: Any) -> Any:
    """Bytes and addresses as lower-case hexadecimal, numbers as they are."""
    if isinstance(value, bytes):
        return to_hex(value)
    return value.lower() if isinstance(value, str) else value
