"""A certificate by ACME: an authority of this machine's own, in a network and with names that only this test has, since
authorities call back at ports 80 and 443."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.provider.pods.names_bench import names_missing

REASON = names_missing()
pytestmark = [pytest.mark.deep, pytest.mark.skipif(REASON is not None, reason=str(REASON))]
# Arguments: a folder that everybody may enter, and which way of proof is off.
TRIAL = r"""
import json, os, socket, ssl, subprocess, sys, time
from pathlib import Path
from assay.provider.ingress import configuration
from assay.provider.ingress.configuration import IngressSettings, NameRoute, Places
from assay.provider.ingress.ingress import Ingress

folder, made_front = Path(sys.argv[1]), configuration.front

def front(*arguments):
    made = made_front(*arguments)
    made["apps"]["tls"]["automation"]["policies"][0]["issuers"][0]["challenges"] = {sys.argv[2]: {"disabled": True}}
    return made

configuration.front = front
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

def instead(path, text):
    file = folder / Path(path).name
    file.write_text(text); file.chmod(0o644)
    subprocess.run(["mount", "--bind", file, path], check=True)

instead("/etc/hosts", "127.0.0.1 localhost ca.test llm.example.test other.example.test\n")
authority = {
    "admin": {"disabled": True},
    "apps": {
        "http": {"https_port": 19443, "servers": {"ca": {
            "listen": [":19443"], "automatic_https": {"disable_redirects": True},
            "routes": [{"match": [{"host": ["ca.test"]}], "handle": [{"handler": "acme_server"}]}],
        }}},
        "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
        "tls": {"automation": {"policies": [{"subjects": ["ca.test"], "issuers": [{"module": "internal"}]}]}},
    },
}
(folder / "ca.json").write_text(json.dumps(authority))
environment = {**os.environ, "XDG_DATA_HOME": str(folder / "ca"), "HOME": str(folder)}
caddy = ["caddy", "run", "--config", str(folder / "ca.json")]
ca = subprocess.Popen(caddy, env=environment, stderr=(folder / "ca.log").open("w"))
ingress = None
try:
    root = folder / "ca/caddy/pki/authorities/local/root.crt"
    until = time.monotonic() + 60
    while not root.exists():
        assert time.monotonic() < until and ca.poll() is None, (folder / "ca.log").read_text()
        time.sleep(0.1)
    instead("/etc/ssl/certs/ca-certificates.crt", root.read_text())
    settings = IngressSettings("gpu.test", acme_directory="https://ca.test:19443/acme/local/directory")
    ingress = Ingress(settings, Places(folder / "run", folder / "kept"))
    ingress.prepare()
    ingress.hold([NameRoute("llm.example.test", "127.93.4.7")])
    while not ingress.is_certified("llm.example.test"):
        log = folder / "kept/front.log"
        assert time.monotonic() < until, (log.exists() and log.read_text(), (folder / "ca.log").read_text()[-3000:])
        ingress.look_at_certificates()
    trusting = ssl.create_default_context(cafile=str(root))
    with socket.create_connection(("127.0.0.1", 443)) as plain:
        with trusting.wrap_socket(plain, server_hostname="llm.example.test") as made:
            print("certified", dict(made.getpeercert()["subjectAltName"]))
    # Nobody's name is certified, though it leads here.
    try:
        with socket.create_connection(("127.0.0.1", 443)) as plain:
            trusting.wrap_socket(plain, server_hostname="other.example.test")
    except ssl.SSLError:
        print("refused")
finally:
    ca.kill()
    if ingress is not None:
        ingress.end()
"""


@pytest.mark.parametrize("off", ["http", "tls-alpn"])
def test_name__certified_by_acme__has_its_certificate_and_nobody_elses_name_has_one(tmp_path: Path, off: str) -> None:
    for one in (tmp_path, *tmp_path.parents[:-1]):
        one.chmod(one.stat().st_mode | 0o011)
    line = ["unshare", "--mount", "--net", "--propagation", "private", sys.executable, "-c", TRIAL, str(tmp_path), off]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.splitlines() == ["certified {'DNS': 'llm.example.test'}", "refused"]
