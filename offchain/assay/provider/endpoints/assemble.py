"""Puts the endpoints of a daemon together from its settings."""

from __future__ import annotations

import random

from assay.network.port_range import PortRange
from assay.provider.endpoints.endpoints import Endpoints, EndpointSettings
from assay.provider.endpoints.lease_names import LeaseNames
from assay.provider.endpoints.port_numbers import PortNumbers
from assay.provider.endpoints.port_rules import IngressAccess, PortLimits
from assay.provider.endpoints.port_table import PortTable
from assay.provider.endpoints.records import ShutFile
from assay.provider.errors import RuntimeUnavailable, Unavailable
from assay.provider.ingress.configuration import IngressSettings
from assay.provider.ingress.ingress import Ingress, end_left, places_of
from assay.provider.ingress.resolver import Resolver
from assay.provider.pods.engine import PodmanPods
from assay.provider.pods.layout import agent_name
from assay.provider.settings import ProviderSettings


def make_endpoints(settings: ProviderSettings, pods: PodmanPods) -> Endpoints | None:
    """None where the provider has neither public ports nor a domain. Raises RuntimeUnavailable where there can be
    none."""
    agent = agent_name(settings.data_dir)
    ingress = make_ingress(settings, agent)
    if settings.public_ports is None and ingress is None:
        return None
    limits = PortLimits(settings.endpoint_connections, settings.endpoint_rate)
    access = None if ingress is None else IngressAccess(ingress.uid, ingress.settings.ports, limits.connections)
    table = PortTable(agent, pods.network.interfaces, limits, access)
    table.check()
    return Endpoints(
        pods,
        table,
        None if settings.public_ports is None else _numbers(PortRange.parse(settings.public_ports)),
        ShutFile(settings.data_dir),
        EndpointSettings(settings.public_host, settings.endpoints_per_lease),
        names=None if ingress is None else LeaseNames(ingress, Resolver()),
    )


def make_ingress(settings: ProviderSettings, agent: str) -> Ingress | None:
    """What serves names, running; None without a domain, and then what an earlier run left is ended. Raises
    RuntimeUnavailable, BadProviderSetting."""
    places = places_of(agent)
    if settings.endpoint_domain is None:
        end_left(places)
        return None
    ingress = Ingress(ingress_settings(settings, settings.endpoint_domain), places)
    try:
        ingress.prepare()
    except Unavailable as error:
        raise RuntimeUnavailable(str(error)) from error
    return ingress


def ingress_settings(settings: ProviderSettings, domain: str) -> IngressSettings:
    """What the settings say about names."""
    return IngressSettings(
        domain=domain,
        https_port=settings.endpoint_https_port,
        http_port=settings.endpoint_http_port,
        issuer=settings.endpoint_issuer,
        acme_email=settings.endpoint_acme_email,
        acme_directory=settings.endpoint_acme_directory,
        certificate=settings.endpoint_certificate,
        certificate_key=settings.endpoint_certificate_key,
    )


def _numbers(ports: PortRange) -> PortNumbers:
    shuffle = random.SystemRandom()
    return PortNumbers(ports, lambda known: shuffle.sample(known, len(known)))
