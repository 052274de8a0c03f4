"""Templates, and what every page is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from assay.market.api import names
from assay.market.api.caching import STATIC
from assay.market.api.context import Context
from assay.market.web import assets, formats
from assay.market.web.event_words import arguments_of
from assay.network.addresses import LOCAL_CHAINS
from assay.protocol.hexadecimal import ZERO_ADDRESS

TEMPLATES = Path(__file__).with_name("templates")
# Nothing but our own files runs or styles; wallets inject their provider from outside the page.
SECURITY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}


class Pages:
    """Renders templates over one context."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        tokens = context.links.tokens
        filters = (
            "decimal", "per_hour", "gops", "memory", "percent", "short", "hexadecimal", "moment",
            "duration", "flags", "flags_mood", "gpus", "host", "milliseconds", "scopes",
        )  # fmt: skip
        self._environment.filters |= {name: getattr(formats, name) for name in filters}
        self._environment.filters |= {"clock": formats.clock_tag, "age": formats.age_tag}
        self._environment.filters["json"] = lambda value: json.dumps(value)
        self._environment.globals |= {
            "token_of": lambda address: formats.token_of(tokens, address),
            "arguments_of": lambda event, token: list(arguments_of(event, tokens, token)),
            "phases": names.PHASES,
            "lease_statuses": names.LEASE_STATUSES,
            "device_statuses": names.DEVICE_STATUSES,
            "fault_names": names.FAULTS,
            "demand_statuses": names.DEMANDS,
            "slash_statuses": names.SLASHES,
            "static": f"{STATIC}{assets.fingerprint()}",
            "vendor": set(assets.vendor_files()),
            "links": context.links,
            "status": context.status,
            "local": context.status.chain_id in LOCAL_CHAINS,
            "zero": ZERO_ADDRESS,
        }

    def render(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page, or the part of it that htmx asked for."""
        text = self._environment.get_template(template).render(request=request, at=self._context.at(), **values)
        return HTMLResponse(text, status, headers=SECURITY)
