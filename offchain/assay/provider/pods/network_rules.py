"""What pods may reach, as rules of nftables on the host: on addresses, outside of the pods, where their root is nobody.

Pure: the table is worked out whole from the pods there are, and loaded in one step.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

from assay.provider.errors import ProviderError
from assay.provider.runtime.egress_rules import INTERNET, MAIL_PORT, NONE, EgressRules

GATEWAY = "169.254.1.1"
# Everything that is not the internet: this network, private, shared, loopback, link-local with metadata services,
# protocol assignments, documentation, relays, benchmarks, multicast and reserved.
NOT_PUBLIC = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
)  # fmt: skip
# Of clouds, outside of the ranges above.
METADATA = ("168.63.129.16/32",)


@dataclass(frozen=True)
class NetworkPolicy:
    """What pods may reach beyond each other: the internet, networks that the provider names, and hosts by name, which
    an HTTP proxy on the pod's loopback reaches for them."""

    internet: bool = False
    networks: tuple[str, ...] = ()
    hosts: EgressRules = field(default_factory=EgressRules)

    @classmethod
    def parse(cls, setting: Sequence[str]) -> NetworkPolicy:
        """From `none`, or any of `internet`, networks such as 198.51.100.0/24, and hosts as `EgressRules` takes them.
        Raises ProviderError."""
        networks, rest = [], []
        for text in setting:
            try:
                networks.append(str(ipaddress.IPv4Network(text)))
            except ValueError:
                rest.append(text)
        if NONE in rest and (networks or len(rest) > 1):
            raise ProviderError("egress 'none' stands alone")
        if INTERNET in rest:
            if len(rest) > 1:
                raise ProviderError("egress 'internet' lets every host through: name no others beside it")
            return cls(True, tuple(networks))
        return cls(False, tuple(networks), EgressRules.parse(rest))

    @property
    def names_resolved(self) -> bool:
        """Whether pods may ask name servers themselves. Where hosts are listed they may not: names are a way out."""
        return self.internet

    def by_proxy(self) -> EgressRules:
        """What an HTTP proxy lets through for what has no network of its own."""
        return EgressRules(open=True) if self.internet else self.hosts

    def names(self) -> list[str]:
        """As `parse` takes them."""
        told = [INTERNET] if self.internet else [] if self.hosts.closed else self.hosts.names()
        return [*told, *self.networks] or [NONE]


@dataclass(frozen=True)
class PodLink:
    """A pod's network: its interface on the host, its address, its renter."""

    interface: str
    address: str
    renter: str


def table(
    name: str,
    prefix: str,
    links: Sequence[PodLink],
    policy: NetworkPolicy,
    resolvers: Sequence[str],
    public: bool = False,
) -> str:
    """A script for `nft -f` that puts the whole table in place at once. What comes from an interface that begins with
    `prefix` and is none of `links` is dropped: a daemon that was started anew learns of its pods one by one. With
    `public` what this host has translated comes in, and answers to its own programs go back: the table of public ports
    says which."""
    interfaces, refused = f'"{prefix}*"', ", ".join((*NOT_PUBLIC, *METADATA))
    own = ", ".join(f'"{one.interface}" . {one.address}' for one in links)
    addresses = ", ".join(one.address for one in links)
    friends = ", ".join(
        f'"{one.interface}" . {other.address}'
        for one in links
        for other in links
        if one.renter == other.renter and one is not other
    )
    rules = ["meta nfproto != ipv4 drop"]
    if not links:
        rules.append("drop")
    else:
        rules += [
            f"iifname . ip saddr != {{ {own} }} drop",
            "ct state invalid drop",
            *([f"iifname . ip daddr {{ {friends} }} accept"] if friends else []),
            f"ip daddr {{ {addresses} }} reject with icmp type admin-prohibited",
            "ct state established,related accept",
        ]
    if policy.names_resolved and resolvers:
        asked = ", ".join(resolvers)
        rules.append(f"meta l4proto {{ tcp, udp }} th dport 53 ip daddr {{ {asked} }} accept")
    if policy.networks:
        rules.append(f"ip daddr {{ {', '.join(policy.networks)} }} accept")
    rules += [
        "fib daddr type != unicast drop",
        f"ip daddr {{ {refused} }} reject with icmp type admin-prohibited",
        f"tcp dport {MAIL_PORT} reject with icmp type admin-prohibited",
        "meta l4proto { tcp, udp, icmp } accept" if policy.internet else "reject with icmp type admin-prohibited",
        "drop",
    ]
    from_pods = "\n".join(f"    {rule}" for rule in rules)
    # By the interface too: a table that an ended daemon left says nothing of who has its addresses now.
    leave = f"    iifname {interfaces} ip saddr {{ {addresses} }} oifname != {interfaces} masquerade\n" if links else ""
    # What a daemon's public ports lead to is held by the table of those, on its very way into the pod.
    called = f"    oifname {interfaces} ct status dnat accept\n" if public else ""
    answers = f"    iifname {interfaces} ct status dnat ct direction reply accept\n" if public else ""
    return f"""table inet {name}
delete table inet {name}
table inet {name} {{
  chain from_pods {{
{from_pods}
  }}
  chain forward {{
    type filter hook forward priority filter - 5; policy accept;
    iifname {interfaces} goto from_pods
    oifname {interfaces} ct state established,related accept
{called}    oifname {interfaces} drop
  }}
  chain input {{
    type filter hook input priority filter - 5; policy accept;
{answers}    iifname {interfaces} drop
  }}
  chain leave {{
    type nat hook postrouting priority srcnat; policy accept;
{leave}  }}
}}
"""
