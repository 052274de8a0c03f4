"""Where strangers may not send us: every form of a private address, by number and by name."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pytest

from assay.network.addresses import Addresses, is_public, private_allowed
from assay.network.errors import RefusedAddress, RequestFailed

PUBLIC, PRIVATE = "93.184.216.34", "10.0.0.7"
INSIDE = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0",  # noqa: S104
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
    "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "::ffff:127.0.0.1", "::127.0.0.1", "2002:a00:1::", "2002:7f00:1::", "64:ff9b::a00:1",
    "64:ff9b::7f00:1", "64:ff9b:1::1", "2001:0:4136:e378:8000:63bf:f5ff:fffe", "100::1", "4000::1", "nonsense", "",
]  # fmt: skip
OUTSIDE = [PUBLIC, "1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::"]


@pytest.mark.parametrize("address", INSIDE)
def test_address__inside_some_network__is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_address__of_the_internet__is_public(address: str) -> None:
    assert is_public(address)


class Names:
    """A name server that answers differently each time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        if host == "gone":
            raise OSError("no such name")
        return self.answers.pop(0)


@pytest.mark.parametrize("answer", [[PRIVATE], [PUBLIC, PRIVATE], *([one] for one in INSIDE if one)])
async def test_name__that_leads_inside__is_refused_on_a_public_chain(answer: list[str]) -> None:
    with pytest.raises(RefusedAddress, match="is not a public address"):
        await Addresses(False, Names(answer).resolve).of("gpu.example", 443)


async def test_name__resolved_once__is_what_is_connected_to() -> None:
    names = Names([PUBLIC], [PRIVATE])
    assert await Addresses(False, names.resolve).of("gpu.example", 443) == [PUBLIC]
    assert len(names.answers) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "169.254.169.254", "::ffff:a00:1"])
async def test_address_in_place_of_a_name__is_held_to_the_rule_too(host: str) -> None:
    with pytest.raises(RefusedAddress):
        await Addresses(False, Names().resolve).of(host, 80)
    # Python 3.13 writes what IPv6 maps of IPv4 with dots.
    (found,) = await Addresses(True, Names().resolve).of(host, 80)
    assert ipaddress.ip_address(found) == ipaddress.ip_address(host)


@pytest.mark.parametrize("names", [Names(), Names([])])
async def test_name__that_does_not_resolve__is_a_failed_request(names: Names) -> None:
    with pytest.raises(RequestFailed, match="does not resolve"):
        await Addresses(True, names.resolve).of("gpu.example" if names.answers else "gone", 80)


@pytest.mark.parametrize(
    ("chain", "setting", "allowed"), [(31337, None, True), (1, None, False), (1, True, True), (31337, False, False)]
)
def test_private_addresses__by_default__are_for_local_chains(chain: int, setting: bool | None, allowed: bool) -> None:
    assert private_allowed(chain, setting) is allowed
