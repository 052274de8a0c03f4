"""A real node as remote signer: typed data and transactions over JSON-RPC, the same bytes as the key itself gives."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

import pytest

from assay.chain.key_files import Key
from assay.protocol.messages import EpochReport, Gossip, Seal
from assay.protocol.signing import Domain
from assay.signing.errors import SignerUnavailable
from assay.signing.remote_signer import RemoteSigner

ANVIL = Path(__file__).parents[3] / "node_modules" / ".bin" / "anvil"
FIRST = Key(bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"))
DOMAIN = Domain(31_337, "0x" + "11" * 20)
MESSAGES = [
    Seal(5, 3, 1, b"\1" * 32, b"\2" * 32, 7),
    EpochReport(5, 3, 0, b"\1" * 32, b"\2" * 32, b"\3" * 32, 10**24, b"\4" * 32),
    Gossip(5, 3, "instant", b"\5" * 32),
]
TRANSACTION = {
    "type": 2, "chainId": 31_337, "nonce": 0, "to": "0x" + "11" * 20, "data": b"\1", "value": 1, "gas": 50_000,
    "maxFeePerGas": 3 * 10**9, "maxPriorityFeePerGas": 10**9,
}  # fmt: skip


@pytest.fixture(scope="module")
def url():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([ANVIL, "--port", str(port), "--silent"])
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 0.1).close()
            break
        except OSError:
            time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


def test_remote_signer__a_node_with_the_key__signs_what_the_key_would(url):
    signer = RemoteSigner(url, FIRST.address)
    assert FIRST.address in signer.accounts()
    for message in MESSAGES:
        assert signer.sign(message, DOMAIN) == FIRST.sign(message, DOMAIN)
    signer.close()


def test_remote_signer__transaction__is_the_keys_own(url):
    signer = RemoteSigner(url, FIRST.address)
    assert signer.sign_transaction(TRANSACTION) == FIRST.sign_transaction(TRANSACTION)
    signer.close()


def test_remote_signer__node_without_the_key__unavailable(url):
    signer = RemoteSigner(url, Key(b"\7" * 32).address)
    with pytest.raises(SignerUnavailable):
        signer.sign(MESSAGES[0], DOMAIN)
    signer.close()
