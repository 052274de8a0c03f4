"""Puts the endpoints of a daemon together from its settings."""

from __future__ import annotations

import random

from assay.provider.endpoints.endpoints import Endpoints, EndpointSettings
from assay.provider.endpoints.port_numbers import PortNumbers
from assay.provider.endpoints.port_range import PortRange
from assay.provider.endpoints.port_rules import PortLimits
from assay.provider.endpoints.port_table import PortTable
from assay.provider.endpoints.records import ShutFile
from assay.provider.pods.engine import PodmanPods
from assay.provider.pods.layout import agent_name
from assay.provider.settings import ProviderSettings


def make_endpoints(settings: ProviderSettings, pods: PodmanPods) -> Endpoints | None:
    """None where the provider has no public ports. Raises RuntimeUnavailable where there can be none."""
    if settings.public_ports is None:
        return None
    limits = PortLimits(settings.endpoint_connections, settings.endpoint_rate)
    table = PortTable(agent_name(settings.data_dir), pods.network.interfaces, limits)
    table.check()
    ports, shuffle = PortRange.parse(settings.public_ports), random.SystemRandom()
    return Endpoints(
        pods,
        table,
        PortNumbers(ports, lambda known: shuffle.sample(known, len(known))),
        ShutFile(settings.data_dir),
        EndpointSettings(settings.public_host, settings.endpoints_per_lease),
    )
