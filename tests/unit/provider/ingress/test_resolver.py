"""Answers of resolvers, well-formed and not."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.provider.errors import Unavailable
from assay.provider.ingress.resolver import Malformed, Resolver, answers, query, servers

NUMBER, NAME = 4_711, "llm.example.org"
HEAD = struct.Struct(">HHHHHH")
POINTER = b"\xc0\x0c"


def encoded(name: str) -> bytes:
    return b"".join(bytes([len(one)]) + one.encode() for one in name.split(".")) + b"\0"


def record(kind: int, data: bytes, owner: bytes = POINTER, klass: int = 1) -> bytes:
    return owner + struct.pack(">HHIH", kind, klass, 60, len(data)) + data


def answer(*records: bytes, kind: int = 5, number: int = NUMBER, flags: int = 0x8180, name: str = NAME) -> bytes:
    question = encoded(name) + struct.pack(">HH", kind, 1)
    return HEAD.pack(number, flags, 1, len(records), 0, 0) + question + b"".join(records)


def test_question__of_a_name__is_one_question_that_asks_for_recursion() -> None:
    asked = query(NUMBER, NAME, "CNAME")
    assert asked == HEAD.pack(NUMBER, 0x0100, 1, 0, 0, 0) + encoded(NAME) + struct.pack(">HH", 5, 1)
    assert len(asked) == 33


def test_answer__with_records__gives_those_of_the_name_and_kind_alone() -> None:
    target = record(5, encoded("ABC.gpu.test"))
    assert answers(answer(target), NUMBER, NAME, "CNAME") == ["abc.gpu.test"]
    # A name that leads back into the message.
    assert answers(answer(record(5, b"\3www" + POINTER)), NUMBER, NAME, "CNAME") == [f"www.{NAME}"]
    # Another's record, another kind, another class.
    others = (record(5, encoded("a.b"), encoded("x.y")), record(16, b"\1a"), record(5, encoded("a.b"), klass=3))
    assert answers(answer(*others, target), NUMBER, NAME, "CNAME") == ["abc.gpu.test"]
    text = record(16, b"\6renter\3=0x")
    assert answers(answer(text, kind=16), NUMBER, NAME, "TXT") == ["renter=0x"]
    assert answers(answer(flags=0x8183), NUMBER, NAME, "CNAME") == []
    assert answers(answer(), NUMBER, NAME.upper(), "CNAME") == []


@pytest.mark.parametrize(
    "message",
    [
        b"",
        answer(number=NUMBER + 1),
        answer(flags=0x0180),
        answer(flags=0x8182),
        answer(flags=0x8185),
        answer(kind=16),
        answer(name="other.example.org"),
        answer(record(5, encoded("a.b")))[:-3],
        answer(record(5, b"\xc0\xff")),
        # In a circle, forwards, and of a kind that is none.
        answer(record(5, b"\xc0" + bytes([HEAD.size + len(encoded(NAME)) + 4 + 12]))),
        answer(record(5, b"\x80\0")),
        HEAD.pack(NUMBER, 0x8180, 1, 9, 0, 0) + encoded(NAME) + struct.pack(">HH", 5, 1),
        HEAD.pack(NUMBER, 0x8180, 0, 0, 0, 0),
    ],
)
def test_answer__to_something_else_or_broken__is_told_as_such(message: bytes) -> None:
    with pytest.raises(Malformed):
        answers(message, NUMBER, NAME, "CNAME")


@given(st.binary(max_size=120), st.sampled_from(["CNAME", "TXT"]))
def test_answer__of_any_bytes__is_read_or_refused(body: bytes, kind: str) -> None:
    head = answer(kind=5 if kind == "CNAME" else 16)
    for message in (body, head[:6] + b"\0\2" + head[8:] + body):
        with contextlib.suppress(Malformed):
            assert all(isinstance(one, str) for one in answers(message, NUMBER, NAME, kind))


def test_resolvers__of_the_host__are_those_that_it_names(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    assert servers(file) == []
    file.write_text("search x\nnameserver 127.0.0.53\n#nameserver 1.1.1.1\nnameserver ::1\nnameserver\n")
    assert servers(file) == [("127.0.0.53", 53), ("::1", 53)]


def test_resolver__that_nobody_answers__is_unavailable() -> None:
    with pytest.raises(Unavailable, match="no resolver of this provider answered for llm"):
        Resolver(lambda: [])(NAME, "TXT")
