"""Bodies of requests: how long each may be, and what the daemon's rules make of them."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from assay.provider.errors import ProviderError
from assay.provider.runtime.workload import Limits
from assay.provider.workloads.jobs import JobRequest
from assay.wire.jobs import JobBody
from assay.wire.limits import MAX_REQUEST_BYTES, MAX_UPLOAD_BYTES


def body_limit(path: str) -> int:
    """The most bytes of a body: only uploads to a lease may be large."""
    parts = path.split("/")
    uploads = len(parts) > 4 and parts[2] == "leases" and parts[4] in ("jobs", "files", "bundle", "notebook")
    return MAX_UPLOAD_BYTES if uploads else MAX_REQUEST_BYTES


class AsciiResponse(JSONResponse):
    """JSON in ASCII: names of files may have bytes that are no text, which UTF-8 has no form for."""

    def render(self, content: Any) -> bytes:
        """The body's bytes."""
        return json.dumps(content, separators=(",", ":")).encode("ascii")


async def small_json(request: Request) -> dict[str, Any]:
    """The body as a JSON object of at most 64 KiB. Raises ProviderError."""
    body = await request.body()
    if len(body) > MAX_REQUEST_BYTES:
        raise ProviderError(f"body of {len(body)} bytes, at most {MAX_REQUEST_BYTES} are taken")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProviderError("the body is not JSON") from error
    if not isinstance(value, dict):
        raise ProviderError("the body is not a JSON object")
    return value


def job_request(body: JobBody, most: Limits) -> JobRequest:
    """A job as its rules take it. Raises ProviderError for files that are not base64."""
    asked = {name: value for name, value in body.limits.model_dump().items() if value is not None}
    files = {path: _decoded(path, content) for path, content in body.files.items()}
    return JobRequest(
        command=tuple(body.command),
        files=files,
        limits=Limits(**{**_fields(most), **asked}),
        environment=tuple(body.environment.items()),
        image=body.image,
    )


def _decoded(path: str, content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProviderError(f"file {path[:100]!r} is not base64") from error


def _fields(limits: Limits) -> dict[str, Any]:
    return {name: getattr(limits, name) for name in limits.__dataclass_fields__}
