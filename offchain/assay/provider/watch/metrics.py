"""Prometheus metrics of a provider, as docs/how-to/provider.md documents them; the board and the alerts read them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from assay.daemon.metrics import gauge, process_registry
from assay.provider.watch.account_view import AccountView
from assay.provider.watch.proof_meter import ProofMeter
from assay.provider.watch.results import EpochResults


@dataclass
class ProviderWatch:
    """What is looked at; `status` is what the daemon says of itself, `leases` how many run now, `seen_at` when the last
    block was dealt with in full, on the steady clock."""

    status: Mapping[str, Any]
    leases: Callable[[], int]
    proofs: ProofMeter
    results: EpochResults
    account: AccountView
    seen_at: float | None = None


class ProviderCollector:
    """Reads the daemon when it is scraped."""

    def __init__(self, watch: ProviderWatch) -> None:
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        """All metrics of the daemon."""
        watch, account = self._watch, self._watch.account
        yield gauge("assay_provider_ready", "1 once it has seen its leases", int(bool(watch.status["ready"])))
        if watch.seen_at is not None:
            age = time.monotonic() - watch.seen_at
            yield gauge("assay_provider_block_age_seconds", "Since a final block was last dealt with in full", age)
            yield gauge("assay_provider_block", "That block", watch.status.get("block", 0))
            yield gauge("assay_provider_epoch", "Epoch at work", watch.status.get("epoch", 0))
        yield gauge("assay_provider_leases", "Leases that run", watch.leases())
        if (relay := watch.status.get("relay")) is not None:
            yield gauge("assay_provider_relay_linked", "1 while it is reached through its relay", int(relay["linked"]))
        devices = GaugeMetricFamily("assay_provider_devices", "Devices served, by status", labels=["status"])
        for status, count in account.statuses.items():
            devices.add_metric([status], count)
        yield devices
        yield _counter("assay_provider_epochs", "Reported epochs of its devices since the start", watch.results.counts)
        yield _counter("assay_provider_proofs", "Proofs for challenges since the start", watch.proofs.counts)
        yield gauge("assay_provider_proof_seconds", "Seconds of the last proof", watch.proofs.last_s)
        yield gauge("assay_provider_gas_coin", "Coin that the key at hand has for gas", account.gas)
        stake = GaugeMetricFamily("assay_provider_stake_tokens", "Stake, by state", labels=["state"])
        for state, amount in account.stake.items():
            stake.add_metric([state], amount)
        yield stake
        yield _by_token("assay_provider_bond_available_tokens", "Largest bond payable now", account.bond_available)
        yield _by_token("assay_provider_bond_needed_tokens", "Bond of the dearest offer", account.bond_needed)
        rent = GaugeMetricFamily("assay_provider_rent_tokens", "Rent of all leases", labels=["token", "state"])
        for (token, state), amount in account.rent.items():
            rent.add_metric([token, state], amount)
        yield rent


def registry(watch: ProviderWatch, *others: Collector) -> CollectorRegistry:
    """A registry of this daemon, of others such as its cards, and of its process."""
    return process_registry(ProviderCollector(watch), *others)


def _counter(name: str, help_: str, counts: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, help_, labels=["outcome"])
    for outcome, count in counts.items():
        family.add_metric([outcome], count)
    return family


def _by_token(name: str, help_: str, amounts: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_, labels=["token"])
    for token, amount in amounts.items():
        family.add_metric([token], amount)
    return family
