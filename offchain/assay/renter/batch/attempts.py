"""One attempt at a job on one lease: asked for once, followed to its end, its results collected whole or not at all."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from assay.renter.batch.batch_journal import BatchJournal, JobAttempt
from assay.renter.batch.job_list import BatchJob
from assay.renter.batch.ports import BatchWork, JobPlace
from assay.renter.batch.rules import AttemptEnd
from assay.renter.errors import BadInput, RenterError
from assay.renter.session.jobs import run_job

OUTPUT = "output.txt"
PARTS = ".parts"  # below the results: what has not arrived in whole
MOST_OUTPUT = 16 << 20  # of a job that is kept
TAIL = 2_000  # of its output that is shown where it fails
GRACE_S = 30.0  # for a provider to end a job whose time is over
PATIENCE_S = 90.0  # for one that does not answer
FOLDER_MODE = 0o755
STOP_S = 20.0


@dataclass(frozen=True)
class AttemptEnding:
    """How an attempt ended and why, with the last of its output; `fault` is the lease's own."""

    end: AttemptEnd
    reason: str = ""
    fault: bool = False


class Attempts:
    """Attempts of one batch. `into` is where results go, a folder a job."""

    def __init__(self, journal: BatchJournal, work: BatchWork, into: Path, patience_s: float = PATIENCE_S) -> None:
        self._journal = journal
        self._work = work
        self._into = into
        self._patience_s = patience_s

    async def run(
        self, attempt: JobAttempt, job: BatchJob, place: JobPlace, tell: Callable[[str], None], found: bool = False
    ) -> AttemptEnding:
        """To the end of an attempt; `found` is one of which an earlier run does not know the end. Never raises
        RenterError: what goes wrong is how it ended."""
        try:
            if attempt.job_id is None:
                asked = await (self._found(attempt, place) if found else self._asked(attempt, job, place))
                if asked is None:
                    return AttemptEnding(AttemptEnd.LOST, "it was not asked for before this stopped")
                attempt = self._journal.started(attempt, asked)
            return await self._follow(attempt, job, place, tell)
        except BadInput as error:
            return AttemptEnding(AttemptEnd.FAILED, f"its results are not taken: {error}")
        except RenterError as error:
            return AttemptEnding(AttemptEnd.LOST, str(error), True)

    async def _follow(
        self, attempt: JobAttempt, job: BatchJob, place: JobPlace, tell: Callable[[str], None]
    ) -> AttemptEnding:
        part, job_id = self._into / PARTS / f"{job.id}.{attempt.key}", str(attempt.job_id)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        with (part / OUTPUT).open("wb") as file:
            output = _Output(file)
            try:
                async with asyncio.timeout(job.max_time + GRACE_S):
                    state = await run_job(place, job_id, output.take, self._patience_s, tell)
            except TimeoutError:
                await _stopped(place, job_id)
                return AttemptEnding(
                    AttemptEnd.FAILED, f"after {job.max_time} s neither it nor its provider had ended it", True
                )
        if state.exit_code != 0 or state.status != "exited":
            what = state.reason or (f"exit code {state.exit_code}" if state.exit_code is not None else state.status)
            return AttemptEnding(AttemptEnd.FAILED, "\n".join(filter(None, (what, output.tail))))
        fetched = part / "results"
        fetched.mkdir()
        await self._work.collect(place, attempt.results, fetched)
        if wrong := _missing(job, fetched) or await self._work.check(job, fetched):
            # The provider says that it ended well: with another it may have more to show.
            return AttemptEnding(AttemptEnd.FAILED, "\n".join(filter(None, (wrong, output.tail))))
        self._keep(job, part, fetched)
        return AttemptEnding(AttemptEnd.DONE)

    async def _found(self, attempt: JobAttempt, place: JobPlace) -> str | None:
        """The provider's name of a job that was asked for when something stopped us before we knew it: the one that
        nobody else of this batch has asked for."""
        known = self._journal.job_ids(attempt.lease)
        unknown = [state.job_id for state in await place.jobs() if state.job_id not in known]
        return unknown[-1] if unknown else None

    async def _asked(self, attempt: JobAttempt, job: BatchJob, place: JobPlace) -> str:
        await place.put_folder(attempt.results, FOLDER_MODE)
        environment = {**dict(job.environment), "ASSAY_JOB": job.id, "ASSAY_RESULTS": attempt.results}
        command = job.command_in(attempt.results)
        return await place.create_job(command, {}, environment, {"wallSeconds": float(job.max_time)})

    def _keep(self, job: BatchJob, part: Path, fetched: Path) -> None:
        """Puts what has come into its place; done again after a stop it comes to the same."""
        (part / OUTPUT).replace(fetched / OUTPUT)
        target = self._into / job.id
        shutil.rmtree(target, ignore_errors=True)
        fetched.rename(target)
        shutil.rmtree(part)


def _missing(job: BatchJob, folder: Path) -> str:
    absent = [name for name in job.expect if not _has(folder, name)]
    return f"it left no {absent[0]!r} in its results, or an empty one" if absent else ""


def _has(folder: Path, name: str) -> bool:
    path = folder / name
    return not path.is_symlink() and path.is_file() and path.stat().st_size > 0


async def _stopped(place: JobPlace, job_id: str) -> None:
    """Has a job that did not end stopped, as far as its provider does that."""
    try:
        async with asyncio.timeout(STOP_S):
            await place.stop_job(job_id)
    except (RenterError, TimeoutError):
        return


class _Output:
    """What a job prints: the first of it into a file, the last of it for whoever asks why it failed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._kept = 0
        self._tail = b""

    def take(self, piece: bytes) -> None:
        kept = piece[: max(0, MOST_OUTPUT - self._kept)]
        self._file.write(kept)
        self._kept += len(kept)
        self._tail = (self._tail + piece)[-TAIL:]

    @property
    def tail(self) -> str:
        return self._tail.decode("utf-8", "replace").strip()
