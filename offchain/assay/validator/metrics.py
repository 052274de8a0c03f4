"""Prometheus metrics of a validator, as docs/how-to/operations.md documents them; board and alerts read them."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, Metric

from assay.daemon.metrics import gauge, process_registry
from assay.validator.daemon import Daemon
from assay.validator.rules.leaders import report_rounds, seal_rounds
from assay.validator.status import unready

OUTCOMES = ("reported", "void", "unopened", "unseated", "failed")


class DaemonCollector:
    """Reads the daemon when it is scraped: nothing is counted twice, nothing is kept."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def collect(self) -> Iterator[Metric]:
        """All metrics of the daemon."""
        daemon, follower = self._daemon, self._daemon.services.follower
        now = daemon.services.clock.now()
        yield gauge("assay_ready", "1 when it can take part in an epoch", 0 if unready(daemon) else 1)
        yield gauge("assay_seated", "1 when the account holds a seat", int(daemon.account in daemon.endpoints))
        if follower.head is not None and follower.final is not None:
            yield gauge("assay_chain_head_block", "Latest block", follower.head.number)
            yield gauge("assay_chain_final_block", "Latest final block", follower.final.number)
            yield gauge("assay_chain_head_age_seconds", "Age of the latest block", now - follower.head.timestamp)
        yield gauge("assay_chain_poll_age_seconds", "Since the chain was last read", now - follower.polled_at)
        yield gauge(
            "assay_store_bytes", "Size of the database of messages and contents", daemon.services.store.disk_bytes()
        )
        yield gauge("assay_openings", "Openings held", daemon.pruning.held)
        yield gauge("assay_chain_unread_logs", "Logs that could not be read and were left out", follower.reader.unread)
        outcomes = CounterMetricFamily("assay_epochs", "Epochs ended since the start, by outcome", labels=["outcome"])
        for outcome in OUTCOMES:
            outcomes.add_metric([outcome], daemon.counts.get(outcome, 0))
        yield outcomes
        yield from self._latest_epoch()

    def _latest_epoch(self) -> Iterator[Metric]:
        daemon = self._daemon
        if not daemon.runs:
            return
        epoch = max(daemon.runs)
        run = daemon.runs[epoch]
        yield gauge("assay_epoch", "Epoch at work", epoch)
        yield gauge("assay_epoch_phase", "Its phase at the final block", int(daemon.services.follower.phase(epoch)))
        record = run.record
        if record is None:
            return
        context, turn_s, now = record.context, daemon.services.pace.round_s, daemon.services.clock.now()
        seals = seal_rounds(context.deadlines, context.n, turn_s, record.inventory_at).turns(now)
        reports = report_rounds(context.deadlines, context.n, turn_s, record.batch_at).turns(now)
        yield gauge("assay_epoch_devices", "Devices enrolled", len(record.context.devices))
        yield gauge("assay_epoch_commitments", "Commitments held", len(record.committed()))
        yield gauge("assay_epoch_inventories", "Inventories held", len(record.inventories))
        yield gauge("assay_epoch_batches", "Observation batches held", len(record.batches))
        yield gauge(
            "assay_epoch_seal_round", "Leaders of the seal that had their turn in vain since commitments closed", seals
        )
        yield gauge("assay_epoch_report_round", "Leaders of the report that had their turn in vain", reports)


def registry(daemon: Daemon) -> CollectorRegistry:
    """A registry of this daemon and its process."""
    return process_registry(DaemonCollector(daemon))
