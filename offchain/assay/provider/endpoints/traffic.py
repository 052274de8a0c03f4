"""What has gone through the endpoints of leases, as Prometheus metrics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from assay.provider.endpoints.port_rules import PortTraffic


@dataclass(frozen=True)
class CountedEndpoint:
    """One endpoint of a lease, and what has gone through."""

    lease_id: int
    protocol: str
    port: int
    passed: PortTraffic


class EndpointCollector:
    """Reads the last count when it is scraped. By the pods' ports and not by names or public ones: what is scraped may
    be read by many, and names are not to be guessed."""

    def __init__(self, counted: Callable[[], Iterable[CountedEndpoint]]) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        """All metrics of endpoints; several of one port of a pod are counted together."""
        labels = ["lease", "protocol", "port"]
        opened = GaugeMetricFamily("assay_endpoints", "Endpoints of leases", labels=["protocol"])
        made = CounterMetricFamily("assay_endpoint_connections", "Connections into the pod", labels=labels)
        received = CounterMetricFamily("assay_endpoint_received_bytes", "Bytes into the pod", labels=labels)
        sent = CounterMetricFamily("assay_endpoint_sent_bytes", "Bytes out of the pod", labels=labels)
        kinds = defaultdict[str, int](int)
        sums = defaultdict[tuple[str, str, str], list[int]](lambda: [0, 0, 0])
        for one in self._counted():
            kinds[one.protocol] += 1
            place = sums[str(one.lease_id), one.protocol, str(one.port)]
            for number, value in enumerate((one.passed.connections, one.passed.received_bytes, one.passed.sent_bytes)):
                place[number] += value
        for kind, count in sorted(kinds.items()):
            opened.add_metric([kind], count)
        for key, values in sorted(sums.items()):
            for family, value in zip((made, received, sent), values, strict=True):
                family.add_metric(list(key), value)
        yield from (opened, made, received, sent)
