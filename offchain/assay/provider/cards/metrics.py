"""Prometheus metrics of a host's cards. Names are documented in docs/how-to/operations.md."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from assay.provider.cards.host import HostCards


class CardCollector:
    """Reads the cards when it is scraped."""

    def __init__(self, cards: HostCards) -> None:
        self._cards = cards

    def collect(self) -> Iterator[Metric]:
        """All metrics of the cards, by the uuid of each or the name of its processor."""
        up = GaugeMetricFamily("assay_card_up", "1 unless the card cannot prove now", labels=["card", "state"])
        fault = GaugeMetricFamily("assay_card_fault", "1 for what is wrong with a card", labels=["card", "fault"])
        proof = GaugeMetricFamily("assay_card_proof_seconds", "How long its latest proof took", labels=["card"])
        proofs = CounterMetricFamily("assay_card_proofs", "Proofs made since the start", labels=["card"])
        restarts = CounterMetricFamily("assay_card_worker_restarts", "Workers started again", labels=["card"])
        for report in self._cards.reports():
            up.add_metric([report.place, report.state], 0 if report.state == "down" else 1)
            if report.proof_s is not None:
                proof.add_metric([report.place], report.proof_s)
            proofs.add_metric([report.place], report.proofs)
            restarts.add_metric([report.place], report.restarts)
        for line in self._cards.status():
            if line["fault"] is not None:
                fault.add_metric([line["card"], str(line["fault"])], 1)
        yield from (up, fault, proof, proofs, restarts)
        yield from self._readings()

    def _readings(self) -> Iterator[Metric]:
        heat = GaugeMetricFamily("assay_card_temperature_celsius", "Its temperature", labels=["card"])
        used = GaugeMetricFamily("assay_card_memory_used_bytes", "Memory in use", labels=["card"])
        total = GaugeMetricFamily("assay_card_memory_bytes", "Memory in all", labels=["card"])
        errors = GaugeMetricFamily("assay_card_ecc_errors", "Uncorrected errors since its last reset", labels=["card"])
        for uuid, reading in self._cards.readings().items():
            used.add_metric([uuid], reading.memory_used)
            total.add_metric([uuid], reading.memory_total)
            if reading.temperature is not None:
                heat.add_metric([uuid], reading.temperature)
            if reading.ecc_errors is not None:
                errors.add_metric([uuid], reading.ecc_errors)
        yield from (heat, used, total, errors)
