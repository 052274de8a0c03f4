"""Signs in a seat's name."""

from __future__ import annotations

import threading
from pathlib import Path

from assay.protocol.messages import Challenge, EpochReport, Gossip, Observations, Seal
from assay.protocol.signing import Domain
from assay.signing.living_copy import LivingCopy
from assay.signing.record import SigningRecord
from assay.signing.remote_signer import MessageSigner
from assay.signing.statements import statement_of
from assay.signing.witness import Witness, default_witness


class SeatSigner:
    """A signer with its record. What a contract could slash is recorded before it is signed; challenges and
    gossip, which no contract compares, are just signed."""

    def __init__(
        self,
        signer: MessageSigner,
        domain: Domain,
        path: Path,
        latest_epoch: int,
        *,
        witness: Witness | None = None,
    ) -> None:
        """Opens the record at `path`. `latest_epoch` is the highest epoch that anybody can have signed for
        by now.

        Raises RecordInUse beside a living copy, BadRecord for a damaged or foreign record.
        """
        self.address = signer.address
        self._signer, self._domain = signer, domain
        self._thread = threading.Lock()
        self._living = LivingCopy(path.with_name(path.name + ".lock"), signer.address)
        try:
            self.record = SigningRecord(
                path,
                signer.address,
                domain.separator,
                witness or default_witness(signer.address, domain.separator),
            )
            self.doubt = self.record.reconcile(latest_epoch)
        except BaseException:
            self._living.release()
            raise

    def sign_seal(self, seal: Seal) -> bytes:
        """Compact signature. Raises DoubleSign, SittingOut, SignerUnavailable."""
        return self._state(seal)

    def sign_observations(self, observations: Observations) -> bytes:
        """Compact signature. Raises DoubleSign, SittingOut, SignerUnavailable."""
        return self._state(observations)

    def sign_report(self, report: EpochReport) -> bytes:
        """Compact signature. Raises DoubleSign, SittingOut, SignerUnavailable."""
        return self._state(report)

    def sign_challenge(self, challenge: Challenge) -> bytes:
        """Compact signature."""
        return self._signer.sign(challenge, self._domain)

    def sign_gossip(self, gossip: Gossip) -> bytes:
        """Compact signature."""
        return self._signer.sign(gossip, self._domain)

    def _state(self, message: Seal | Observations | EpochReport) -> bytes:
        with self._thread:
            self.record.authorise(statement_of(message, self._domain))
        return self._signer.sign(message, self._domain)

    def close(self) -> None:
        """Lets the record go and the next process in."""
        self.record.close()
        self._living.release()
