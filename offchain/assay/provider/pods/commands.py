"""Programs of this host that pods are made with."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

from assay.provider.errors import ProviderError

TIMEOUT_S = 120.0
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MAX_WORDS = 400


class CommandFailed(ProviderError):
    """A program of this host did not do what it was asked to."""

    status = 503


def run(*arguments: str, stdin: str = "", timeout: float = TIMEOUT_S, extra: Mapping[str, str] | None = None) -> str:
    """What the program prints. Raises CommandFailed with its last words."""
    try:
        done = subprocess.run(  # noqa: S603
            arguments,
            input=stdin.encode(),
            capture_output=True,
            timeout=timeout,
            check=False,
            cwd="/",
            env={"PATH": SEARCH_PATH, "HOME": "/root", "LANG": "C.UTF-8", **(extra or {})},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandFailed(f"{arguments[0]}: {error}"[:MAX_WORDS]) from error
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip()
        raise CommandFailed(f"{arguments[0]}: {words[-MAX_WORDS:] or f'exit code {done.returncode}'}")
    return done.stdout.decode(errors="replace")
