"""Bundles of files, taken apart as they come."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.wire.files import BundleError, BundleReader, Entry, parse_line

ENTRIES = [
    (Entry("file", "a/\udcff b", 0o640, 5), b"12\n45"),
    (Entry("folder", "a", 0o755), b""),
    (Entry("link", "l", target="../x\n"), b""),
    (Entry("large", "big", 0o600, 1 << 40), b""),
    (Entry("file", "empty", 0o600, 0), b""),
]
WHOLE = b"".join(entry.line() + content for entry, content in ENTRIES)


@given(st.lists(st.integers(0, len(WHOLE)), max_size=12))
def test_bundle__cut_anywhere__comes_out_as_it_went_in(cuts: list[int]) -> None:
    reader, found = BundleReader(100), []
    ends = [0, *sorted(cuts), len(WHOLE)]
    for begin, end in itertools.pairwise(ends):
        found += list(reader.feed(WHOLE[begin:end]))
    assert found == ENTRIES and reader.is_whole


def test_bundle__cut_short__is_not_whole() -> None:
    reader = BundleReader(100)
    list(reader.feed(WHOLE[:-1]))
    assert not reader.is_whole


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{}", b"[]", b"7", b"\xff", b'{"kind":"device","path":"x","mode":1,"size":0,"target":""}',
        b'{"kind":"file","path":7,"mode":1,"size":0,"target":""}',
        b'{"kind":"file","path":"","mode":1,"size":0,"target":""}',
        b'{"kind":"file","path":"x","mode":1,"size":-1,"target":""}',
        b'{"kind":"file","path":"x","mode":true,"size":0,"target":""}',
        b'{"kind":"file","path":"' + b"x" * 5000 + b'","mode":1,"size":0,"target":""}', b"[" * 5000,
    ],
)  # fmt: skip
def test_line__malformed__is_refused(line: bytes) -> None:
    with pytest.raises(BundleError):
        parse_line(line)


def test_bundle__file_or_line_beyond_the_limit__is_refused_before_it_is_held() -> None:
    with pytest.raises(BundleError, match="at most 4"):
        list(BundleReader(4).feed(Entry("file", "x", 0, 5).line()))
    with pytest.raises(BundleError, match="too long"):
        list(BundleReader(4).feed(b"x" * (1 << 17)))
