"""A pod's way to the network: a pair of interfaces, routed and not bridged, so that no pod sees another's frames."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import threading
from collections.abc import Sequence
from pathlib import Path

import structlog

from assay.provider.errors import ProviderError, RuntimeUnavailable
from assay.provider.pods.commands import CommandFailed, run
from assay.provider.pods.network_rules import GATEWAY, NetworkPolicy, PodLink, table

NETWORK = ipaddress.IPv4Network("10.213.0.0/16")
# Of a cluster's pods among themselves: by rank, from 1 on, in a network that only they see.
CLUSTER_NETWORK = ipaddress.IPv4Network("10.214.0.0/24")
ADDRESSES_BEGIN = ("10.213.", "10.214.")
INSIDE = "eth0"
HOST_INTERFACES = "as"  # begins the name of every pod's interface, whichever daemon's
HOST_MAC = "02:00:00:00:00:01"
BURST_MS = 50
PUBLIC_RESOLVERS = ("9.9.9.9", "1.1.1.1")
RESOLVER_FILES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))

log = structlog.get_logger()


def address_of(slot: int) -> str:
    """The address of the pod with this number."""
    return str(NETWORK[slot + 2])


def resolvers(files: Sequence[Path] = RESOLVER_FILES) -> tuple[str, ...]:
    """The host's name servers that can be reached from a pod; public ones where it has none."""
    for file in files:
        found = []
        with contextlib.suppress(OSError):
            for line in file.read_text(errors="replace").splitlines():
                words = line.split()
                if len(words) >= 2 and words[0] == "nameserver":
                    with contextlib.suppress(ValueError):
                        address = ipaddress.IPv4Address(words[1])
                        if not address.is_loopback:
                            found.append(str(address))
        if found:
            return tuple(found[:3])
    return PUBLIC_RESOLVERS


class PodNetwork:
    """The links of one daemon's pods. `name` tells its table and its interfaces from another daemon's;
    with `public` ports of this host may lead into pods."""

    def __init__(self, name: str, policy: NetworkPolicy, public: bool = False) -> None:
        self._table = f"assay_{name}"
        self._prefix = f"{HOST_INTERFACES}{name}"
        self._public = public
        self.policy = policy
        self.resolvers = resolvers()
        self._links: dict[int, PodLink] = {}
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raises RuntimeUnavailable where rules cannot be made."""
        try:
            run("nft", "-c", "-f", "-", stdin=self._script([PodLink(self.interface(0), address_of(0), "")]))
        except CommandFailed as error:
            raise RuntimeUnavailable(f"pods need nftables and its kernel parts (install nftables): {error}") from error

    @property
    def interfaces(self) -> str:
        """How the names of all links begin."""
        return f"{self._prefix}-"

    def interface(self, slot: int) -> str:
        """The name of the link's end on the host."""
        return f"{self.interfaces}{slot}"

    def attach(self, slot: int, pid: int, renter: str, bandwidth_bps: int) -> None:
        """Links a pod that runs. Rules come first, so that there is no moment without. Raises CommandFailed."""
        link = PodLink(self.interface(slot), address_of(slot), renter)
        with self._lock:
            if self._is_attached(link.interface, pid):
                self._let_loopback_in(link.interface)
                if self._links.get(slot) != link:
                    self._links[slot] = link
                    self._load()
                return
            self._drop(link.interface)
            self._links[slot] = link
            self._load()
            self._make(link, pid, bandwidth_bps)

    def detach(self, slot: int) -> None:
        """Takes a pod's link away."""
        with self._lock:
            self._drop(self.interface(slot))
            if self._links.pop(slot, None) is not None:
                self._load()

    def keep(self) -> None:
        """Puts the rules back where they are gone: whoever loads a host's firewall anew takes all others away. Raises
        CommandFailed."""
        with self._lock:
            if self._links and not self._is_loaded():
                log.warning("the rules of pods were missing and are restored", table=self._table)
                self._load()

    def close(self) -> None:
        """Takes the rules away, with the last pod."""
        with self._lock:
            if not self._links:
                run("nft", "-f", "-", stdin=f"table inet {self._table}\ndelete table inet {self._table}\n")

    def counters(self, slot: int) -> tuple[int, int]:
        """Bytes that the pod has received and sent."""
        folder = Path("/sys/class/net") / self.interface(slot) / "statistics"
        try:
            return int((folder / "tx_bytes").read_text()), int((folder / "rx_bytes").read_text())
        except (OSError, ValueError):
            return 0, 0

    def _is_loaded(self) -> bool:
        try:
            return "goto from_pods" in run("nft", "list", "table", "inet", self._table)
        except CommandFailed:
            return False

    def _load(self) -> None:
        run("nft", "-f", "-", stdin=self._script(list(self._links.values())))

    def _script(self, links: Sequence[PodLink]) -> str:
        return table(self._table, self.interfaces, links, self.policy, self.resolvers, self._public)

    def _drop(self, interface: str) -> None:
        there = Path("/sys/class/net") / interface
        if there.exists():
            try:
                run("ip", "link", "del", interface)
            except CommandFailed:
                if there.exists():  # else it went with its pod meanwhile
                    raise

    def _is_attached(self, interface: str, pid: int) -> bool:
        if not (Path("/sys/class/net") / interface).exists():
            return False
        try:
            found = json.loads(within(pid, "ip", "-j", "-4", "route", "show", "default") or "[]")
        except (ProviderError, ValueError):
            return False
        return bool(found)

    def _make(self, link: PodLink, pid: int, bandwidth_bps: int) -> None:
        uplink, mtu = _uplink()
        run(
            "ip", "link", "add", link.interface, "address", HOST_MAC, "mtu", mtu, "type", "veth",
            "peer", "name", INSIDE, "mtu", mtu, "netns", str(pid),
        )  # fmt: skip
        for key in ("ipv6/conf/{}/disable_ipv6", "ipv4/conf/{}/forwarding"):
            (Path("/proc/sys/net") / key.format(link.interface)).write_text("1")
        self._let_loopback_in(link.interface)
        if uplink:
            (Path("/proc/sys/net/ipv4/conf") / uplink / "forwarding").write_text("1")
        # All of IPv6 is off: nothing is reached by it, inwards or outwards. Low ports and pings are anybody's.
        settings = {
            "ipv6/conf/all/disable_ipv6": "1",
            "ipv6/conf/default/disable_ipv6": "1",
            "ipv4/ip_unprivileged_port_start": "0",
            "ipv4/ping_group_range": "0 2147483647",
        }
        script = "".join(f"echo {value} > /proc/sys/net/{key}\n" for key, value in settings.items())
        within(pid, "sh", "-e", "-c", script)
        batch = [
            f"address add {link.address}/32 dev {INSIDE}",
            "link set lo up",
            f"link set {INSIDE} up",
            f"neighbour replace {GATEWAY} lladdr {HOST_MAC} dev {INSIDE} nud permanent",
            f"route add {GATEWAY} dev {INSIDE} scope link",
        ]
        within(pid, "ip", "-batch", "-", stdin="\n".join(batch) + "\n")
        mac = json.loads(within(pid, "ip", "-j", "link", "show", INSIDE))[0]["address"]
        batch = [
            f"link set {link.interface} up",
            f"neighbour replace {link.address} lladdr {mac} dev {link.interface} nud permanent",
            f"route replace {link.address}/32 dev {link.interface}",
        ]
        run("ip", "-batch", "-", stdin="\n".join(batch) + "\n")
        if bandwidth_bps:
            rate = ["rate", f"{bandwidth_bps}bit", "burst", str(_burst(bandwidth_bps)), "latency", "50ms"]
            run("tc", "qdisc", "replace", "dev", link.interface, "root", "tbf", *rate)
            within(pid, "tc", "qdisc", "replace", "dev", INSIDE, "root", "tbf", *rate)
        # Last: by this it is known that all of it is there.
        within(pid, "ip", "route", "add", "default", "via", GATEWAY, "dev", INSIDE)

    def _let_loopback_in(self, interface: str) -> None:
        """Lets programs of this host call public ports by 127.0.0.1. From the pod only answers to them are let in."""
        if self._public:
            (Path("/proc/sys/net/ipv4/conf") / interface / "route_localnet").write_text("1")


def _burst(bandwidth_bps: int) -> int:
    return max(1 << 16, bandwidth_bps // 8 * BURST_MS // 1000)


def within(pid: int, *arguments: str, stdin: str = "") -> str:
    """What a program of this host prints in the network of a pod's process. Raises CommandFailed."""
    return run("nsenter", f"--net=/proc/{pid}/ns/net", "--", *arguments, stdin=stdin)


def _uplink() -> tuple[str | None, str]:
    """The interface of the host's default route, and the largest packet it takes."""
    found = json.loads(run("ip", "-j", "-4", "route", "show", "default") or "[]")
    if not found:
        return None, "1500"
    name = str(found[0]["dev"])
    return name, (Path("/sys/class/net") / name / "mtu").read_text().strip()
