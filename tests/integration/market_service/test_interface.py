"""The API holds what its OpenAPI description promises, whatever is sent."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from assay.market.api.app import create_app
from assay.market.api.descriptions import fields_of

from .seeded import shared_context

app = create_app(shared_context(), rate=1e9, burst=1 << 30, pages=False)
schema = schemathesis.openapi.from_asgi("/v1/openapi.json", app)
# The stream never ends by itself; it has a test of its own.
described = schema.exclude(path="/v1/stream")


@described.parametrize()
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_interface__called_with_anything__answers_as_described(case: schemathesis.Case) -> None:
    # A cursor is opaque: its description cannot tell one that a search gave from any other text, which is refused.
    case.call_and_validate(excluded_checks=[positive_data_acceptance])


def test_description__of_every_field_of_an_answer__is_there() -> None:
    assert [name for name, shape in fields_of(app.openapi()) if not shape.get("description")] == []


def test_description__of_every_route__is_served() -> None:
    paths = app.openapi()["paths"]
    assert {"/v1/listings", "/v1/offers", "/v1/leases", "/v1/epochs", "/v1/validators", "/v1/slashes"} <= set(paths)
    assert len(paths) >= 18


@pytest.mark.parametrize("path", ["/v1/listings?cursor=%00", "/v1/accounts/0x", "/v1/epochs/99999999999999999999"])
def test_interface__given_what_is_no_value__says_so_without_failing(path: str) -> None:
    from fastapi.testclient import TestClient

    assert TestClient(app).get(path).status_code in (400, 422)
