"""A registry's answers, the hostile ones too, over a network without sockets."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from assay.network.client import Client
from assay.network.errors import RequestFailed
from assay.network.exchange import Request
from assay.network.origins import parse_origin
from assay.provider.errors import ImageRefused, Unavailable
from assay.provider.images.manifests import ImageBlob, digest_of
from assay.provider.images.references import parse_reference
from assay.provider.images.registry import RegistryLogin, RegistrySession
from tests.stand_in import Reply, StandIn

HOST = "https://registry.example"
LOGIN = RegistryLogin("me", "s3cret")
BASIC = "Basic " + base64.b64encode(b"me:s3cret").decode()
BLOB = ImageBlob(digest_of(b"0123456789"), 10)


def session(
    answer: Callable[[Request], Reply], login: RegistryLogin | None = None, private: tuple[str, ...] = ()
) -> tuple[RegistrySession, StandIn]:
    network = StandIn(answer)
    origins = frozenset(map(parse_origin, private))
    reference = parse_reference("registry.example/team/x:1")
    return RegistrySession(Client(network), reference, parse_origin(HOST), login, origins), network


def challenged(realm: str, service: str = "s") -> Callable[[Request], Reply]:
    """A registry that asks for a token, and the service that gives it."""

    def answer(request: Request) -> Reply:
        if request.path.startswith("/token"):
            return Reply(200, b'{"token": "T"}')
        if request.headers.get("authorization") == "Bearer T":
            return Reply(200, b"{}")
        return Reply(401, b"", headers={"www-authenticate": f'Bearer realm="{realm}",service="{service}"'})

    return answer


async def test_manifest__behind_a_token__is_asked_for_with_it_and_the_login_goes_to_the_token_service_alone() -> None:
    asked, network = session(challenged("https://auth.example/token"), LOGIN)
    assert await asked.manifest("1") == b"{}"
    seen = [(one.origin.host, one.path.partition("?")[0], one.headers.get("authorization")) for one in network.requests]
    assert seen == [
        ("registry.example", "/v2/team/x/manifests/1", None),
        ("auth.example", "/token", BASIC),
        ("registry.example", "/v2/team/x/manifests/1", "Bearer T"),
    ]
    assert "scope=repository%3Ateam%2Fx%3Apull" in network.requests[1].path
    assert await asked.manifest("1") == b"{}"
    assert len(network.requests) == 4  # the token is kept for the session


@pytest.mark.parametrize(
    "realm",
    [
        "http://auth.example/token", "https://169.254.169.254/token", "https://127.0.0.1:8700/token", "https://[::1]/token",
        "https://localhost/token", "file:///etc/passwd", "https://user:pw@auth.example/token", "", "https://", "//x",
    ],
)  # fmt: skip
async def test_token__from_a_service_inside_or_without_tls__is_never_asked_for(realm: str) -> None:
    asked, network = session(challenged(realm), LOGIN)
    with pytest.raises(ImageRefused, match="its registry leads to"):
        await asked.manifest("1")
    assert len(network.requests) == 1


@pytest.mark.parametrize(
    "location",
    ["http://store.example/x", "https://10.0.0.1/x", "https://169.254.169.254/latest/meta-data", "ftp://x/y",
     "http:///", "https://[/"],
)  # fmt: skip
async def test_blob__sent_on_to_somewhere_inside__is_not_followed(location: str) -> None:
    asked, network = session(lambda _: Reply(307, headers={"location": location}))
    with pytest.raises(ImageRefused, match="its registry leads to"):
        async with asked.blob(BLOB):
            pass
    assert len(network.requests) == 1


async def test_blob__sent_on_to_a_store__is_read_there_without_the_login() -> None:
    def answer(request: Request) -> Reply:
        if request.origin.host == "store.example":
            return Reply(200, b"0123456789")
        if request.headers.get("authorization") != BASIC:
            return Reply(401, headers={"www-authenticate": 'Basic realm="r"'})
        return Reply(307, headers={"location": "https://store.example/blob?sig=a%2Fb"})

    asked, network = session(answer, LOGIN)
    async with asked.blob(BLOB) as pieces:
        assert b"".join([piece async for piece in pieces]) == b"0123456789"
    assert network.requests[-1].path == "/blob?sig=a%2Fb"
    assert "authorization" not in network.requests[-1].headers


@pytest.mark.parametrize(("status", "given"), [(206, b"6789"), (200, b"0123456789")])
async def test_blob__from_where_it_broke_off__is_the_rest_though_the_registry_knows_no_ranges(
    status: int, given: bytes
) -> None:
    asked, network = session(lambda _: Reply(status, [given[:3], given[3:]]))
    async with asked.blob(BLOB, offset=6) as pieces:
        assert b"".join([piece async for piece in pieces]) == b"6789"
    assert network.requests[0].headers["range"] == "bytes=6-"


@pytest.mark.parametrize(
    ("reply", "error", "reason"),
    [
        (Reply(404, b'{"errors":[{"code":"NAME_UNKNOWN"}]}'), ImageRefused, "has no such image or tag"),
        (Reply(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}'), ImageRefused, "has no such tag"),
        (Reply(403), ImageRefused, "shows it to nobody"),
        (Reply(401, headers={"www-authenticate": 'Basic realm="r"'}), ImageRefused, "--registry-user"),
        (Reply(401, headers={"www-authenticate": "Negotiate"}), ImageRefused, "a login of an unknown kind"),
        (Reply(429), Unavailable, "fetch no more for now"),
        (Reply(500), Unavailable, "status 500"),
        (Reply(301, headers={"location": f"{HOST}/v2/team/x/manifests/1"}), ImageRefused, "without end"),
        (Reply(200, b"x" * (5 << 20)), Unavailable, "longer than"),
    ],
)
async def test_manifest__refused__says_why(reply: Reply, error: type[Exception], reason: str) -> None:
    asked, _ = session(lambda _: reply)
    with pytest.raises(error, match=reason):
        await asked.manifest("1")


async def test_manifest__other_bytes_than_its_digest__are_refused() -> None:
    asked, _ = session(lambda _: Reply(200, b"{}"))
    assert await asked.manifest(digest_of(b"{}")) == b"{}"
    with pytest.raises(ImageRefused, match="serves something else"):
        await asked.manifest(digest_of(b"[]"))
    with pytest.raises(ImageRefused, match="serves something else"):
        await asked.config(BLOB)


async def test_login__wrong__is_told_without_the_password() -> None:
    def answer(request: Request) -> Reply:
        if request.path.startswith("/token"):
            return Reply(401, json.dumps({"details": "incorrect s3cret"}).encode())
        return Reply(401, headers={"www-authenticate": 'Bearer realm="https://auth.example/token"'})

    asked, _ = session(answer, LOGIN)
    with pytest.raises(ImageRefused, match="does not let 'me' have it") as refused:
        await asked.manifest("1")
    assert "s3cret" not in str(refused.value) + repr(LOGIN)


async def test_registry__that_does_not_answer__is_unavailable() -> None:
    def answer(_: Request) -> Reply:
        raise RequestFailed("registry.example: no answer in time")

    asked, _ = session(answer)
    with pytest.raises(Unavailable, match="no answer in time"):
        await asked.manifest("1")
