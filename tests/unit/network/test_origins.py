"""Announced endpoints: an origin, or a refusal that names the value; nothing else, whatever the text."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assay.network.errors import BadOrigin
from assay.network.origins import Origin, parse_origin

ODD = [
    "", " ", "x", "https://[", "https://[]", "https://[::1", "https://[::1%eth0]", "https://[::g]", "https://[1.2.3.4]",
    "http://exa\u2100mple.org", "http://caf\xe9", "http://\udce9", "http://a:99999", "http://a:65536", "http://a:0",
    "http://a:-1", "http://a:", "http://a:\u0661", "http://a:8x", "http://", "http://:80", "ftp://a", "file:///etc",
    "http://u@a", "http://u:p@a", "http://a/b", "http://a/?q", "http://a?q", "http://a#f", "http://a//", "//a",
    "http://a\r\nHost: b", "http://a\n", " http://a", "http://a ", "http://-a", "http://a-", "http://a..b", "http://a.",
    "http://.a", "http://127.1", "http://2130706433", "http://0x7f000001", "http://0177.0.0.1", "http://1.2.3.4.5",
    "http://256.1.1.1", "http://a.0x1", "http://" + "a" * 64, "http://" + "a." * 200 + "b", "http://a\0",
    "http://a\\@b", "http://a%2fb", "javascript:alert(1)", "http:a",
]  # fmt: skip


@pytest.mark.parametrize("text", ODD)
def test_origin__odd_text__is_refused_with_its_value(text: str) -> None:
    with pytest.raises(BadOrigin) as refused:
        parse_origin(text)
    assert refused.value.value == text
    assert str(refused.value).isascii()
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("text", "origin", "url"),
    [
        ("http://a", Origin("http", "a", 80), "http://a"),
        ("HTTPS://A.Example:443/", Origin("https", "a.example", 443), "https://a.example"),
        ("https://gpu_1.example:8443", Origin("https", "gpu_1.example", 8443), "https://gpu_1.example:8443"),
        ("http://[2001:DB8:0::1]:80", Origin("http", "2001:db8::1", 80), "http://[2001:db8::1]"),
        ("http://10.0.0.1:8700", Origin("http", "10.0.0.1", 8700), "http://10.0.0.1:8700"),
        ("https://xn--caf-dma.example", Origin("https", "xn--caf-dma.example", 443), "https://xn--caf-dma.example"),
    ],
)
def test_origin__of_a_good_endpoint__has_one_spelling(text: str, origin: Origin, url: str) -> None:
    assert parse_origin(text) == origin
    assert origin.url == url
    assert parse_origin(url) == origin


PARTS = st.sampled_from(
    ["http", "https", "://", ":", "/", "[", "]", "@", "?", "#", "%", ".", "a", "1", "::1", "\u2100"]
)


@given(st.one_of(st.text(), st.lists(PARTS, max_size=12).map("".join), st.text().map("https://".__add__)))
@example("https://[")
def test_origin__of_any_text__is_an_origin_or_a_named_refusal(text: str) -> None:
    try:
        origin = parse_origin(text)
    except BadOrigin:
        return
    assert 0 < origin.port < 65_536
    assert origin.url.isascii()
    assert parse_origin(origin.url) == origin


@given(st.one_of(st.none(), st.integers(), st.binary(), st.lists(st.text())))
def test_origin__of_what_is_no_text__is_refused(value: object) -> None:
    with pytest.raises(BadOrigin):
        parse_origin(value)  # type: ignore[arg-type]
