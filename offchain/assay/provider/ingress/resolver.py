"""Records of the domain name system, asked of this host's resolvers by TCP: an answer that nobody beside the way there
can make up."""

from __future__ import annotations

import secrets
import socket
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from assay.provider.errors import Unavailable

PORT, TIMEOUT_S, MOST_SERVERS = 53, 4.0, 3
TYPES = {"CNAME": 5, "TXT": 16}
NO_SUCH_NAME = 3
RESOLVER_FILE = Path("/etc/resolv.conf")
_HEAD = struct.Struct(">HHHHHH")


class Malformed(ValueError):
    """An answer that is none."""


def servers(file: Path = RESOLVER_FILE) -> list[tuple[str, int]]:
    """This host's resolvers."""
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    found = [words[1] for line in lines if len(words := line.split()) >= 2 and words[0] == "nameserver"]
    return [(one, PORT) for one in found[:MOST_SERVERS]]


class Resolver:
    """Asks one server after the other."""

    def __init__(self, known: Callable[[], Sequence[tuple[str, int]]] = servers, timeout_s: float = TIMEOUT_S) -> None:
        self._known = known
        self._timeout_s = timeout_s

    def __call__(self, name: str, kind: str) -> list[str]:
        """What stands there, nothing where there is no such name. Blocks. Raises Unavailable where nobody answers."""
        for server in self._known():
            try:
                return self._asked(server, name, kind)
            except (OSError, Malformed):  # the next one may know
                continue
        raise Unavailable(f"no resolver of this provider answered for {name}: try again later")

    def _asked(self, server: tuple[str, int], name: str, kind: str) -> list[str]:
        number = secrets.randbelow(1 << 16)
        question = query(number, name, kind)
        until = time.monotonic() + self._timeout_s
        with socket.create_connection(server, self._timeout_s) as made:
            made.sendall(struct.pack(">H", len(question)) + question)
            (length,) = struct.unpack(">H", _exactly(made, 2, until))
            return answers(_exactly(made, length, until), number, name, kind)


def query(number: int, name: str, kind: str) -> bytes:
    """A question as it is sent."""
    labels = b"".join(bytes([len(one)]) + one.encode("ascii") for one in name.split("."))
    return _HEAD.pack(number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", TYPES[kind], 1)


def answers(message: bytes, number: int, name: str, kind: str) -> list[str]:
    """Records of the name itself and of this kind. Raises Malformed for what answers something else, or nothing."""
    try:
        return _answers(message, number, name, kind)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise Malformed(f"an answer that is cut off: {error}") from error


def _answers(message: bytes, number: int, name: str, kind: str) -> list[str]:
    said, flags, questions, count, _, _ = _HEAD.unpack_from(message)
    if said != number or not flags & 0x8000 or questions != 1:
        raise Malformed("an answer to something else")
    asked, at = _name(message, _HEAD.size)
    if asked != name.lower() or struct.unpack_from(">HH", message, at) != (TYPES[kind], 1):
        raise Malformed("an answer to something else")
    at += 4
    if (code := flags & 0xF) not in (0, NO_SUCH_NAME):
        raise Malformed(f"it could not answer, code {code}")
    found = []
    for _ in range(count):
        owner, at = _name(message, at)
        of_type, of_class, _, length = struct.unpack_from(">HHIH", message, at)
        at += 10
        if at + length > len(message):
            raise Malformed("a record that is cut off")
        if (owner, of_type, of_class) == (name.lower(), TYPES[kind], 1):
            found.append(_name(message, at)[0] if kind == "CNAME" else _text(message[at : at + length]))
        at += length
    return found


def _name(message: bytes, at: int) -> tuple[str, int]:
    """A name and where it ends; one that leads back into the message leads to an earlier place each time."""
    labels, end, before = list[str](), None, at
    while (length := message[at]) != 0:
        if length & 0xC0 == 0xC0:
            (pointer,) = struct.unpack_from(">H", message, at)
            end, at = end or at + 2, pointer & 0x3FFF
            if at >= before:
                raise Malformed("a name in a circle")
            before = at
        elif length & 0xC0:
            raise Malformed("a label of no known kind")
        else:
            labels.append(message[at + 1 : at + 1 + length].decode("ascii").lower())
            at += 1 + length
    return ".".join(labels), end or at + 1


def _text(record: bytes) -> str:
    parts, at = list[bytes](), 0
    while at < len(record):
        parts.append(record[at + 1 : at + 1 + record[at]])
        at += 1 + record[at]
    return b"".join(parts).decode("ascii", errors="replace")


def _exactly(made: socket.socket, size: int, until: float) -> bytes:
    found = bytearray()
    while len(found) < size:
        if (left := until - time.monotonic()) <= 0:
            raise TimeoutError("too slow")
        made.settimeout(left)
        if not (piece := made.recv(size - len(found))):
            raise Malformed("the connection ended")
        found += piece
    return bytes(found)
