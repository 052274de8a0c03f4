"""One sender a key on a host: refused while another has it, free the moment that one is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from assay.chain.errors import KeyInUse
from assay.chain.transactions.key_lock import KeyLock

HOLD = """
import sys
from assay.chain.transactions.key_lock import KeyLock
lock = KeyLock(sys.argv[1], bytes.fromhex(sys.argv[2]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def genesis() -> bytes:
    return os.urandom(32)


ADDRESS = "0x" + "Ab" * 20


def test_key_lock__held__is_refused_by_either_spelling_and_names_the_process(genesis: bytes) -> None:
    lock = KeyLock(ADDRESS, genesis)
    for again in (ADDRESS, ADDRESS.lower()):
        with pytest.raises(KeyInUse, match=f"process {os.getpid()} "):
            KeyLock(again, genesis)
    # However often it is asked for.
    for _ in range(20):
        with pytest.raises(KeyInUse):
            KeyLock(ADDRESS, genesis)
    lock.close()
    KeyLock(ADDRESS, genesis).close()


def test_key_lock__another_chain_or_key__is_another_lock(genesis: bytes) -> None:
    locks = [KeyLock(ADDRESS, genesis), KeyLock("0x" + "cd" * 20, genesis), KeyLock(ADDRESS, os.urandom(32))]
    for lock in locks:
        lock.close()


@pytest.mark.slow
def test_key_lock__holder_killed__blocks_nobody(genesis: bytes) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, ADDRESS, genesis.hex()], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        with pytest.raises(KeyInUse, match=f"process {process.pid} "):
            KeyLock(ADDRESS, genesis)
        process.send_signal(signal.SIGKILL)
        process.wait()
        KeyLock(ADDRESS, genesis).close()
    finally:
        process.kill()
        process.wait()
