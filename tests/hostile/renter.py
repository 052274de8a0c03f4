"""A hostile renter with a lease that runs: jobs, files and streams against the machine that it is on."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass

from assay.renter.errors import ProviderRefused, Unreachable
from assay.renter.session.provider_session import ProviderSession

# What a provider answers to what it does not take. Anything else is the library's fault or the provider's.
REFUSED = (ProviderRefused, Unreachable)
JOB_S = 6.0
NAMES = (
    "my data.csv",
    "a+b",
    "epoch=3.ckpt",
    "データ.bin",
    "%2e%2e/x",
    "..",
    "../x",
    "/etc/passwd",
    "a/../../x",
    "new\nline",
    "x" * 255,
    "x" * 300,
    "-rf",
    "~",
    "$(id)",
    "con\udcff",
    "a//b",
    "./a",
    "a/",
    "",
    ".",
    "\u202egpj",
    "a\\b",
    "*",
    "%",
    "%zz",
    "?a=b",
    "#c",
)

SWAPPED = """
import os, shutil, sys, time
ends = time.time() + 4
while time.time() < ends:
    os.makedirs("d/e", exist_ok=True); open("d/e/f", "w").close()
    os.rename("d", "held"); os.symlink(sys.argv[1], "d"); os.unlink("d"); os.rename("held", "d")
"""
NESTED = """
import os
for n in range(1500):
    os.mkdir("d"); os.chdir("d")
os.chmod(".", 0)
"""
CLOSED = """
import os
for n in range(200):
    os.mkdir(f"c{n}"); open(f"c{n}/f", "w").close(); os.chmod(f"c{n}", 0)
"""
NAMED = """
import os
for name in (b"\\xff\\xfe", b"a\\nb", b"\\x1b[2J", b"=1+1", b"-rf", b" ", b"a" * 255):
    open(name, "w").close(); os.symlink(b"/proc/self/root" + name[:5], name[:200] + b".link")
os.mkfifo("pipe")
"""
FORKS = """
import os, time
made = []
try:
    for n in range(3000):
        pid = os.fork()
        if not pid:
            time.sleep(3); os._exit(0)
        made.append(pid)
except OSError as error:
    print("refused after", len(made), error)
"""
ORPHANS = """
import os, signal, time
for n in range(5):
    if not os.fork():
        os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGHUP, signal.SIG_IGN)
        time.sleep(3600)
"""
FILLED = """
import os
try:
    with open("big", "wb") as file:
        for n in range(2000):
            file.write(bytes(1 << 20))
finally:
    os.truncate("big", 0)
"""
LOUD = """
import os
for n in range(300):
    os.write(1, os.urandom(1 << 16) + b"\\x1b[2J\\xff\\n")
"""
READING = """
import os, sys
for path in (sys.argv[1], sys.argv[1] + "/secret", "/etc/shadow", "/root", "/work", "/proc/1/root/etc/passwd"):
    try:
        os.chmod(path, 0o777); print("OUT", path)
    except OSError:
        pass
    try:
        open(path + "/new", "w").close(); print("OUT", path)
    except OSError:
        pass
"""


@dataclass(frozen=True)
class Lease:
    """A lease of the hostile renter's, and a folder of the host's that is none of its business."""

    session: ProviderSession
    canary: str


async def run(lease: Lease, program: str, *arguments: str) -> str:
    """A job that is stopped where it does not end; its id."""
    with suppress(*REFUSED):
        job = await lease.session.create_job(["python3", "-c", program, *arguments], {}, {}, {})
        try:
            async with asyncio.timeout(JOB_S):
                while not (await lease.session.job(job)).over:  # noqa: ASYNC110
                    await asyncio.sleep(0.3)
        except TimeoutError:
            await lease.session.stop_job(job)
        return job
    return ""


async def folders_swapped(lease: Lease, draws: random.Random) -> None:
    """Folders become links to a folder of the host while the daemon lists, reads and writes in them."""
    job = asyncio.create_task(run(lease, SWAPPED, lease.canary))
    while not job.done():
        with suppress(*REFUSED):
            await lease.session.put("d/secret", b"hostile", 0o777)
        with suppress(*REFUSED):
            await lease.session.put_folder("d/e", 0o777)
        with suppress(*REFUSED):
            assert b"secret of the host" not in await lease.session.fetch("d/secret")
        with suppress(*REFUSED):
            await lease.session.contents()
    await job


async def links_to_the_host(lease: Lease, draws: random.Random) -> None:
    for target in (lease.canary, "/etc", "/proc/self/root", "../../../../..", "x" * 4_000):
        with suppress(*REFUSED):
            await lease.session.put_link("out", target)
        for name in ("out/secret", "out/new", "out/passwd"):
            with suppress(*REFUSED):
                await lease.session.put(name, b"hostile", 0o777)
            with suppress(*REFUSED):
                assert b"secret of the host" not in await lease.session.fetch(name)
        with suppress(*REFUSED):
            await lease.session.put_folder("out", 0o777)


async def odd_names(lease: Lease, draws: random.Random) -> None:
    for name in draws.sample(NAMES, 10):
        with suppress(*REFUSED):
            await lease.session.put(name, name.encode("utf-8", "surrogateescape"))
            assert await lease.session.fetch(name) == name.encode("utf-8", "surrogateescape")
        with suppress(*REFUSED):
            await lease.session.put_link(name, draws.choice(NAMES))


async def deep_folders(lease: Lease, draws: random.Random) -> None:
    await run(lease, NESTED)
    with suppress(*REFUSED):
        await lease.session.contents()


async def closed_folders(lease: Lease, draws: random.Random) -> None:
    await run(lease, CLOSED)
    with suppress(*REFUSED):
        await lease.session.contents()


async def names_of_bytes(lease: Lease, draws: random.Random) -> None:
    await run(lease, NAMED)
    with suppress(*REFUSED):
        await lease.session.contents()
    with suppress(*REFUSED):
        await lease.session.fetch("pipe")


async def forks(lease: Lease, draws: random.Random) -> None:
    await run(lease, FORKS)


async def orphans(lease: Lease, draws: random.Random) -> None:
    await run(lease, ORPHANS)


async def disk_filled(lease: Lease, draws: random.Random) -> None:
    await run(lease, FILLED)


async def loud_output(lease: Lease, draws: random.Random) -> None:
    job = await run(lease, LOUD)
    if job:
        with suppress(*REFUSED):
            async for _ in lease.session.output(job, draws.randrange(1 << 20), follow=True):
                await asyncio.sleep(0)


async def reaching_out(lease: Lease, draws: random.Random) -> None:
    job = await run(lease, READING, lease.canary)
    if job:
        with suppress(*REFUSED):
            said = b"".join([piece async for piece in lease.session.output(job)])
            assert b"OUT" not in said, said


async def many_jobs(lease: Lease, draws: random.Random) -> None:
    made: list[str] = []
    for _ in range(12):
        with suppress(*REFUSED):
            made.append(await lease.session.create_job(["sleep", "600"], {}, {}, {}))
    for job in made:
        with suppress(*REFUSED):
            await lease.session.stop_job(job)


async def odd_jobs(lease: Lease, draws: random.Random) -> None:
    odd = (
        ([], {}, {}),
        (["\0"], {}, {}),
        (["x" * 100_000], {}, {}),
        (["python3"], {"../x": b"a", "/etc/x": b"a"}, {}),
        (["nosuchprogram"], {}, {}),
        (["env"], {}, {"LD_PRELOAD": "/x", "PATH": "", "A=B": "c", "": "d", "\0": "e"}),
        (["true"], {"a" * 300: b""}, {}),
        (["/"], {}, {}),
        (["sh", "-c", "kill -9 -1; kill -9 1"], {}, {}),
    )
    for command, files, environment in odd:
        with suppress(*REFUSED):
            await lease.session.create_job(
                command, files, environment, draws.choice([{}, {"memory": 1}, {"processes": -1}])
            )


async def notebook_and_keys(lease: Lease, draws: random.Random) -> None:
    for key in (
        "ssh-ed25519 AAAA",
        'command="id" ssh-ed25519 AAAA',
        "ssh-rsa \xff",
        "x" * 20_000,
        "\n",
        "ssh-dss AAAA\nssh-rsa A",
    ):
        with suppress(*REFUSED):
            await lease.session.add_ssh_key(key)
    with suppress(*REFUSED):
        await lease.session.notebook()


TRICKS = {
    one.__name__: one
    for one in (
        folders_swapped,
        links_to_the_host,
        odd_names,
        deep_folders,
        closed_folders,
        names_of_bytes,
        forks,
        orphans,
        disk_filled,
        loud_output,
        reaching_out,
        many_jobs,
        odd_jobs,
        notebook_and_keys,
    )
}
