"""Bodies of messages: held to the hash that was signed, and parsed beside the event loop where they are long."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import Request
from pydantic import ValidationError

from assay.protocol.keccak import keccak
from assay.validator.api.sender_check import SENDER
from assay.validator.errors import Refused
from assay.wire.fields import Wire
from assay.wire.limits import MAX_SHORT_MESSAGE_BYTES

T = TypeVar("T", bound=Wire)


class MessageBodies:
    """Parses one long body at a time: more threads would only keep the interpreter from the loop."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="message")

    async def read(self, request: Request, kind: type[T]) -> T:
        """The message in a request that SenderCheck let through. Raises Refused."""
        body = await request.body()
        body_hash: bytes = request.scope[SENDER].body_hash
        if len(body) <= MAX_SHORT_MESSAGE_BYTES:
            return _parsed(body, body_hash, kind)
        return await asyncio.get_running_loop().run_in_executor(self._thread, _parsed, body, body_hash, kind)


def _parsed(body: bytes, body_hash: bytes, kind: type[T]) -> T:
    if keccak(body) != body_hash:
        raise Refused(HTTPStatus.UNAUTHORIZED, "the body is not the one whose hash was signed")
    try:
        return kind.parse(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in ("body", *first["loc"][:5]))
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"{where}: {first['msg']}"[:300]) from None


def body_schema(kind: type[Wire]) -> dict[str, Any]:
    """How a body stands in the interface's description."""
    schema = kind.model_json_schema()
    parts = schema.pop("$defs", {})

    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                return whole(parts[value["$ref"].rsplit("/", 1)[1]])
            return {name: whole(inner) for name, inner in value.items()}
        return [whole(inner) for inner in value] if isinstance(value, list) else value

    return {"requestBody": {"required": True, "content": {"application/json": {"schema": whole(schema)}}}}
