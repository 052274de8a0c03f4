"""Names of images, and which of them a provider takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.provider.errors import BadProviderSetting, ImageRefused
from assay.provider.images.policy import CACHE_NAME, ImagePolicy
from assay.provider.images.references import ImageReference, parse_reference

D = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("debian", "docker.io/library/debian:latest"),
        ("python:3.12-slim", "docker.io/library/python:3.12-slim"),
        ("owner/name", "docker.io/owner/name:latest"),
        ("docker.io/debian", "docker.io/library/debian:latest"),
        ("index.docker.io/owner/name:1", "docker.io/owner/name:1"),
        ("ghcr.io/a/b/c:v1", "ghcr.io/a/b/c:v1"),
        ("registry.example:5000/x", "registry.example:5000/x:latest"),
        ("127.0.0.1:5000/x:1", "127.0.0.1:5000/x:1"),
        ("[::1]:5000/x:1", "[::1]:5000/x:1"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        (f"debian@{D}", f"docker.io/library/debian@{D}"),
        (f"debian:12@{D}", f"docker.io/library/debian:12@{D}"),
        ("GHCR.IO/a/b", "ghcr.io/a/b:latest"),
    ],
)
def test_reference__as_people_write_it__is_filled_in(text: str, name: str) -> None:
    found = parse_reference(text)
    assert found.name == name
    assert parse_reference(found.name) == found


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "UPPER", "a//b", "a/../b", "-x", "x:", "x:ta g", "x@sha256:short", f"x@{D.upper()}",
        "x@sha512:" + "0" * 128,
        "http://x/y", "x?y", "x#y", "user@host/x", "a.b:99999/x", "a.b:0/x", "169.254.169.254:80/latest/../x",
        "1.2.3/x",
        "x" * 256, "x\ny", "exa\u2100mple.org/x", "0x7f000001.:5000/x", "[::1/x", "a_b.c:x/y",
    ],
)  # fmt: skip
def test_reference__off_the_form__is_refused(text: str) -> None:
    with pytest.raises(ImageRefused):
        parse_reference(text)


@given(st.text(max_size=300))
def test_reference__any_text__is_refused_or_reads_back_as_itself(text: str) -> None:
    try:
        found = parse_reference(text)
    except ImageRefused:
        return
    assert parse_reference(found.name) == found


def test_pinned__to_another_digest_than_it_names__is_refused() -> None:
    assert parse_reference("x:1").pinned(D).target == D
    with pytest.raises(ImageRefused, match="another digest"):
        parse_reference(f"x@{D}").pinned("sha256:" + "00" * 32)


def test_policy__allowed_and_denied__by_what_was_written_and_by_the_whole_name() -> None:
    policy = ImagePolicy(default="debian:12", allow=("docker.io/library/*", "ghcr.io/*"), deny=("*/evil*",))
    assert policy.choose(None) == "debian:12"
    assert policy.choose("python:3.12") == "python:3.12"
    for image in ("owner/name", "ghcr.io/evil/x", "quay.io/x/y"):
        with pytest.raises(ImageRefused, match="not allowed here"):
            policy.choose(image)


@pytest.mark.parametrize(
    "image",
    [
        "169.254.169.254/latest", "10.0.0.1:5000/x", "127.0.0.1:5000/x", "[::1]:5000/x", "localhost:5000/x",
        "[::ffff:10.0.0.1]/x", "100.64.0.1/x",
    ],
)  # fmt: skip
def test_policy__registry_inside__is_refused_unless_it_is_named(image: str) -> None:
    with pytest.raises(ImageRefused, match="not a registry of the internet"):
        ImagePolicy().reference(image)
    assert ImagePolicy(private=(f"http://{image.partition('/')[0]}",)).reference(image)


def test_policy__private_registry__is_asked_as_it_is_named_and_no_other_port() -> None:
    policy = ImagePolicy(private=("http://127.0.0.1:5000", "https://registry.lan"))
    assert policy.origin_of(parse_reference("127.0.0.1:5000/x")).url == "http://127.0.0.1:5000"
    assert policy.origin_of(parse_reference("registry.lan/x")).url == "https://registry.lan"
    assert policy.origin_of(parse_reference("debian")).url == "https://registry-1.docker.io"
    with pytest.raises(ImageRefused):
        policy.reference("127.0.0.1:5001/x")
    with pytest.raises(BadProviderSetting):
        _ = ImagePolicy(private=("registry.lan:5000",)).origins


def test_policy__images_of_the_engine__only_where_a_pattern_says_so_and_never_what_was_pulled() -> None:
    kept = f"{CACHE_NAME}:{'0' * 64}"
    for policy in (ImagePolicy(), ImagePolicy(allow=("*", "localhost/mine*")), ImagePolicy(default=kept)):
        with pytest.raises(ImageRefused):
            policy.reference(kept)
    with pytest.raises(ImageRefused):
        ImagePolicy().reference("localhost/mine:1")
    assert ImagePolicy(default="localhost/mine:1").reference(None) == ImageReference("localhost", "mine", "1")
    assert ImagePolicy(allow=("localhost/mine*",)).reference("localhost/mine:1").is_own


def test_at_engine__what_was_fetched__goes_through_and_nothing_that_only_looks_like_it() -> None:
    kept = f"{CACHE_NAME}:{'0' * 64}"
    assert ImagePolicy().at_engine(kept) == kept
    assert ImagePolicy().at_engine("debian:12") == "debian:12"
    for image in (f"{CACHE_NAME}:latest", f"{kept}\n", f"{CACHE_NAME}s:{'0' * 64}", f"{CACHE_NAME}@{D}"):
        with pytest.raises(ImageRefused):
            ImagePolicy().at_engine(image)
