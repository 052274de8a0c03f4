"""Measures a lease from inside: one file, run by the pod's own Python, its figures held to the sheet."""

from __future__ import annotations

from importlib.resources import files

from assay.renter.errors import Unreachable
from assay.renter.session.jobs import run_job
from assay.renter.session.provider_session import ProviderSession
from assay.sheet.shortfall import PodMeasurement, parse_measurement

SCRIPT = "assay_check.py"
WALL_S = 600
MAX_OUTPUT = 1 << 20


async def measure_pod(session: ProviderSession, iperf: str = "") -> PodMeasurement:
    """Runs the check as a job of the lease; `iperf` is HOST:PORT of a server of iperf3. Raises Unreachable where the
    image has no Python 3, or the check ends without a result.
    """
    script = files("assay.sheet").joinpath("pod_check.py").read_bytes()
    written = bytearray()

    def keep(piece: bytes) -> None:
        written.extend(piece[: max(0, MAX_OUTPUT - len(written))])

    job_id = await session.create_job(
        ["python3", SCRIPT, ".", *([iperf] if iperf else [])], {SCRIPT: script}, {}, {"wallSeconds": WALL_S}
    )
    state = await run_job(session, job_id, keep)
    output = bytes(written).decode(errors="replace")
    try:
        return parse_measurement(output)
    except ValueError as error:
        how = state.reason or f"exit code {state.exit_code}"
        last = (output.strip().splitlines() or [""])[-1][:200]
        raise Unreachable(f"job {job_id}: {error} ({how}; it said last: {last!r}); the image needs python3") from None
