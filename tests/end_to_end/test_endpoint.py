"""A port of a rented pod that anybody calls: typed from `rent` to `end`, on a provider's daemon of its own with Podman,
on the demo's network."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from assay.provider.endpoints.port_rules import PortLimits
from assay.provider.endpoints.port_table import PortTable
from assay.provider.ingress.ingress import end_left, places_of
from assay.provider.pods.layout import agent_name
from tests.end_to_end.conftest import Demo, Shell, until
from tests.end_to_end.providers import Provider
from tests.end_to_end.rented_pods import COMMAND_SECONDS, Pod, pod_provider, pods_missing
from tests.integration.provider.outside import OUTSIDE, Outside
from tests.integration.provider.podman import IMAGE, invented_card, podman_service

MEASURED_SECONDS, OVER_SECONDS = 240.0, 90.0
CARD, PORT = 95, 8000
FIRST, LAST = 30_430, 30_439
DOMAIN, HTTPS, HTTP = "gpu.test", 18_453, 18_090
REASON = pods_missing()
pytestmark = [pytest.mark.deep, pytest.mark.skipif(REASON is not None, reason=str(REASON))]
# Answers who calls, with what it was called for.
SERVER = """
import http.server, sys
class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{self.client_address[0]} asks for {self.path}".encode()
        self.send_response(200); self.send_header("content-length", str(len(body))); self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Server).serve_forever()
"""


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with Outside() as made:
        yield made


@pytest.fixture(scope="module")
def provider(demo: Demo, outside: Outside, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    settings = {
        "CONTAINER_IMAGE": IMAGE, "POD_DISK": str(2 << 30), "POD_MEMORY": str(1 << 30), "POD_CORES": "1",
        "HOST_KEEP_CORES": "0", "HOST_KEEP_DISK": str(1 << 30), "IMAGE_CACHE": str(4 << 30),
        "PUBLIC_PORTS": f"{FIRST}-{LAST}", "PUBLIC_HOST": outside.gateway, "ENDPOINT_DOMAIN": DOMAIN,
        "ENDPOINT_ISSUER": "internal", "ENDPOINT_HTTPS_PORT": str(HTTPS), "ENDPOINT_HTTP_PORT": str(HTTP),
    }  # fmt: skip
    with ExitStack() as stack:
        card = stack.enter_context(invented_card(CARD))
        engine = stack.enter_context(podman_service(tmp_path_factory.mktemp("podman")))
        folder = tmp_path_factory.mktemp("pod-provider")
        # These outlive their daemon.
        agent = agent_name(folder / "data")
        stack.callback(PortTable(agent, "", PortLimits()).remove)
        stack.callback(end_left, places_of(agent))
        yield stack.enter_context(pod_provider(demo, folder, engine, settings, [card]))


@pytest.fixture(scope="module")
def pod(demo: Demo, shell: Shell, provider: Provider) -> Pod:
    listing = provider.offered(demo, shell, MEASURED_SECONDS)
    ran = shell("rent", listing["shortId"], "--duration", "30m", "--yes", "-o", "json", timeout=COMMAND_SECONDS)
    assert ran.status == 0, ran.err + (provider.folder / "provider.log").read_text()[-3000:]
    return Pod(str(ran.json["leaseId"]), provider, shell)


def serve(pod: Pod, host: str = "0.0.0.0", port: int = PORT) -> None:  # noqa: S104
    pod(f"cat > /workspace/server.py <<'END'\n{SERVER}\nEND\necho written")
    pod(f"python3 /workspace/server.py {host} {port} >/dev/null 2>&1 </dev/null & sleep 1")


def heard(outside: Outside, url: str, *more: str) -> str:
    """What a stranger beyond this host hears; empty where nobody answers."""
    line = outside.argv("curl", "-sS", "--max-time", "5", *more, url)
    return subprocess.run(line, capture_output=True, text=True, check=False).stdout


def test_endpoint__opened_by_its_renter__is_called_by_a_stranger_until_the_lease_is_over(
    pod: Pod, outside: Outside
) -> None:
    # Nobody listens yet: it says so, waits, and stays open.
    early = pod.shell("expose", pod.number, str(PORT), "--wait", "2", "-o", "json")
    assert early.status == 0 and "nobody listens on tcp port 8000 of the pod yet" in early.err, early.err + pod.log
    serve(pod)
    opened = pod.shell("expose", pod.number, str(PORT), "-o", "json")
    row = json.loads(opened.out)
    assert row["listening"] == "yes" and FIRST <= row["publicPort"] <= LAST, row
    assert row["address"] == f"{outside.gateway}:{row['publicPort']}" and row["address"] == early.json["address"]
    url = f"http://{row['address']}/hello"
    assert heard(outside, url) == f"{OUTSIDE} asks for /hello"
    table = pod.shell("endpoints", pod.number)
    assert table.status == 0 and row["address"] in table.out and "open" in table.out, table.out + table.err
    (shown,) = pod.shell("endpoints", pod.number, "-o", "json").json["endpoints"]
    # One was refused by the pod before anybody listened there.
    assert shown["connections"] == 1 and shown["receivedBytes"] > 50 and shown["sentBytes"] > 50, shown
    # The provider shuts it with a reason, which the renter reads, and opens it again.
    shut = ("endpoints", "--shut", f"{pod.number}:{row['publicPort']}", "--reason", "sends spam")
    assert "sends spam" in pod.provider(*shut)
    until("it is shut", lambda: not heard(outside, url), OVER_SECONDS)
    assert "shut by the provider: sends spam" in pod.shell("endpoints", pod.number).out
    pod.provider("endpoints", "--open", f"{pod.number}:{row['publicPort']}")
    until("it is open again", lambda: heard(outside, url), OVER_SECONDS)
    taken = pod.shell("expose", pod.number, "8001", "--public-port", str(row["publicPort"]))
    assert taken.status != 0 and f"{row['publicPort']} of this provider is taken" in taken.err, taken.err
    named, key = named_endpoint(pod, outside)
    ended = pod.shell("end", pod.number, "--yes", timeout=COMMAND_SECONDS)
    assert ended.status == 0, ended.err
    until("it is over", lambda: not heard(outside, url), OVER_SECONDS)
    assert "asks for" not in heard(outside, f"{named}/hello", *resolved(named, outside), "-H", key)
    after = pod.shell("expose", pod.number, str(PORT))
    assert after.status != 0 and "Traceback" not in after.err, after.err


def resolved(url: str, outside: Outside) -> tuple[str, ...]:
    """How a stranger finds a name that no name server knows, certified by nobody that it trusts."""
    return "-k", "--resolve", f"{url.removeprefix('https://')}:{outside.gateway}"


def named_endpoint(pod: Pod, outside: Outside) -> tuple[str, str]:
    """The same port by HTTPS at a name, for whoever has the key: its address, and the header with the key."""
    opened = pod.shell("expose", pod.number, str(PORT), "--https", "--key", "--wait", "60", "-o", "json")
    row = json.loads(opened.out)
    assert row["address"].startswith("https://") and row["address"].endswith(f".{DOMAIN}:{HTTPS}"), opened.err
    url, key = f"{row['address']}/hello", f"Authorization: Bearer {row['key']}"
    find = resolved(row["address"], outside)
    assert "asks for a login or a key" in heard(outside, url, *find)
    assert heard(outside, url, *find, "-H", key) == "169.254.1.1 asks for /hello"
    shown = {one["protocol"]: one for one in pod.shell("endpoints", pod.number, "-o", "json").json["endpoints"]}
    assert (shown["https"]["certificate"], shown["https"]["login"]) == ("ready", "key")
    assert shown["https"]["receivedBytes"] > 50 and row["key"] not in json.dumps(shown) + pod.log
    refused = pod.shell("expose", pod.number, str(PORT), "--https", "--domain", "llm.example.org")
    assert refused.status != 0 and ("not proven to be yours" in refused.err or "no resolver" in refused.err)
    told = pod.provider("endpoints", "-o", "json")
    assert row["address"].split("//")[1].split(":")[0] in told
    return row["address"], key
