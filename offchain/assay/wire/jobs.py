"""What a renter sends to run on a lease: jobs and notebooks, with their files and limits."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from assay.wire.fields import Wire
from assay.wire.limits import MAX_ARGUMENTS, MAX_FILES, MAX_TEXT, MAX_VARIABLES


def _command(value: list[str]) -> list[str]:
    if any("\x00" in argument for argument in value) or (value and not value[0]):
        raise ValueError("arguments must not contain NUL, and the command must not be empty")
    return value


def _environment(value: dict[str, str]) -> dict[str, str]:
    for name, content in value.items():
        if not name.isidentifier() or not name.isascii() or "\x00" in content or len(content) > MAX_TEXT:
            raise ValueError(f"not an environment variable: {name[:40]!r}")
    return value


Argument = Annotated[str, Field(max_length=MAX_TEXT)]
Arguments = Annotated[list[Argument], Field(max_length=MAX_ARGUMENTS), AfterValidator(_command)]
Environment = Annotated[dict[str, str], Field(max_length=MAX_VARIABLES), AfterValidator(_environment)]


class LimitsBody(Wire):
    """Limits that a renter asks for; what is left out is the provider's most."""

    wall_seconds: Annotated[float, Field(gt=0, le=1e9)] | None = None
    cpu_seconds: Annotated[int, Field(gt=0, le=10**9)] | None = None
    memory_bytes: Annotated[int, Field(gt=0, le=1 << 50)] | None = None
    disk_bytes: Annotated[int, Field(gt=0, le=1 << 50)] | None = None
    output_bytes: Annotated[int, Field(gt=0, le=1 << 40)] | None = None
    processes: Annotated[int, Field(gt=0, le=1 << 20)] | None = None
    processors: Annotated[float, Field(gt=0, le=4096)] | None = None


class JobBody(Wire):
    """A job: command as a list (no shell), files as base64 by relative path, environment, image."""

    command: Annotated[list[Argument], Field(min_length=1, max_length=MAX_ARGUMENTS), AfterValidator(_command)]
    files: Annotated[dict[str, str], Field(max_length=MAX_FILES)] = Field(default_factory=dict)
    environment: Environment = Field(default_factory=dict)
    limits: LimitsBody = LimitsBody()
    image: Annotated[str, Field(max_length=255)] | None = None


class NotebookBody(JobBody):
    """A notebook: like a job, and without a command it is the image's JupyterLab."""

    command: Arguments = Field(default_factory=list)
