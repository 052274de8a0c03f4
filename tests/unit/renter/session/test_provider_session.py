"""What a provider's refusals become."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.chain.key_files import Key
from assay.network.origins import Endpoint
from assay.protocol.signing import Domain
from assay.renter.errors import NoJob, ProviderRefused, Unreachable
from assay.renter.session.provider_session import Notebook, ProviderSession, quoted


class Http:
    """Answers each request with the same, or refuses it."""

    def __init__(self, answer: dict[str, Any] | ProviderRefused) -> None:
        self.answer = answer

    async def json_of(self, method: str, endpoint: Endpoint, path: str, **options: Any) -> dict[str, Any]:
        if isinstance(self.answer, ProviderRefused):
            raise self.answer
        return self.answer

    async def pieces_of(self, endpoint: Endpoint, path: str, **options: Any) -> AsyncIterator[bytes]:
        if isinstance(self.answer, ProviderRefused):
            raise self.answer
        yield b""


def session(answer: dict[str, Any] | ProviderRefused) -> ProviderSession:
    domain = Domain(31337, "0x" + "11" * 20)
    return ProviderSession(Http(answer), Endpoint("http://p"), 7, Key(b"\1" * 32), domain, lambda: 0.0)  # type: ignore[arg-type]


async def test_job__unknown__is_no_job_and_says_how_to_list_them() -> None:
    asked = session(ProviderRefused(404, "lease 7 has no job 'x'"))
    for ask in (asked.job("x"), asked.stop_job("x"), anext(asked.output("x"))):
        with pytest.raises(NoJob, match="assay jobs 7"):
            await ask


async def test_job__unknown_lease__stays_a_refusal() -> None:
    with pytest.raises(ProviderRefused, match="not served"):
        await session(ProviderRefused(404, "lease 7 is not served here")).job("x")


async def test_notebook__path_of_the_lease__comes_with_its_job() -> None:
    good = {"jobId": "j", "path": "/v1/leases/7/notebook/open?ticket=t"}
    assert await session(good).notebook() == Notebook(good["path"], "j")
    with pytest.raises(Unreachable):
        await session({"jobId": "j", "path": "//elsewhere"}).notebook()


async def test_ready__lease_that_is_not_known_yet__is_waited_for_and_other_refusals_are_told() -> None:
    assert await session({"leaseId": 7, "obstacle": None}).ready()
    assert not await session(ProviderRefused(404, "no lease 7 of a device that is served here")).ready()
    with pytest.raises(ProviderRefused, match="403"):
        await session(ProviderRefused(403, "not yours")).ready()


async def test_ready__provider_could_not_start_the_lease__is_told_before_any_proof() -> None:
    with pytest.raises(ProviderRefused, match="the bond credit holds 5, 60 are needed") as caught:
        await session({"leaseId": 7, "obstacle": "the bond credit holds 5,\n60 are needed"}).ready()
    assert caught.value.exit_status == 5


@given(st.binary(min_size=1, max_size=255))
def test_path__of_any_bytes__is_quoted_so_that_nothing_on_the_way_changes_it(name: bytes) -> None:
    text = quoted(name.decode("utf-8", "surrogateescape"))
    assert unquote_to_bytes(text) == name
    assert re.fullmatch(r"([A-Za-z0-9._~/-]|%[0-9A-F]{2})+", text)


async def test_files__listing_that_never_ends__is_given_up() -> None:
    with pytest.raises(Unreachable, match="without an end"):
        await session({"files": [], "next": "a"}).files()
