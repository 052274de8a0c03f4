"""Names with HTTPS, as one daemon has them served: which lead where, and whether they have certificates."""

from __future__ import annotations

import contextlib
import pwd
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog

from assay.provider.errors import BadProviderSetting, Unavailable
from assay.provider.ingress import configuration
from assay.provider.ingress.caddy import Caddy, ingress_user
from assay.provider.ingress.configuration import Certificate, IngressSettings, NameRoute, Places
from assay.provider.ingress.fronts import front_of

ANEW_S = 30.0  # what another program did to it, and a file's newer certificate, is seen after so long
HANDSHAKE_S, AT_ONCE = 20.0, 8
FIRST_S, LONGEST_S = 2.0, 3_600.0  # between two looks at a name that has no certificate
RUN_ROOT, KEPT_ROOT = Path("/run/assay-ingress"), Path("/var/lib/assay-ingress")
log = structlog.get_logger()


def places_of(agent: str) -> Places:
    """Where one daemon's ingress has its sockets and certificates."""
    return Places(RUN_ROOT / agent, KEPT_ROOT / agent)


class Ingress:
    """Keeps the two Caddys of a daemon. Calls block."""

    def __init__(
        self,
        settings: IngressSettings,
        places: Places,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
        user: Callable[[], pwd.struct_passwd] = ingress_user,
    ) -> None:
        self.settings = settings
        self._places = places
        self.randomness = randomness
        self._user = user()
        self._gate, self._front = (Caddy(which, places, self._user) for which in ("gate", "front"))
        self._lock = threading.Lock()
        self._held: frozenset[NameRoute] | None = None
        self._held_at = float("-inf")
        self._certified: set[str] = set()
        self._tries: dict[str, tuple[int, float]] = {}

    @property
    def uid(self) -> int:
        """The user that calls pods for strangers."""
        return self._user.pw_uid

    def new_front(self) -> str:
        """An address that leads to nobody's pod yet."""
        return front_of(int.from_bytes(self.randomness(4), "big"))

    def hold(self, routes: Collection[NameRoute], now: float | None = None) -> None:
        """Has these names served, and no others. Raises Unavailable, BadProviderSetting."""
        wanted, at = frozenset(routes), time.monotonic() if now is None else now
        with self._lock:
            fresh = wanted == self._held and at - self._held_at < ANEW_S
            if fresh and self._gate.is_there() and self._front.is_there():
                return
            self._held = None
            certificate = self._certificate()
            self._gate.keep(configuration.gate(self._places, wanted))
            self._front.keep(configuration.front(self.settings, self._places, certificate))
            self._held, self._held_at = wanted, at
            self._certified &= {one.name for one in wanted}

    def prepare(self) -> None:
        """Has both run, with the names that they have: those of running leases are told anew once they are known.
        Raises Unavailable, BadProviderSetting."""
        with self._lock:
            certificate = self._certificate()
            if not self._front.is_there():
                for port in self.settings.ports:
                    _check_free(port)
            if not self._gate.is_there():
                self._gate.keep(configuration.gate(self._places, ()))
            self._front.keep(configuration.front(self.settings, self._places, certificate))

    def end(self) -> None:
        """Ends both."""
        with self._lock:
            self._front.end()
            self._gate.end()

    def is_certified(self, name: str) -> bool:
        """Whether it was seen to speak TLS for a name."""
        return name in self._certified

    def look_at_certificates(self) -> None:
        """Asks for each name's as a caller does, by which those that are not there are fetched."""
        with self._lock:
            waiting = {one.name for one in self._held or ()} - self._certified
        self._tries = {name: tried for name, tried in self._tries.items() if name in waiting}
        # Each try may be an order at an authority, which takes only so many of one provider: ever more seldom.
        due = [name for name in sorted(waiting) if self._tries.get(name, (0, 0.0))[1] <= time.monotonic()]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for name, speaks in zip(due, pool.map(self._speaks, due), strict=True):
                if speaks:
                    self._certified.add(name)
                else:
                    tries = self._tries.get(name, (0, 0.0))[0] + 1
                    self._tries[name] = tries, time.monotonic() + min(LONGEST_S, FIRST_S * 2**tries)

    def _speaks(self, name: str) -> bool:
        unverified = ssl.create_default_context()
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
        with contextlib.suppress(OSError):
            plain = socket.create_connection(("127.0.0.1", self.settings.https_port), HANDSHAKE_S)
            with plain, unverified.wrap_socket(plain, server_hostname=name):
                return True
        return False

    def _certificate(self) -> Certificate | None:
        chain, key = self.settings.certificate, self.settings.certificate_key
        if chain is None or key is None:
            return None
        try:
            return Certificate(chain.read_text(), key.read_text())
        except (OSError, ValueError) as error:
            raise BadProviderSetting(f"the certificate of {self.settings.domain} cannot be read: {error}") from error


def _check_free(port: int) -> None:
    """Raises Unavailable where a program of this host listens. Caddy would not tell: another one of the same user's,
    such as the service that its package starts, would get some of the callers."""
    with socket.socket(socket.AF_INET) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind(("0.0.0.0", port))  # noqa: S104 - of all addresses of this host, and never to listen
        except OSError as error:
            raise Unavailable(
                f"port {port}, which names with HTTPS need, is another program's of this host ({error.strerror}): "
                "`ss -ltnp` tells which; if it is Caddy's own service, `systemctl disable --now caddy`"
            ) from error


def end_left(places: Places) -> None:
    """Ends what an earlier run of the daemon left, which served names, where there are none any more."""
    if places.run.exists():
        with contextlib.suppress(KeyError):
            user = pwd.getpwuid(places.sockets.stat().st_uid)
            for which in ("front", "gate"):
                Caddy(which, places, user).end()
