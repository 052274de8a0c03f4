"""Names of leases: drawn, or proven to be their renters', and who has one already."""

from __future__ import annotations

from collections.abc import Iterable

from assay.provider.endpoints.given_names import read_given, write_given
from assay.provider.endpoints.records import EndpointRecord
from assay.provider.errors import Conflict, Forbidden, ProviderError
from assay.provider.ingress.configuration import NameRoute
from assay.provider.ingress.ingress import Ingress
from assay.provider.ingress.names import is_within, parse_name
from assay.provider.ingress.proofs import PROOF_LABEL, Ask, is_proven, proof_text
from assay.provider.pods.layout import PodFolders
from assay.wire.pods import ExposeBody


class LeaseNames:
    """The names that one daemon gives out. `ask` asks the domain name system."""

    def __init__(self, ingress: Ingress, ask: Ask) -> None:
        self.ingress = ingress
        self._ask = ask

    def parsed(self, domain: str) -> str:
        """A renter's domain as it is kept. Raises ProviderError for what is none, Forbidden for the provider's own."""
        try:
            name = parse_name(domain)
        except ValueError as error:
            raise ProviderError(f"domain {domain[:80]!r}: {error}") from error
        if is_within(name, self.ingress.settings.domain):
            raise Forbidden(f"{name} is of the provider's own domain: without a domain a name of it is chosen for you")
        return name

    def is_proven(self, domain: str, renter: str, records: Iterable[EndpointRecord]) -> bool:
        """Whether a domain leads to the lease of these records, or is its renter's. Raises Unavailable."""
        own = [one.name for one in records if one.name and is_within(one.name, self.ingress.settings.domain)]
        return is_proven(domain, renter, own, self._ask)

    def prove(self, domain: str, renter: str, records: Iterable[EndpointRecord]) -> None:
        """Raises Conflict with what to do where it is not proven, Unavailable."""
        if not self.is_proven(domain, renter, records):
            raise Conflict(
                f"{domain} is not proven to be yours: set a TXT record at {PROOF_LABEL}.{domain} that says "
                f'"{proof_text(renter)}", or a CNAME that leads from it to a name of this lease, which `assay expose` '
                "without a domain gives; records may take minutes to be seen"
            )

    def made(
        self,
        asked: ExposeBody,
        domain: str | None,
        renter: str,
        now: int,
        folders: PodFolders,
        records: Iterable[EndpointRecord],
        most: int,
    ) -> EndpointRecord:
        """A new endpoint at a domain that was proven, or at a name that was drawn. Raises Conflict where the lease has
        had too many."""
        given = read_given(folders.names, self.ingress.randomness)
        if domain is None:
            used = {one.name.partition(".")[0] for one in records if is_within(one.name, self.ingress.settings.domain)}
            name = f"{given.label(used, most)}.{self.ingress.settings.domain}"
        else:
            name, given = domain, given.with_domain(domain, most)
        write_given(folders.names, given)
        port, front = self.ingress.settings.https_port, self.ingress.new_front()
        return EndpointRecord("https", asked.port, port, now, name, front, renter, asked.login)

    def is_asked(self, one: EndpointRecord, asked: ExposeBody, domain: str | None) -> bool:
        """Whether it is what is asked for already."""
        if one.protocol != "https" or one.port != asked.port:
            return False
        return one.name == domain if domain is not None else is_within(one.name, self.ingress.settings.domain)


def route(one: EndpointRecord) -> NameRoute:
    """As the ingress is told of it."""
    return NameRoute(one.name, one.front, one.login)
