"""One Caddy, which goes on without the daemon and is configured by a socket that root and it alone reach."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pwd
import select
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.provider.errors import RuntimeUnavailable, Unavailable
from assay.provider.ingress.configuration import Places, beginning
from assay.provider.pods.commands import SEARCH_PATH

PROGRAM, USER = "caddy", "caddy"
ANSWER_S, START_S, GONE_S = 10.0, 60.0, 5.0
_PEER = struct.Struct("3i")
MAX_WORDS = 300
MAX_ANSWER = 16 << 20
NO_RIGHTS_BUT_LOW_PORTS = "-all,+net_bind_service"


class NotThere(Exception):
    """Nobody answers at its socket."""


def ingress_user() -> pwd.struct_passwd:
    """Whom Caddy runs as. Raises RuntimeUnavailable where there is no Caddy, or no such user."""
    if shutil.which(PROGRAM, path=SEARCH_PATH) is None:
        raise RuntimeUnavailable(f"names with HTTPS need {PROGRAM}: `apt install {PROGRAM}`")
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        raise RuntimeUnavailable(f"names with HTTPS need the user {USER}, whom its Debian package makes") from None


class Caddy:
    """`which` tells one of a daemon's from the other. Calls block."""

    def __init__(self, which: str, places: Places, user: pwd.struct_passwd) -> None:
        self._which = which
        self._places = places
        self._user = user
        self._admin = places.admin(which)

    def is_there(self) -> bool:
        """Whether it runs."""
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as made:
            made.settimeout(ANSWER_S)
            try:
                made.connect(str(self._admin))
            except OSError:
                return False
        return True

    def keep(self, wanted: Mapping[str, Any]) -> None:
        """Has it run with this configuration; started where it does not, left alone where it does. Raises Unavailable
        with its reason."""
        try:
            known = self._asked("GET", "/config/")
        except NotThere:
            self._start()
            known = None
        if known != wanted:
            self._asked("POST", "/load", wanted)

    def end(self) -> None:
        """Ends it, with all that is connected: it would wait for those for good."""
        handle = self._handle()
        if handle is None:
            return
        try:
            with contextlib.suppress(NotThere, Unavailable):
                self._asked("POST", "/stop")
            if not select.select([handle], [], [], GONE_S)[0]:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                select.select([handle], [], [], GONE_S)
        finally:
            os.close(handle)

    def _handle(self) -> int | None:
        """Of the process that answers, None where none does."""
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as made:
            try:
                made.connect(str(self._admin))
                pid, _, _ = _PEER.unpack(made.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
                return os.pidfd_open(pid)
            except OSError:
                return None

    def _asked(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        link = _Connection(self._admin)
        try:
            text = None if body is None else json.dumps(body).encode()
            # Caddy takes no named host by a socket: what a browser could be made to send never counts.
            link.request(method, path, text, {"Content-Type": "application/json", "Host": ""})
            answer = link.getresponse()
            found = answer.read(MAX_ANSWER)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotThere(str(error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"the ingress ({self._which}) does not answer: {error}") from error
        finally:
            link.close()
        try:
            told = json.loads(found) if found else None
        except ValueError:
            raise Unavailable(f"the ingress ({self._which}) answers what is no JSON") from None
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            why = str(told.get("error", "")) if isinstance(told, dict) else ""
            raise Unavailable(f"the ingress ({self._which}) cannot be set up: {why[-MAX_WORDS:]}")
        return told

    def _start(self) -> None:
        """By a command of its own that returns once it runs. Raises Unavailable."""
        places, user = self._places, self._user
        # The daemon's own files are nobody else's; to these the ingress must find its way.
        for folder in (places.run.parent, places.run, places.kept.parent):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)
        for folder in (places.sockets, places.kept):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.chown(folder, user.pw_uid, user.pw_gid, follow_symlinks=False)
        self._admin.unlink(missing_ok=True)
        if self._which == "gate":
            places.gate.unlink(missing_ok=True)
        file, said = places.beginning(self._which), places.run / f"{self._which}.said"
        file.write_text(json.dumps(beginning(places, self._which)))
        file.chmod(0o644)
        # No right of root's but to listen at low ports, and none to be had again.
        rights = [f"--{kind}={NO_RIGHTS_BUT_LOW_PORTS}" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
        line = [
            "setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--no-new-privs", *rights,
            PROGRAM, "start", "--config", str(file),
        ]  # fmt: skip
        environment = {"PATH": SEARCH_PATH, "HOME": str(places.kept)}
        try:
            with said.open("wb") as told:
                done = subprocess.run(  # noqa: S603
                    line,
                    stdin=subprocess.DEVNULL,
                    stdout=told,
                    stderr=told,
                    start_new_session=True,
                    env=environment,
                    cwd="/",
                    timeout=START_S,
                    check=False,
                )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"the ingress ({self._which}) does not start: {error}") from error
        if done.returncode != 0:
            words = _words(said)
            raise Unavailable(f"the ingress ({self._which}) does not start: {words}")


def _words(file: Path) -> str:
    lines = file.read_text(errors="replace").strip().splitlines()
    return lines[-1][-MAX_WORDS:] if lines else "it says nothing"


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(str(self._path))
        except OSError:
            self.sock.close()
            raise
