"""Long bodies are read only once the renter has answered for them: by the H of the body, or in a session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import pytest

from assay.chain.contracts.leases import Lease
from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.protocol.messages import LeaseRequest
from assay.provider.devices.device import OwnDevice
from assay.wire.limits import MAX_REQUEST_BYTES
from tests.unit.provider.api_bench import NOW, Api, serving
from tests.unit.provider.conftest import ESCROW, ChainFake, key

LONG = bytes(MAX_REQUEST_BYTES + 1)
PATH = "/v1/leases/3/files/weights"


@pytest.fixture
async def api(tmp_path: Path, chain: ChainFake, device: OwnDevice, lease: Lease) -> AsyncIterator[Api]:
    async with serving(tmp_path, chain, device, lease) as one:
        yield one


class Body:
    """A long body, and how much of it was taken."""

    def __init__(self, content: bytes) -> None:
        self.content, self.taken = content, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for place in range(0, len(self.content), 1 << 14):
            piece = self.content[place : place + (1 << 14)]
            self.taken += len(piece)
            yield piece


def headers(
    content: bytes, *, signer: str = "renter", announced: bytes | None = None, path: str = PATH
) -> dict[str, str]:
    request = LeaseRequest(3, f"PUT {path}", keccak(content), NOW)
    said = {"x-assay-signature": to_hex(request.sign(ESCROW, key(signer))), "x-assay-issued-at": str(NOW)}
    return said if announced is None else {**said, "x-assay-body-hash": to_hex(announced)}


async def test_upload__announced_and_signed_by_the_renter__is_taken_once(api: Api) -> None:
    said = headers(LONG, announced=keccak(LONG))
    # Past the check, it is judged by the share of this lease, which is smaller.
    assert (await api.client.put(PATH, content=LONG, headers=said)).status_code == 413
    body = Body(LONG)
    again = await api.client.put(PATH, content=body, headers={**said, "content-length": str(len(LONG))})
    assert (again.status_code, body.taken) == (401, 0)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({}, 401),
        (headers(LONG), 401),
        (headers(LONG, signer="stranger", announced=keccak(LONG)), 403),
        (headers(LONG, announced=keccak(b"another")), 403),
        ({**headers(LONG, announced=keccak(LONG)), "x-assay-body-hash": "0x\xe9"}, 401),
        ({**headers(LONG, announced=keccak(LONG)), "x-assay-issued-at": str(NOW - 121)}, 401),
        ({"authorization": "Bearer nobody's"}, 401),
        (headers(LONG, announced=keccak(LONG), path="/v1/leases/3/files/other"), 403),
    ],
)  # fmt: skip
@pytest.mark.parametrize("declared", [True, False])
async def test_upload__that_nobody_answers_for__is_refused_with_nothing_read(
    api: Api, said: dict[str, str], status: int, declared: bool
) -> None:
    body, more = Body(LONG), {"content-length": str(len(LONG))} if declared else {}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in {**said, **more}.items()]
    answer = await api.client.put(PATH, content=body, headers=raw)
    assert (answer.status_code, body.taken) == (status, 0), answer.text
    assert answer.headers["connection"] == "close"


async def test_upload__other_bytes_than_were_announced__are_refused(api: Api) -> None:
    other = LONG[:-1] + b"x"
    answer = await api.client.put(PATH, content=other, headers=headers(LONG, announced=keccak(LONG)))
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert (await api.signed("GET", "/files/weights")).status_code == 404


@pytest.mark.parametrize("number", ["4", "x", "9" * 30, "%C3%A9"])
async def test_upload__to_no_lease_here__is_refused_with_nothing_read(api: Api, number: str) -> None:
    body = Body(LONG)
    answer = await api.client.put(f"/v1/leases/{number}/files/x", content=body, headers=headers(LONG))
    assert (answer.status_code, body.taken) == (404, 0)


async def test_upload__short_one_without_a_hash__is_judged_by_its_body_as_before(api: Api) -> None:
    assert (await api.client.put(PATH, content=b"short", headers=headers(b"short"))).json() == {"size": 5}
