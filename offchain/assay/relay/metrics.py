"""What a relay tells of itself over HTTP: health, Prometheus metrics, and a status with a line for each link."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from prometheus_client.core import CounterMetricFamily, Metric

from assay.daemon.metrics import gauge, metrics_text, process_registry
from assay.network.access_log import AccessLog
from assay.relay.relay import Relay
from assay.wire import paths

STALE_S = 3_600.0


class RelayCollector:
    """Reads the relay when it is scraped."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def collect(self) -> Iterator[Metric]:
        """All metrics of the daemon."""
        relay, counts = self._relay, self._relay.counts
        links = list(relay.links.values())
        yield gauge("assay_relay_links", "Providers that are linked", len(links))
        yield gauge("assay_relay_streams", "Open streams", sum(link.streams for link in links))
        yield gauge("assay_relay_waiting", "Streams that wait for their provider", sum(link.waiting for link in links))
        yield gauge("assay_relay_ports_held", "Public ports that are some device's", relay.book.held())
        yield gauge("assay_relay_view_age_seconds", "Since it was last read who is enrolled", relay.admission.age())
        yield _counter("assay_relay_links_made", "Links since the start", "", {"": counts.links})
        yield _counter("assay_relay_streams_made", "Streams since the start", "", {"": counts.streams})
        passed = {"in": counts.bytes_in, "out": counts.bytes_out}
        yield _counter("assay_relay_bytes", "Bytes passed on since the start", "direction", passed)
        yield _counter("assay_relay_refused", "What was refused since the start", "kind", counts.refused)


def create_app(relay: Relay) -> FastAPI:
    """The application on the address that only the operator reaches."""
    app = FastAPI(title="Assay relay", version="1", docs_url=None, redoc_url=None)
    app.add_middleware(AccessLog)
    registry = process_registry(RelayCollector(relay))

    @app.get(paths.LIVEZ)
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.get(paths.READYZ)
    async def readyz() -> JSONResponse:
        stale = relay.admission.age() > STALE_S
        state = "nobody knows any more who is enrolled" if stale else "ready"
        return JSONResponse({"status": state}, HTTPStatus.SERVICE_UNAVAILABLE if stale else HTTPStatus.OK)

    @app.get(paths.STATUS)
    async def status() -> Any:
        return relay.status()

    @app.get(paths.METRICS)
    async def metrics() -> Response:
        return Response(metrics_text(registry), media_type=paths.PROMETHEUS)

    return app


def _counter(name: str, text: str, label: str, values: dict[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label] if label else [])
    for value, count in values.items():
        family.add_metric([value] if label else [], count)
    return family
