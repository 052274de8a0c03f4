"""What a workload may reach: by name, by port, and by address in every way of writing one."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from assay.provider.errors import ProviderError
from assay.provider.runtime.egress_rules import EgressRules, is_public

LISTED = EgressRules.parse(["data.example.org", "*.example.net", "git.example.org:22"])


@pytest.mark.parametrize(
    ("host", "port", "allowed"),
    [
        ("data.example.org", 443, True),
        ("Data.Example.org.", 80, True),
        ("data.example.org", 22, False),
        ("evil-data.example.org", 443, False),
        ("data.example.org.evil.org", 443, False),
        ("files.example.net", 443, True),
        ("example.net", 443, False),
        ("git.example.org", 22, True),
        ("git.example.org", 443, False),
        ("151.101.0.223", 443, False),
    ],
)
def test_list__of_hosts__lets_through_what_it_names(host: str, port: int, allowed: bool) -> None:
    assert LISTED.allow(host, port) is allowed


def test_internet__any_port_but_mail__and_none__nothing() -> None:
    internet, none = EgressRules.parse(["internet"]), EgressRules.parse(["none"])
    assert internet.allow("example.org", 8443) and not internet.allow("example.org", 25) and not internet.closed
    assert not none.allow("example.org", 443) and none.closed


@pytest.mark.parametrize("rules", [["none"], ["internet"], ["data.example.org", "*.b.org:8443"]])
def test_rules__written_and_read__are_the_same(rules: list[str]) -> None:
    assert EgressRules.parse(rules).names() == rules


@pytest.mark.parametrize(
    "rules", [["none", "data.example.org"], ["internet", "a"], ["http://a"], ["a:99999"], ["a b"], ["a/8"]]
)
def test_rules__malformed__are_refused(rules: list[str]) -> None:
    with pytest.raises(ProviderError, match="egress"):
        EgressRules.parse(rules)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.1.2.3", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.0.1", "198.18.0.1", "203.0.113.7", "::1", "::", "fe80::1",
        "fd00:ec2::254", "ff02::1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1", "2001:db8::1", "8.8.4.4",
    ],
)  # fmt: skip
def test_address__private_metadata_or_our_own__is_not_public(address: str) -> None:
    assert not is_public(ip_address(address), lambda one: one == ip_address("8.8.4.4"))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "151.101.0.223", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_address__of_the_internet__is_public(address: str) -> None:
    assert is_public(ip_address(address), lambda one: False)
