"""Signs in a seat's name."""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from contextlib import ExitStack
from pathlib import Path

import structlog

from assay.protocol.messages import Challenge, EpochReport, Gossip, Observations, ProbeNonce, Seal
from assay.protocol.signing import Domain
from assay.protocol.typed_message import TypedMessage
from assay.signing.errors import RecordInUse, SignerUnavailable
from assay.signing.record import SigningRecord
from assay.signing.remote_signer import MessageSigner
from assay.signing.statements import statement_of
from assay.signing.witness import Witness, default_witness


class LivingCopy:
    """A lock that ends with the process, however it ends. The file holds the
    process id, for the error message."""

    def __init__(self, path: Path, address: str) -> None:
        """Raises RecordInUse while another process holds it."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._handle, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(self._handle)
            raise RecordInUse(
                f"{path}: process {holder} signs with {address} already; stop it first: "
                "two copies of one seat get it slashed"
            ) from None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Lets the next process in."""
        os.close(self._handle)


RETRY_S = (0.5, 1.0, 2.0)  # pauses before a remote signer is asked once more
log = structlog.get_logger()


class SeatSigner:
    """A signer with its record. What a contract could slash is recorded before it is signed; challenges,
    nonces and gossip, which no contract compares, are just signed."""

    def __init__(
        self,
        signer: MessageSigner,
        domain: Domain,
        path: Path,
        latest_epoch: int,
        *,
        witness: Witness | None = None,
    ) -> None:
        """Opens the record at `path`. `latest_epoch` is the highest epoch that
        anybody can have signed for by now.

        Raises RecordInUse beside a living copy, BadRecord for a damaged or foreign record.
        """
        self.address = signer.address
        self._signer, self._domain = signer, domain
        self._thread = threading.Lock()
        witness = witness or default_witness(signer.address, domain.separator)
        with ExitStack() as opened:
            # Beside the record, and beside the witness too: a copy with a folder of its own has the same witness.
            for file in (path, witness.path):
                living = LivingCopy(file.with_name(file.name + ".lock"), signer.address)
                opened.callback(living.release)
            self.record = SigningRecord(path, signer.address, domain.separator, witness)
            opened.callback(self.record.close)
            self.doubt = self.record.reconcile(latest_epoch)
            self._opened = opened.pop_all()

    async def sign_seal(self, seal: Seal) -> bytes:
        """Compact signature. Raises DoubleSign, SittingOut, SignerUnavailable."""
        return await self._state(seal)

    async def sign_observations(self, observations: Observations) -> bytes:
        """Compact signature. Raises DoubleSign, SittingOut, SignerUnavailable."""
        return await self._state(observations)

    async def sign_report(self, report: EpochReport) -> bytes:
        """Compact signature. Raises DoubleSign, SittingOut, SignerUnavailable."""
        return await self._state(report)

    async def sign_challenge(self, challenge: Challenge) -> bytes:
        """Compact signature."""
        return await self._sign(challenge)

    async def sign_probe_nonce(self, nonce: ProbeNonce) -> bytes:
        """Compact signature."""
        return await self._sign(nonce)

    async def sign_gossip(self, gossip: Gossip) -> bytes:
        """Compact signature."""
        return await self._sign(gossip)

    async def _state(self, message: Seal | Observations | EpochReport) -> bytes:
        with self._thread:
            self.record.authorise(statement_of(message, self._domain))
        return await self._sign(message)

    async def _sign(self, message: TypedMessage) -> bytes:
        if not self._signer.blocks:
            return self._signer.sign(message, self._domain)
        for pause in RETRY_S:
            try:
                return await asyncio.to_thread(self._signer.sign, message, self._domain)
            except SignerUnavailable as error:
                log.warning("remote signer unavailable, asked again", error=str(error))
                await asyncio.sleep(pause)
        return await asyncio.to_thread(self._signer.sign, message, self._domain)

    def sits_out(self, epoch: int) -> str:
        """Why nothing new is signed for an epoch; empty where it is."""
        return self.record.sits_out(epoch)

    def close(self) -> None:
        """Lets the record go and the next process in."""
        self._opened.close()
