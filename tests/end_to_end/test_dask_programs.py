"""`AssayCluster` with Dask's own scheduler and workers as processes of this machine in place of pods: what it starts,
how a client computes on it, and what it leaves behind."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.cluster import AssayCluster, dask_cluster
from assay.renter.errors import BadInput, ProofRejected, RenterError
from assay.renter.session.clusters import Cluster as Joined
from assay.renter.session.provider_session import JobState
from assay.renter.session.ssh_tunnel import free_port
from tests.unit.renter.batch_world import RATE, Behaviour, listing
from tests.unit.renter.leased import LEASE

pytestmark = pytest.mark.deep


@dataclass
class Host:
    """Leases whose pods are this machine; `fails` is the rank whose lease does not start, `silent` starts no Dask."""

    folder: Path
    port: int = field(default_factory=free_port)
    fails: int | None = None
    silent: bool = False
    leases: dict[int, Lease] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @asynccontextmanager
    async def connect(self, settings: Any) -> AsyncIterator[Host]:
        yield self

    async def choose(self, wanted: Any, order: Any, count: int, place: Any) -> list[Any]:
        return [listing(f"p{number}", Behaviour(rate=RATE)) for number in range(count)]

    async def open(self, one: Any, deposit: int) -> tuple[Lease, list[Any]]:
        number = len(self.leases) + 1
        self.leases[number] = replace(LEASE, lease_id=number, deposit=deposit, status=LeaseStatus.PENDING)
        return self.leases[number], []

    async def resume(self, lease_id: int, *_: Any) -> None:
        if self.fails == lease_id:
            raise ProofRejected("it proved nothing")
        self.leases[lease_id] = replace(self.leases[lease_id], status=LeaseStatus.ACTIVE)

    async def session(self, lease_id: int) -> Session:
        return Session(self, lease_id)

    async def view(self, lease_id: int) -> Any:
        return type("View", (), {"lease": self.leases[lease_id]})

    async def end(self, lease_id: int) -> None:
        self.leases[lease_id] = replace(self.leases[lease_id], status=LeaseStatus.ENDED)

    async def refundable(self, lease_id: int) -> int:
        return 0

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@dataclass
class Session:
    """Jobs as processes."""

    host: Host
    lease_id: int

    async def create_job(self, command: Sequence[str], *_: Any) -> str:
        # The port that the scheduler has in a pod may be taken here.
        line = [part.replace("8786", str(self.host.port)) for part in command]
        if self.host.silent:
            line = ["sh", "-c", "echo no such module; exit 1"]
        out = (self.host.folder / f"job-{len(self.host.processes)}").open("wb")
        self.host.processes.append(
            subprocess.Popen(line, stdout=out, stderr=subprocess.STDOUT, cwd=self.host.folder)  # noqa: ASYNC220
        )
        return str(len(self.host.processes) - 1)

    async def job(self, job_id: str) -> JobState:
        code = self.host.processes[int(job_id)].poll()
        return JobState(job_id, "running" if code is None else "exited", code, None)

    async def output(self, job_id: str) -> AsyncIterator[bytes]:
        yield (self.host.folder / f"job-{job_id}").read_bytes()

    async def stop_job(self, job_id: str) -> None:
        self.host.processes[int(job_id)].terminate()
        self.host.processes[int(job_id)].wait()


@dataclass
class Straight:
    """In place of a tunnel."""

    port: int
    is_open: bool = True

    async def close(self) -> None:
        self.is_open = False


Made = Callable[..., Host]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    made: list[Host] = []

    def start(**options: Any) -> Host:
        one = Host(tmp_path, **options)
        made.append(one)

        async def joined(leases: Sequence[Any], tell: Any) -> Joined:
            return Joined(("127.0.0.1",) * len(leases), False)

        async def opened(*_: Any) -> Straight:
            return Straight(one.port)

        async def access(*_: Any) -> None:
            return None

        monkeypatch.setattr(dask_cluster, "Renter", one)
        monkeypatch.setattr(dask_cluster, "join", joined)
        monkeypatch.setattr(dask_cluster, "SshTunnel", type("T", (), {"open": staticmethod(opened)}))
        monkeypatch.setattr(dask_cluster, "open_access", access)
        monkeypatch.setattr(dask_cluster.RenterSettings, "load", lambda _: type("S", (), {"data_dir": tmp_path}))
        return one

    yield start
    for one in made:
        one.stop()


def test_cluster__three_workers_rented__computes_across_them_and_ends_its_leases(host: Made) -> None:
    here = host()
    with AssayCluster(3, duration=600, budget=2_000) as cluster:
        assert cluster.leases == (1, 2, 3)
        with Client(cluster) as client:
            workers = sorted(client.scheduler_info(n_workers=-1)["workers"])
            assert len(workers) == 3
            parts = client.map(lambda n: n * n, range(60), pure=False)
            # From each worker to each other: nothing comes through here.
            sums = [client.submit(lambda *given: sum(given), *parts, workers=[one], pure=False) for one in workers]
            assert client.gather(sums) == [sum(n * n for n in range(60))] * 3
    assert {one.status for one in here.leases.values()} == {LeaseStatus.ENDED}


def test_cluster__of_leases_that_are_there__leaves_them_and_ends_its_programs(host: Made) -> None:
    here = host()
    here.leases = {n: replace(LEASE, lease_id=n, status=LeaseStatus.ACTIVE) for n in (7, 8)}
    with AssayCluster(leases=[7, 8]) as cluster, Client(cluster) as client:
        assert client.submit(sum, (1, 2)).result(timeout=30) == 3
    assert {one.status for one in here.leases.values()} == {LeaseStatus.ACTIVE}
    assert all(process.poll() is not None for process in here.processes)


def test_cluster__one_lease_does_not_prove_itself__ends_those_before_it(host: Made) -> None:
    here = host(fails=3)
    with pytest.raises(ProofRejected):
        AssayCluster(3, duration=600, budget=2_000)
    assert {one.status for one in here.leases.values()} == {LeaseStatus.ENDED} and not here.processes


def test_cluster__image_without_dask__says_what_the_pod_printed_and_ends_its_leases(
    host: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = host(silent=True)
    with pytest.raises(RenterError, match="no such module"):
        AssayCluster(2, duration=600, budget=2_000)
    assert {one.status for one in here.leases.values()} == {LeaseStatus.ENDED}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n_workers": 1, "budget": 9}, "2 to"), ({"leases": [7, 7]}, "twice"), ({"n_workers": 2}, "budget"),
        ({"n_workers": 2, "duration": 600, "budget": 1_199}, "take 1200 base units"),
    ],
)  # fmt: skip
def test_cluster__wrongly_asked__rents_nothing(host: Made, options: dict[str, Any], said: str) -> None:
    here = host()
    with pytest.raises(BadInput, match=said):
        AssayCluster(**options)
    assert not here.leases
