"""The check of a pod, started through a session whose provider runs jobs on this machine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from assay.renter.errors import Unreachable
from assay.renter.session.pod_check import SCRIPT, measure_pod
from assay.renter.session.provider_session import JobState


class LocalJobs:
    """A session that runs what it is given in a folder, with the program that stands for the pod's Python."""

    def __init__(self, folder: Path, python: str) -> None:
        self._folder, self._python = folder, python
        self._output = b""
        self._code = 0

    async def create_job(
        self, command: Sequence[str], files: Mapping[str, bytes], environment: Any, limits: Any
    ) -> str:
        assert command[:2] == ["python3", SCRIPT]
        for name, content in files.items():
            # A smaller file for the disk: tests are short.
            (self._folder / name).write_bytes(
                content.replace(b"256 << 20", b"4 << 20").replace(b"64 << 20", b"1 << 20")
            )
        ran = await asyncio.create_subprocess_exec(
            self._python, *command[1:], cwd=self._folder, stdout=asyncio.subprocess.PIPE
        )
        self._output, self._code = (await ran.communicate())[0], ran.returncode or 0
        return "j1"

    async def output(self, job_id: str, offset: int = 0, follow: bool = False) -> AsyncIterator[bytes]:
        yield self._output[offset:]

    async def job(self, job_id: str) -> JobState:
        return JobState(job_id, "exited", self._code, None)


@pytest.mark.slow
async def test_measure__in_a_pod_with_python__has_its_figures(tmp_path: Path) -> None:
    found = await measure_pod(LocalJobs(tmp_path, sys.executable))  # type: ignore[arg-type]
    assert found.values["hostCores"] >= 1 and found.values["diskWriteMbs"] > 0


async def test_measure__in_a_pod_whose_python_says_nothing__tells_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="the image needs python3"):
        await measure_pod(LocalJobs(tmp_path, "true"))  # type: ignore[arg-type]
