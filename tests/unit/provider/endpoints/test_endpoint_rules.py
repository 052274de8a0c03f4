"""Public ports as rules: worked out from what is to be and what is, without a kernel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from assay.network.port_range import PortRange
from assay.provider.endpoints import port_rules
from assay.provider.endpoints.listening import listening, of_lines
from assay.provider.endpoints.port_rules import IngressAccess, PortLimits, PortsThere, PublicPort, changes
from assay.provider.endpoints.records import EndpointRecord, Shut, ShutFile, read_records, write_records
from assay.provider.errors import BadProviderSetting, ProviderError
from assay.provider.pods.network_rules import NetworkPolicy, table
from assay.provider.settings import ProviderSettings
from assay.wire.pods import EndpointLogin

NOW = 1_000_000.0
LIMITS = PortLimits(connections=20, new_per_second=50)
ONE = PublicPort("tcp", 30_000, "10.213.0.2", 8000, 0, NOW + 600)
TWO = PublicPort("udp", 30_000, "10.213.0.2", 8000, 0, NOW + 600)
ELSEWHERE = PublicPort("tcp", 30_001, "10.213.0.3", 8000, 1, NOW + 60)


def there(*ports: PublicPort) -> PortsThere:
    return PortsThere(ports=ports, slots=frozenset(one.slot for one in ports))


def told(*wanted: PublicPort, of: PortsThere = there(), now: float = NOW) -> tuple[list[str], list[str]]:
    goes, comes = changes("t", of, wanted, LIMITS, now)
    return goes.splitlines(), comes.splitlines()


def test_port__that_is_new__has_its_limits_first_and_is_forgotten_with_its_lease() -> None:
    goes, comes = told(ONE)
    assert goes == []
    assert comes[:3] == [
        "add chain inet t pod_0",
        "add rule inet t pod_0 limit rate over 50/second burst 100 packets drop",
        "add rule inet t pod_0 ct count over 20 drop",
    ]
    assert comes.index("add rule inet t to_tcp_30000 jump pod_0") < comes.index(
        "add rule inet t to_tcp_30000 meta l4proto tcp dnat ip to 10.213.0.2:8000"
    )
    assert "add element inet t to { tcp . 30000 timeout 600s : jump to_tcp_30000 }" in comes
    assert sum("timeout 600s" in line for line in comes) == 4


def test_ports__as_they_are__are_left_alone_with_all_that_was_counted() -> None:
    assert told(ONE, TWO, of=there(ONE, TWO)) == ([], [])
    assert told(replace(ONE, until=ONE.until + 1.0), of=there(ONE)) == ([], [])


def test_port__added_or_closed_beside_others_of_its_lease__leaves_their_connections_counted() -> None:
    for goes, comes in (told(ONE, TWO, of=there(ONE)), told(ONE, of=there(ONE, TWO))):
        assert not any("pod_0" in line and "jump" not in line for line in (*goes, *comes))
        assert not any("tcp_30000" in line for line in (*goes, *comes))


def test_port__closed__goes_whole_and_the_last_of_a_pod_with_its_limits() -> None:
    goes, comes = told(ELSEWHERE, of=there(ONE, ELSEWHERE))
    assert comes == []
    gone = {"delete chain inet t to_tcp_30000", "delete counter inet t new_tcp_30000", "delete chain inet t pod_0"}
    assert gone < set(goes)
    assert "delete element inet t open { 10.213.0.2 . tcp . 8000 }" in goes
    assert not any("pod_1" in line or "30001" in line for line in goes)


def test_port__whose_elements_the_kernel_has_forgotten__goes_without_them() -> None:
    goes, _ = told(of=there(replace(ONE, until=0.0)))
    assert not any("element" in line for line in goes) and "delete chain inet t to_tcp_30000" in goes


def test_port__of_a_lease_that_is_over__never_comes() -> None:
    assert told(replace(ONE, until=NOW)) == ([], [])


def test_port__whose_lease_lasts_longer__only_lasts_longer() -> None:
    goes, comes = told(replace(ONE, until=NOW + 900), of=there(ONE))
    assert goes == [] and len(comes) == 8
    assert all(line.startswith(("delete element", "add element")) for line in comes)
    assert sum("timeout 900s" in line for line in comes) == 4


def test_port__that_leads_elsewhere_now__goes_before_it_comes() -> None:
    goes, comes = told(replace(ONE, address="10.213.0.9", slot=7), of=there(ONE))
    assert "delete chain inet t to_tcp_30000" in goes
    assert any("dnat ip to 10.213.0.9:8000" in line for line in comes) and "add chain inet t pod_7" in comes


FRONT = replace(ONE, public=1, front="127.93.4.7")


def test_front__beside_a_public_port_of_the_same_pods__is_told_apart_by_its_address_and_ends_with_the_lease() -> None:
    goes, comes = told(FRONT, ONE)
    assert goes == []
    for what in ("fronts", "front_in", "front_out", "front_open"):
        assert any(line.startswith(f"add element inet t {what} {{ 127.93.4.7 timeout 600s") for line in comes)
    # Known a while longer than it is open, whether or not it was known before.
    known = [line for line in comes if "front_ours" in line]
    assert [line.split()[0] for line in known] == ["add", "delete", "add"] and "timeout 4200s" in known[2]
    assert "add rule inet t to_front_127_93_4_7 meta l4proto tcp dnat ip to 10.213.0.2:8000" in comes
    assert comes.count("add chain inet t pod_0") == 1
    goes, comes = told(ONE, of=there(ONE, FRONT))
    assert comes == [] and "delete chain inet t to_front_127_93_4_7" in goes
    assert not any("front_ours" in line or "tcp_30000" in line for line in goes)


def test_front__listed__is_read_as_it_was_put_there() -> None:
    element = {"elem": {"val": "127.93.4.7", "timeout": 600, "expires": 599}}
    chain = "to_front_127_93_4_7"
    rules = [{"jump": {"target": "pod_0"}}, {"dnat": {"family": "ip", "addr": "10.213.0.2", "port": 8000}}]
    listed = {
        "nftables": [
            {"chain": {"name": chain}},
            {"chain": {"name": "pod_0"}},
            {"map": {"name": "fronts", "elem": [[element, {"jump": {"target": chain}}]]}},
            {"map": {"name": "front_in", "elem": [[element, {"goto": {"target": "in_front_127_93_4_7"}}]]}},
            {"counter": {"name": "out_front_127_93_4_7", "packets": 9, "bytes": 900}},
            *({"rule": {"chain": chain, "expr": [rule]}} for rule in rules),
        ]
    }
    found = port_rules.read(listed, NOW)
    assert found.ports == (replace(FRONT, until=NOW + 599),)
    assert found.passed["front_127_93_4_7"] == port_rules.PortTraffic(0, 0, 900)


def test_base__with_an_ingress__lets_its_user_call_fronts_and_nobody_else() -> None:
    by_ingress = "ip daddr 127.64.0.0/10 tcp dport 1 meta skuid 990 ip daddr vmap @fronts"
    access = IngressAccess(990, (443, 80), 1024)
    assert by_ingress in port_rules.base("t", "asX-", access) and "skuid" not in port_rules.base("t", "asX-")
    for ingress in (None, access):
        assert "ip daddr 127.64.0.0/10 tcp dport 1 reject" in port_rules.base("t", "asX-", ingress)
    assert port_rules.mark("asX-", access) != port_rules.mark("asX-")
    # Callers are told apart, those by IPv6 by their networks.
    assert "tcp dport { 443, 80 } ct state new add @callers { ip saddr ct count over 1024 }" in port_rules.base(
        "t", "asX-", access
    )
    assert "@callers_6 { ip6 saddr & ffff:ffff:ffff:ffff:: ct count over 1024 }" in port_rules.base("t", "a", access)


def test_listed_table__read__is_what_was_put_there() -> None:
    element = {"elem": {"val": {"concat": ["tcp", 30_000]}, "timeout": 600, "expires": 599}}
    rules = [{"jump": {"target": "pod_0"}}, {"dnat": {"family": "ip", "addr": "10.213.0.2", "port": 8000}}]
    listed = {
        "nftables": [
            {"metainfo": {"version": "1.0.6"}},
            {"chain": {"name": "made_0123456789ab"}},
            {"chain": {"name": "to_tcp_30000"}},
            {"chain": {"name": "pod_0"}},
            {"map": {"name": "to", "elem": [[element, {"jump": {"target": "to_tcp_30000"}}]]}},
            {"counter": {"name": "new_tcp_30000", "packets": 3, "bytes": 180}},
            {"counter": {"name": "in_tcp_30000", "packets": 9, "bytes": 900}},
            *({"rule": {"chain": "to_tcp_30000", "expr": [rule]}} for rule in rules),
        ]
    }
    found = port_rules.read(listed, NOW)
    assert found.mark == "made_0123456789ab" and found.slots == {0}
    assert found.ports == (replace(ONE, until=NOW + 599),)
    assert found.passed["tcp_30000"] == port_rules.PortTraffic(3, 900, 0)
    assert port_rules.read({"nftables": []}, NOW) == PortsThere()


def test_walls__of_pods__let_nothing_translated_in_unless_there_are_public_ports() -> None:
    policy = NetworkPolicy.parse(["internet"])
    without, with_ports = (table("t", "asX-", [], policy, [], public) for public in (False, True))
    assert "dnat" not in without
    assert 'oifname "asX-*" ct status dnat accept' in with_ports
    # From a pod to this host nothing but answers goes.
    (answers,) = [line for line in with_ports.splitlines() if "reply" in line]
    assert answers.strip() == 'iifname "asX-*" ct status dnat ct direction reply accept'


@pytest.mark.parametrize("text", ["", "80-90", "30000-29999", "1024-65536", "a-b", "30000-", "٣٠٠٠٠", "30000,30001"])
def test_range__off_the_rules__is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        PortRange.parse(text)


def test_range__of_ports__holds_both_its_ends() -> None:
    ports = PortRange.parse(" 30000-30002 ")
    assert list(ports) == [30_000, 30_001, 30_002] and 30_002 in ports and 30_003 not in ports
    assert str(PortRange.parse("30000")) == "30000-30000"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"public_ports": "8000-9000"}, "port 8700, which this daemon listens on"),
        ({"public_ports": "2000-3000", "ssh_port": 2222}, "ssh_port 2222"),
        ({"public_ports": "30000-30999", "runtime": "bubblewrap"}, "runtime container"),
        ({"public_ports": "30-40"}, "expected ports from 1024"),
        ({"public_host": "a b"}, "public_host"),
        ({"endpoint_domain": "gpu"}, "expected a name such as"),
        ({"endpoint_domain": "11.22.33.44"}, "not an address"),
        ({"endpoint_domain": "gpu.example.org", "runtime": "local"}, "runtime container"),
        ({"endpoint_domain": "gpu.example.org", "port": 443}, "443 is port, too"),
        ({"endpoint_domain": "gpu.example.org", "endpoint_http_port": 443}, "endpoint_https_port, too"),
        ({"endpoint_domain": "g.org", "public_ports": "8000-8100", "endpoint_http_port": 8080}, "among the public"),
        ({"endpoint_certificate": "/a"}, "certificate and key go together"),
        ({"endpoint_certificate_key": "/a"}, "certificate and key go together"),
        ({"endpoint_acme_directory": "http://ca.example.org"}, "endpoint_acme_directory"),
    ],
)
def test_settings__of_public_ports__keep_the_daemons_own_apart(values: dict[str, object], said: str) -> None:
    with pytest.raises(BadProviderSetting, match=said):
        ProviderSettings.load(values, environment={})
    assert ProviderSettings.load({"public_ports": "30000-30999"}, environment={}).public_ports == "30000-30999"


HEAD = "  sl  local_address rem_address   st tx_queue rx_queue\n"
ANY, LOOPBACK, ANY_6, LOOPBACK_6 = "00000000", "0100007F", "0" * 32, "00000000000000000000000001000000"
MAPPED_LOOPBACK = "0000000000000000FFFF00000100007F"


@pytest.mark.parametrize(
    ("address", "state", "protocol", "said"),
    [
        (ANY, "0A", "tcp", "yes"),
        (ANY_6, "0A", "tcp", "yes"),
        ("0200D50A", "0A", "tcp", "yes"),
        (LOOPBACK, "0A", "tcp", "loopback"),
        (LOOPBACK_6, "0A", "tcp", "loopback"),
        (MAPPED_LOOPBACK, "0A", "tcp", "loopback"),
        (ANY, "01", "tcp", "no"),
        (ANY, "07", "udp", "yes"),
        (ANY, "01", "udp", "no"),
    ],
)
def test_port__looked_for_among_a_pods_sockets__is_found_as_it_is_bound(
    address: str, state: str, protocol: str, said: str
) -> None:
    line = f"   0: {address}:1F40 00000000:0000 {state} 00000000:00000000"
    assert of_lines([line, "garbled"], protocol, 8000) == said  # type: ignore[arg-type]
    assert of_lines([line], protocol, 8001) == "no"  # type: ignore[arg-type]


def test_port__of_a_process__is_looked_for_in_its_own_lists(tmp_path: Path) -> None:
    folder = tmp_path / "7/net"
    folder.mkdir(parents=True)
    (folder / "tcp").write_text(HEAD + f"   0: {LOOPBACK}:1F40 00000000:0000 0A\n")
    assert listening(7, "tcp", 8000, tmp_path) == "loopback"
    (folder / "tcp6").write_text(HEAD + f"   0: {ANY_6}:1F40 {ANY_6}:0000 0A\n")
    assert listening(7, "tcp", 8000, tmp_path) == "yes"
    assert listening(8, "tcp", 8000, tmp_path) == "no"
    assert listening(None, "tcp", 8000, tmp_path) == "stopped"


def test_records__kept_and_read__are_the_same_and_none_leaves_no_file(tmp_path: Path) -> None:
    login = EndpointLogin(user="ann", hash="A" * 43 + "=", salt="A" * 22 + "==")
    named = EndpointRecord("https", 8000, 443, 5, "a.gpu.test", "127.93.4.7", "0xRenter", login)
    file, records = tmp_path / "endpoints.json", [EndpointRecord("udp", 8000, 30_000, 5), named]
    assert read_records(file) == []
    write_records(file, records)
    assert read_records(file) == records
    write_records(file, [])
    assert not file.exists()
    for text in ("[{}]", "{", '[{"protocol": "icmp", "port": 1, "public": 2, "opened_at": 3}]'):
        file.write_text(text)
        with pytest.raises(ProviderError, match="damaged"):
            read_records(file)


def test_shut__lease_or_port__has_its_reason_until_it_is_opened_again(tmp_path: Path) -> None:
    file = ShutFile(tmp_path)
    assert file.read() == Shut()
    file.write(Shut().with_shut(7, 30_000, "spam").with_shut(8, None, "attacks"))
    shut = file.read()
    assert (shut.reason(7, 30_000), shut.reason(7, 30_001), shut.reason(7)) == ("spam", None, None)
    assert (shut.reason(8), shut.reason(8, 1)) == ("attacks", "attacks")
    named = shut.with_shut(7, "a.gpu.test", "phishing")
    assert (named.reason(7, "a.gpu.test"), named.reason(7, "b.gpu.test")) == ("phishing", None)
    assert named.with_open(7, "a.gpu.test") == shut
    assert shut.with_open(7, 30_000).reason(7, 30_000) is None
    assert shut.with_open(7, None).with_open(8, None) == Shut()
    file.path.write_text("[]")
    with pytest.raises(ProviderError, match="damaged"):
        file.read()


def test_table__of_another_daemon_or_of_other_rules__is_told_by_its_mark() -> None:
    assert port_rules.mark("asX-") != port_rules.mark("asY-")
    assert port_rules.base("t", "asX-").count("chain made_") == 1
