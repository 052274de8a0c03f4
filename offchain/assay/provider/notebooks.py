"""The notebook of a lease: a job that serves Jupyter on its own loopback, reached through this daemon's login only."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Engine, select
from sqlalchemy.dialects.sqlite import insert

from assay.provider.database import notebooks
from assay.provider.jobs import JobBook, JobRequest
from assay.wire import paths

PORT = 8888


def base_path(lease_id: int) -> str:
    """Where a lease's notebook is reached at the provider, and what it must take for its root."""
    return paths.lease(lease_id, paths.NOTEBOOK) + "/"


def jupyter(lease_id: int) -> tuple[str, ...]:
    """The command line of JupyterLab. It asks for no token of its own: nothing but this daemon reaches its loopback."""
    return (
        "jupyter", "lab", "--no-browser", "--ip=127.0.0.1", f"--port={PORT}", "--ServerApp.port_retries=0",
        f"--ServerApp.base_url={base_path(lease_id)}", "--ServerApp.root_dir=/workspace",
        "--IdentityProvider.token=", "--ServerApp.allow_remote_access=True", "--ServerApp.allow_root=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=None",
    )  # fmt: skip


class Notebooks:
    """Which job of a lease is its notebook. Calls block: make them from a worker thread."""

    def __init__(self, engine: Engine, jobs: JobBook) -> None:
        self._engine = engine
        self._jobs = jobs

    def running(self, lease_id: int) -> str | None:
        """The job of the lease's notebook, None where none runs."""
        query = select(notebooks.c.job_id).where(notebooks.c.lease_id == str(lease_id))
        with self._engine.connect() as connection:
            job_id = connection.execute(query).scalar_one_or_none()
        if job_id is None or self._jobs.get(lease_id, job_id).outcome.final:
            return None
        return str(job_id)

    def is_notebook(self, lease_id: int, job_id: str) -> bool:
        """Whether a job is the lease's latest notebook."""
        query = select(notebooks.c.job_id).where(notebooks.c.lease_id == str(lease_id))
        with self._engine.connect() as connection:
            return bool(connection.execute(query).scalar_one_or_none() == job_id)

    def open(self, lease_id: int, deadline: float, request: JobRequest) -> str:
        """The job of the running notebook, started where there is none. Raises as `JobBook.create`."""
        if (job_id := self.running(lease_id)) is not None:
            return job_id
        settings = {
            "JUPYTER_RUNTIME_DIR": "/tmp/jupyter",  # noqa: S108 - the container's own
            "ASSAY_NOTEBOOK_BASE": base_path(lease_id),
            "ASSAY_NOTEBOOK_PORT": str(PORT),
        }
        whole = replace(
            request,
            command=request.command or jupyter(lease_id),
            environment=tuple({**settings, **dict(request.environment)}.items()),
        )
        job_id = self._jobs.create(lease_id, deadline, whole)
        row = insert(notebooks).values(lease_id=str(lease_id), job_id=job_id)
        with self._engine.begin() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["lease_id"], set_={"job_id": job_id}))
        return job_id
