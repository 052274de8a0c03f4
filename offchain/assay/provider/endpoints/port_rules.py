"""Public ports that lead into pods, as rules of nftables. Pure: scripts are worked out from what is to be and what is.

A table of its own beside that of the pods' walls, changed port by port: so counters go on, connections are counted over
all of a lease's life, and none is broken off by what happens to another. Each port is forgotten by the kernel itself at
the second at which its lease ends, whoever still lives by then.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from assay.provider.ingress.fronts import FRONT_PORT, FRONTS
from assay.provider.pods.network import HOST_INTERFACES, NETWORK
from assay.provider.pods.network_rules import GATEWAY

Protocol = Literal["tcp", "udp"]
PROTOCOLS: tuple[Protocol, ...] = ("tcp", "udp")
MARK = "made_"
CHAINS = ("to", "in", "out")
SLACK_S = 2  # by which the kernel's end of a port may be off before it is set anew
FRONT_KNOWN_S = 3_600
MAX_TIMEOUT_S = 10 * 365 * 24 * 3600
_NAME = re.compile(r"to_(?:(tcp|udp)_([0-9]+)|front_([0-9]+(?:_[0-9]+){3}))")


@dataclass(frozen=True, order=True)
class PublicPort:
    """A port of this host and where it leads: a port of the pod with this number. `until`, in seconds since 1970, is
    when it is forgotten. One with a `front` is no public port: only the ingress calls it, at that address."""

    protocol: Protocol
    public: int
    address: str
    port: int
    slot: int
    until: float
    front: str = ""

    @property
    def name(self) -> str:
        """By which its chains and counters go."""
        return front_name(self.front) if self.front else port_name(self.protocol, self.public)

    @property
    def place(self) -> tuple[Protocol, int, str, int, int, str]:
        """All but the time."""
        return self.protocol, self.public, self.address, self.port, self.slot, self.front


def port_name(protocol: str, public: int) -> str:
    """The name of a public port's chains and counters."""
    return f"{protocol}_{public}"


def front_name(front: str) -> str:
    """The name of the chains and counters of one that only the ingress calls."""
    return f"front_{front.replace('.', '_')}"


@dataclass(frozen=True)
class IngressAccess:
    """The user that may call fronts, the ports where strangers call it, and how many connections each caller has there
    at once, by address or by IPv6 network of a customer's."""

    uid: int
    ports: tuple[int, ...]
    by_caller: int


@dataclass(frozen=True)
class PortLimits:
    """Of all ports of one lease together: connections at once, and new ones a second."""

    connections: int = 1_024
    new_per_second: int = 200


@dataclass(frozen=True)
class PortTraffic:
    """What has gone through a port: connections, bytes into the pod and out of it."""

    connections: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0


@dataclass(frozen=True)
class PortsThere:
    """What the kernel has: the table's mark, ports, which pods have limits, and by name what has gone through each."""

    mark: str = ""
    ports: tuple[PublicPort, ...] = ()
    slots: frozenset[int] = frozenset()
    passed: Mapping[str, PortTraffic] = field(default_factory=dict)


def base(table: str, prefix: str, ingress: IngressAccess | None = None) -> str:
    """A script for `nft -f` that makes the table anew, without any port."""
    body = _base(prefix, ingress)
    return f"{removal(table)}table inet {table} {{\n{body}  chain {mark(prefix, ingress)} {{\n  }}\n}}\n"


def removal(table: str) -> str:
    """A script that takes the table away, whether or not it is there."""
    return f"table inet {table}\ndelete table inet {table}\n"


def mark(prefix: str, ingress: IngressAccess | None = None) -> str:
    """The name of an empty chain by which a table of these very rules is known again."""
    return MARK + hashlib.sha256(_base(prefix, ingress).encode()).hexdigest()[:12]


def _base(prefix: str, ingress: IngressAccess | None) -> str:
    ours, everyones, lookup = f'"{prefix}*"', f'"{HOST_INTERFACES}*"', "meta l4proto . th dport vmap @to"
    translated = "ct status dnat ct direction"
    front, called = f"ip daddr {FRONTS} tcp dport {FRONT_PORT}", f"ct original ip daddr {FRONTS}"
    # Nobody else of this host comes past the ingress and the login that it asks for.
    by_ingress = "" if ingress is None else f"    {front} meta skuid {ingress.uid} ip daddr vmap @fronts\n"
    callers = "" if ingress is None else _callers(ingress)
    return f"""  map fronts {{
    type ipv4_addr : verdict
    flags timeout
  }}
  map front_in {{
    type ipv4_addr : verdict
    flags timeout
  }}
  map front_out {{
    type ipv4_addr : verdict
    flags timeout
  }}
  set front_open {{
    type ipv4_addr
    flags timeout
  }}
  set front_ours {{
    type ipv4_addr
    flags timeout
  }}
{callers}  map to {{
    type inet_proto . inet_service : verdict
    flags timeout
  }}
  map in {{
    type ipv4_addr . inet_proto . inet_service : verdict
    flags timeout
  }}
  map out {{
    type ipv4_addr . inet_proto . inet_service : verdict
    flags timeout
  }}
  set open {{
    type ipv4_addr . inet_proto . inet_service
    flags timeout
  }}
  chain from_outside {{
    type nat hook prerouting priority dstnat; policy accept;
    iifname != {ours} meta nfproto ipv4 fib daddr type local {lookup}
  }}
  chain from_here {{
    type nat hook output priority -100; policy accept;
{by_ingress}    meta nfproto ipv4 fib daddr type local {lookup}
  }}
  chain fronts_closed {{
    type filter hook output priority filter - 6; policy accept;
    {front} reject with tcp reset
    {translated} original ct original ip daddr @front_ours ct original ip daddr != @front_open reject with tcp reset
  }}
  chain loopback {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname {ours} ip saddr 127.0.0.0/8 ct status dnat snat ip to {GATEWAY}
  }}
  chain closed {{
    type filter hook forward priority filter - 6; policy accept;
    oifname {ours} {translated} original ip daddr . meta l4proto . th dport @open accept
    oifname {ours} {translated} original meta l4proto tcp reject with tcp reset
  }}
  chain inwards {{
    type filter hook postrouting priority mangle; policy accept;
    oifname {ours} {translated} original {called} ct original ip daddr vmap @front_in
    oifname {ours} {translated} original {called} drop
    oifname {ours} {translated} original ip daddr . meta l4proto . th dport vmap @in
    oifname {ours} {translated} original drop
    oifname != {everyones} {translated} original ip daddr {NETWORK} drop
  }}
  chain outwards {{
    type filter hook prerouting priority mangle; policy accept;
    iifname {ours} {translated} reply {called} ct original ip daddr vmap @front_out
    iifname {ours} {translated} reply {called} drop
    iifname {ours} {translated} reply ip saddr . meta l4proto . th sport vmap @out
    iifname {ours} {translated} reply drop
  }}
"""


def _callers(ingress: IngressAccess) -> str:
    """Nobody takes all of the connections that the ingress can have; this host's own, its questions, do not count."""
    ports, most = ", ".join(map(str, ingress.ports)), f"ct count over {ingress.by_caller}"
    called = f'iif != "lo" tcp dport {{ {ports} }} ct state new'
    sets = "".join(
        f"  set {name} {{\n    type {kind}\n    size 65535\n    flags dynamic\n  }}\n"
        for name, kind in (("callers", "ipv4_addr"), ("callers_6", "ipv6_addr"))
    )
    return f"""{sets}  chain callers_in {{
    type filter hook input priority filter - 6; policy accept;
    {called} add @callers {{ ip saddr {most} }} reject with tcp reset
    {called} add @callers_6 {{ ip6 saddr & ffff:ffff:ffff:ffff:: {most} }} reject with tcp reset
  }}
"""


def changes(
    table: str, there: PortsThere, wanted: Collection[PublicPort], limits: PortLimits, now: float
) -> tuple[str, str]:
    """Two scripts for `nft -f`, one after the other: what goes, and what comes. Empty where nothing changes."""
    before, after = {one.name: one for one in there.ports}, {one.name: one for one in wanted if one.until > now}
    gone = [one for name, one in before.items() if name not in after or after[name].place != one.place]
    kept = {name for name in before if name in after and after[name].place == before[name].place}
    goes = [line for one in gone for line in _gone(table, one, now)]
    unused = there.slots - {one.slot for one in after.values()}
    goes += [f"{what} chain inet {table} pod_{slot}" for slot in sorted(unused) for what in ("flush", "delete")]
    comes = list[str]()
    for name, one in sorted(after.items()):
        if name in kept and abs(before[name].until - one.until) > SLACK_S:
            comes += [*_elements(table, before[name], now, "delete"), *_elements(table, one, now, "add")]
    added = [one for name, one in sorted(after.items()) if name not in kept]
    for slot in sorted({one.slot for one in added} - (there.slots - unused)):
        comes += _limits(table, slot, limits)
    comes += [line for one in added for line in _added(table, one, now)]
    return "".join(f"{line}\n" for line in goes), "".join(f"{line}\n" for line in comes)


def _limits(table: str, slot: int, limits: PortLimits) -> list[str]:
    chain = f"inet {table} pod_{slot}"
    rate = limits.new_per_second
    return [
        f"add chain {chain}",
        f"add rule {chain} limit rate over {rate}/second burst {2 * rate} packets drop",
        f"add rule {chain} ct count over {limits.connections} drop",
    ]


def _added(table: str, one: PublicPort, now: float) -> list[str]:
    name = one.name
    lines = [f"add counter inet {table} {what}_{name}" for what in ("new", "in", "out")]
    lines += [f"add chain inet {table} {what}_{name}" for what in CHAINS]
    # The first chain sees each connection's first packet alone.
    lines += [
        f"add rule inet {table} to_{name} jump pod_{one.slot}",
        f"add rule inet {table} to_{name} counter name new_{name}",
        f"add rule inet {table} to_{name} meta l4proto {one.protocol} dnat ip to {one.address}:{one.port}",
        f"add rule inet {table} in_{name} counter name in_{name} accept",
        f"add rule inet {table} out_{name} counter name out_{name} accept",
    ]
    return [*lines, *_elements(table, one, now, "add")]


def _gone(table: str, one: PublicPort, now: float) -> Iterator[str]:
    if one.until > now:  # else the kernel has forgotten these already
        yield from _elements(table, one, now, "delete")
    for what in CHAINS:
        yield from (f"{how} chain inet {table} {what}_{one.name}" for how in ("flush", "delete"))
    yield from (f"delete counter inet {table} {what}_{one.name}" for what in ("new", "in", "out"))


def _elements(table: str, one: PublicPort, now: float, how: str) -> list[str]:
    left = max(1, min(MAX_TIMEOUT_S, round(one.until - now)))
    timeout = f" timeout {left}s" if how == "add" else ""
    if one.front:
        key = f"{one.front}{timeout}"
        # Known as this daemon's for a while after it is over, so that what is connected is told at once.
        ours = f"element inet {table} front_ours {{ {one.front}"
        known = [f"add {ours} }}", f"delete {ours} }}", f"add {ours} timeout {left + FRONT_KNOWN_S}s }}"]
        return [
            *(known if how == "add" else []),
            f"{how} element inet {table} fronts {{ {key} : jump to_{one.name} }}",
            f"{how} element inet {table} front_in {{ {key} : goto in_{one.name} }}",
            f"{how} element inet {table} front_out {{ {key} : goto out_{one.name} }}",
            f"{how} element inet {table} front_open {{ {key} }}",
        ]
    outside = f"{one.protocol} . {one.public}{timeout}"
    inside = f"{one.address} . {one.protocol} . {one.port}{timeout}"
    return [
        f"{how} element inet {table} to {{ {outside} : jump to_{one.name} }}",
        f"{how} element inet {table} in {{ {inside} : goto in_{one.name} }}",
        f"{how} element inet {table} out {{ {inside} : goto out_{one.name} }}",
        f"{how} element inet {table} open {{ {inside} }}",
    ]


def read(listed: Mapping[str, Any], now: float) -> PortsThere:
    """What `nft -j list table` says. A port whose elements are gone has an `until` of 0."""
    entries = [entry for entry in listed.get("nftables", ()) if isinstance(entry, dict)]
    chains = [str(one["name"]) for one in _of(entries, "chain")]
    until = {}
    for one in _of(entries, "map"):
        for element, _ in one.get("elem", ()) if one["name"] in ("to", "fronts") else ():
            where = element["elem"]["val"]
            name = front_name(where) if isinstance(where, str) else port_name(*where["concat"])
            until[name] = now + float(element["elem"]["expires"])
    counted = {str(one["name"]): one for one in _of(entries, "counter")}
    leads, pods = dict[str, tuple[str, int]](), dict[str, int]()
    for one in _of(entries, "rule"):
        for part in one["expr"]:
            if "dnat" in part:
                leads[one["chain"]] = (str(part["dnat"]["addr"]), int(part["dnat"]["port"]))
            elif "jump" in part and str(part["jump"]["target"]).startswith("pod_"):
                pods[one["chain"]] = int(part["jump"]["target"].removeprefix("pod_"))
    ports = []
    for chain in chains:
        if (found := _NAME.fullmatch(chain)) and chain in leads and chain in pods:
            ends = until.get(chain.removeprefix("to_"), 0.0)
            if found[3]:
                front = found[3].replace("_", ".")
                ports.append(PublicPort("tcp", FRONT_PORT, *leads[chain], pods[chain], ends, front))
            else:
                protocol, public = PROTOCOLS[PROTOCOLS.index(found[1])], int(found[2])
                ports.append(PublicPort(protocol, public, *leads[chain], pods[chain], ends))
    return PortsThere(
        mark=next((chain for chain in chains if chain.startswith(MARK)), ""),
        ports=tuple(ports),
        slots=frozenset(int(one.removeprefix("pod_")) for one in chains if one.startswith("pod_")),
        passed={one.name: _passed(one.name, counted) for one in ports},
    )


def _of(entries: Iterable[Mapping[str, Any]], kind: str) -> Iterator[Mapping[str, Any]]:
    return (entry[kind] for entry in entries if kind in entry)


def _passed(name: str, counted: Mapping[str, Mapping[str, Any]]) -> PortTraffic:
    def of(what: str, unit: str) -> int:
        return int(counted.get(f"{what}_{name}", {}).get(unit, 0))

    return PortTraffic(of("new", "packets"), of("in", "bytes"), of("out", "bytes"))
