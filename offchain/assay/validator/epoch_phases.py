"""Puts the phases of one epoch together: each is handed the ports it uses."""

from __future__ import annotations

from assay.protocol.leaves import SealedLeaf
from assay.protocol.types import Rho
from assay.validator.agreement.report_inputs import InputReader
from assay.validator.agreement.reporting import Reporting
from assay.validator.agreement.rounds import P, Rounds, Subject
from assay.validator.agreement.sealing import Sealing
from assay.validator.peers.batch_exchange import BatchExchange
from assay.validator.phases.adopting import Adopting
from assay.validator.phases.challenging import Challenging
from assay.validator.phases.drawing import Drawing
from assay.validator.phases.instants import Instants
from assay.validator.phases.inventories import Inventories
from assay.validator.phases.listed_content import ListedContent
from assay.validator.phases.memory_checks import MemoryChecks
from assay.validator.phases.observing import Observing
from assay.validator.phases.opening import OpeningEpoch
from assay.validator.phases.probing import Probing
from assay.validator.phases.shared_openings import SharedOpenings
from assay.validator.phases.verifying import Verifying
from assay.validator.services import ValidatorServices
from assay.validator.storage.record import EpochRecord
from assay.wire.gossip import ReportProposal


def opening(s: ValidatorServices, epoch: int, account: str) -> OpeningEpoch:
    """The first phase: of an epoch of which only the number is known."""
    return OpeningEpoch(epoch, account, s.reader, s.writer, s.follower, s.clock, s.wake, s.pace)


class EpochPhases:
    """The phases of an epoch that is open."""

    def __init__(self, services: ValidatorServices, record: EpochRecord) -> None:
        s, context = services, record.context
        self._services, self._record = services, record
        instants = Instants(context, record, s.statements, s.gossip, s.clock, s.wake, s.pace)
        probing = Probing(context, record, instants, s.statements, s.devices, s.store, s.clock, s.random)
        self.challenging = Challenging(
            context, record, instants, probing, s.statements, s.devices, s.store, s.clock, s.wake, s.random
        )
        self.inventories = Inventories(context, record, s.statements, s.gossip, s.clock, s.wake)
        self.sealing = Sealing(
            context,
            record,
            ListedContent(context, record, s.store, s.gossip),
            s.store,
            s.statements,
            s.writer,
            s.follower,
            s.gossip,
            s.clock,
            s.wake,
            s.pace,
        )
        self.seals = self._rounds(self.sealing)
        self.drawing = Drawing(context, s.reader, s.writer, s.follower, s.clock, s.wake, s.pace)
        self.verifying = Verifying(
            context,
            s.store,
            s.statements,
            s.devices,
            s.checker,
            SharedOpenings(context, s.gossip, s.clock, s.pace),
            MemoryChecks(context, record, s.store, s.checker, s.devices, s.clock),
            s.clock,
            s.random,
        )
        self.observing = Observing(context, record, s.store, s.statements, s.follower, s.gossip, s.clock, s.wake)
        self.adopting = Adopting(context, s.follower, s.store, s.gossip, s.clock)

    def inputs(self, sealed: tuple[SealedLeaf, ...], rho: Rho) -> InputReader:
        """What the report is made from beside batches, once what was sealed is drawn from."""
        s, context = self._services, self._record.context
        return InputReader(context, sealed, rho, s.reader, s.follower, s.store, s.gossip, s.wake)

    def reports(self, inputs: InputReader) -> Rounds[ReportProposal]:
        """The agreement on the report."""
        s, record = self._services, self._record
        subject = Reporting(
            inputs,
            record.context,
            record,
            s.store,
            s.statements,
            s.reader,
            s.writer,
            s.follower,
            BatchExchange(record.context, record, s.gossip, s.clock, s.wake),
            s.clock,
            s.wake,
            s.pace,
        )
        return self._rounds(subject)

    def _rounds(self, subject: Subject[P]) -> Rounds[P]:
        s, record = self._services, self._record
        return Rounds(
            subject, record.context, record, s.reader, s.writer, s.follower, s.gossip, s.clock, s.wake, s.pace
        )
