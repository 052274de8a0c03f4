"""Bodies of requests: parsed, limited and typed at the edge."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated, Any

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from assay.protocol.hexadecimal import parse_address, parse_bytes32, parse_hex
from assay.protocol.leases import MAX_DEVICES
from assay.provider.errors import ProviderError
from assay.provider.jobs import JobRequest
from assay.provider.runtime.workload import Limits

MAX_BODY = 64 << 20
MAX_SMALL_BODY = 64 << 10
MAX_ARGUMENTS = 256
MAX_FILES = 256
MAX_SIGNATURE = 4096


def body_limit(path: str) -> int:
    """The most bytes of a body: only uploads to a lease may be large."""
    parts = path.split("/")
    uploads = len(parts) > 4 and parts[2] == "leases" and parts[4] in ("jobs", "files", "notebook")
    return MAX_BODY if uploads else MAX_SMALL_BODY


class AsciiResponse(JSONResponse):
    """JSON in ASCII: names of files may have bytes that are no text, which UTF-8 has no form for."""

    def render(self, content: Any) -> bytes:
        """The body's bytes."""
        return json.dumps(content, separators=(",", ":")).encode("ascii")


async def small_json(request: Request) -> dict[str, Any]:
    """The body as a JSON object of at most 64 KiB. Raises ProviderError."""
    body = await request.body()
    if len(body) > MAX_SMALL_BODY:
        raise ProviderError(f"body of {len(body)} bytes, at most {MAX_SMALL_BODY} are taken")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProviderError("the body is not JSON") from error
    if not isinstance(value, dict):
        raise ProviderError("the body is not a JSON object")
    return value


class Body(BaseModel):
    """Base of bodies: camelCase, nothing unknown."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class LimitsBody(Body):
    """Limits that a renter asks for; what is left out is the provider's most."""

    wall_seconds: Annotated[float, Field(gt=0, le=1e9)] | None = None
    cpu_seconds: Annotated[int, Field(gt=0, le=10**9)] | None = None
    memory_bytes: Annotated[int, Field(gt=0, le=1 << 50)] | None = None
    disk_bytes: Annotated[int, Field(gt=0, le=1 << 50)] | None = None
    output_bytes: Annotated[int, Field(gt=0, le=1 << 40)] | None = None
    processes: Annotated[int, Field(gt=0, le=1 << 20)] | None = None
    processors: Annotated[float, Field(gt=0, le=4096)] | None = None


class JobBody(Body):
    """A job: command as a list (no shell), files as base64 by relative path, environment, image."""

    command: Annotated[list[Annotated[str, Field(max_length=65_536)]], Field(min_length=1, max_length=MAX_ARGUMENTS)]
    files: Annotated[dict[str, str], Field(max_length=MAX_FILES)] = Field(default_factory=dict)
    environment: Annotated[dict[str, str], Field(max_length=256)] = Field(default_factory=dict)
    limits: LimitsBody = LimitsBody()
    image: Annotated[str, Field(max_length=255)] | None = None

    @field_validator("command")
    @classmethod
    def _no_nul(cls, value: list[str]) -> list[str]:
        if any("\x00" in argument for argument in value) or (value and not value[0]):
            raise ValueError("arguments must not be NUL, the command not empty")
        return value

    @field_validator("environment")
    @classmethod
    def _names(cls, value: dict[str, str]) -> dict[str, str]:
        for name, content in value.items():
            if not name.isidentifier() or not name.isascii() or "\x00" in content or len(content) > 65_536:
                raise ValueError(f"not an environment variable: {name[:40]!r}")
        return value

    def job_request(self, most: Limits) -> JobRequest:
        """As the jobs' rules take it. Raises ProviderError for files that are not base64."""
        asked = {name: value for name, value in self.limits.model_dump().items() if value is not None}
        files = {path: _decoded(path, content) for path, content in self.files.items()}
        return JobRequest(
            command=tuple(self.command),
            files=files,
            limits=Limits(**{**_fields(most), **asked}),
            environment=tuple(self.environment.items()),
            image=self.image,
        )


class NotebookBody(JobBody):
    """A notebook: like a job, and without a command it is the image's JupyterLab."""

    command: Annotated[list[Annotated[str, Field(max_length=65_536)]], Field(max_length=MAX_ARGUMENTS)] = Field(
        default_factory=list
    )


class QuoteBody(Body):
    """A renter's request for a quote: these devices, ascending, as one for that many seconds."""

    device_ids: Annotated[list[str], Field(min_length=1, max_length=MAX_DEVICES)]
    renter: str
    seconds: Annotated[int, Field(gt=0, lt=1 << 32)]

    def devices(self) -> tuple[bytes, ...]:
        return tuple(parse_bytes32(device, f"deviceIds[{n}]") for n, device in enumerate(self.device_ids))

    def renter_address(self) -> str:
        return parse_address(self.renter, "renter")


class NonceBody(Body):
    """H(x) of a lease's handover, 0x-hex, and which of its devices is to prove itself."""

    nonce: str
    device_id: str

    def value(self) -> bytes:
        return parse_bytes32(self.nonce, "nonce")

    def device(self) -> bytes:
        return parse_bytes32(self.device_id, "deviceId")


class RevealBody(Body):
    """x of a lease's handover, 0x-hex, and whose rows are asked for."""

    x: str
    device_id: str

    def value(self) -> bytes:
        return parse_bytes32(self.x, "x")

    def device(self) -> bytes:
        return parse_bytes32(self.device_id, "deviceId")


class StartBody(Body):
    """The renter's signed LeaseStart; what a contract takes for a signature may be long."""

    result_roots: str
    valid_until: Annotated[int, Field(ge=0, lt=1 << 40)]
    signature: Annotated[str, Field(max_length=2 + 2 * MAX_SIGNATURE)]

    def roots(self) -> bytes:
        return parse_bytes32(self.result_roots, "resultRoots")

    def signature_bytes(self) -> bytes:
        return parse_hex(self.signature, "signature", max_bytes=MAX_SIGNATURE)


def _decoded(path: str, content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProviderError(f"file {path[:100]!r} is not base64") from error


def _fields(limits: Limits) -> dict[str, Any]:
    return {name: getattr(limits, name) for name in limits.__dataclass_fields__}
