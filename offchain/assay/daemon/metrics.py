"""What daemons' Prometheus metrics share: a registry with the process beside what is a daemon's own, and its text."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector


def process_registry(*collectors: Collector) -> CollectorRegistry:
    """A registry of these and of the process."""
    own = CollectorRegistry()
    for one in collectors:
        own.register(one)
    ProcessCollector(registry=own)
    PlatformCollector(registry=own)
    GCCollector(registry=own)
    return own


def metrics_text(own: CollectorRegistry) -> bytes:
    """Prometheus' text format."""
    return generate_latest(own)


def gauge(name: str, help_: str, value: float) -> GaugeMetricFamily:
    """A gauge without labels."""
    return GaugeMetricFamily(name, help_, value=value)
