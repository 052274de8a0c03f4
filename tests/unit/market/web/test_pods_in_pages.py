"""What pages take for an image, a template and an SSH key, and what they let a provider put on a command line."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from assay.market.follow.index import MarketIndex
from assay.market.web.assets import NODE_MODULES, STATIC
from assay.market.web.formats import host
from assay.templates.loading import shipped
from tests.unit.market.api.test_transactions import client_of, market  # noqa: F401 - a fixture

SHA3 = NODE_MODULES / "js-sha3" / "build" / "sha3.min.js"
SCRIPT = """
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
globalThis.keccak256 = createRequire(import.meta.url)("SHA3").keccak256;
const nothing = { addEventListener() {}, dispatchEvent() {} };
Object.assign(globalThis, nothing, { document: { querySelectorAll: () => [], getElementById: () => nothing } });
const pod = await import("STATIC/pod.mjs");
const answers = JSON.parse(readFileSync(0, "utf8")).map(([name, ...given]) => {
  try { return pod[name](...given); } catch (error) { return { error: error.message }; }
});
console.log(JSON.stringify(answers));
"""
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGk me@here"
WHERE = {"port": 2222, "user": "lease-7", "hostKey": "ssh-ed25519 AAAAC3Nz= host"}

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not SHA3.exists(), reason="needs Node and npm's packages: make setup"
)


def in_node(*questions: list[Any]) -> list[Any]:
    script = SCRIPT.replace("STATIC", STATIC.as_uri()).replace("SHA3", str(SHA3))
    command = ["node", "--input-type=module", "--eval", script]
    done = subprocess.run(
        command, input=json.dumps(questions), capture_output=True, text=True, timeout=60, cwd=Path("/")
    )
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    return answers


@needs_node
def test_key__that_is_private_or_none__is_refused_before_it_leaves_the_page() -> None:
    private = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----"
    texts = [private, "hello", KEY.replace("ed25519 ", "dss ", 1), f"{KEY}\n{KEY}", f'command="x" {KEY}']
    secret, *others = in_node(*(["publicKey", text] for text in texts))
    assert "private key" in secret["error"]
    assert all("none that providers take" in one["error"] for one in others)
    assert in_node(["publicKey", f" {KEY}\n"], ["publicKey", "  "]) == [KEY, ""]


@needs_node
def test_command_line__of_an_honest_provider__pins_its_key() -> None:
    (lines,) = in_node(["sshLines", "gpu.test", "7", WHERE])
    assert lines == [
        "echo '[gpu.test]:2222 ssh-ed25519 AAAAC3Nz=' >> ~/.ssh/known_hosts",
        "ssh -p 2222 lease-7@gpu.test",
    ]


@needs_node
@pytest.mark.parametrize(
    ("at", "changes"),
    [
        ("gpu.test;reboot", {}),
        ("$(reboot)", {}),
        ("-oProxyCommand=reboot", {}),
        ("", {}),
        ("gpu.test", {"port": "22; reboot"}),
        ("gpu.test", {"port": 0}),
        ("gpu.test", {"user": "root"}),
        ("gpu.test", {"user": "lease-7 -oProxyCommand=reboot"}),
        ("gpu.test", {"hostKey": "ssh-ed25519 AAAA';reboot;'"}),
        ("gpu.test", {"hostKey": "ssh-ed25519"}),
        ("gpu.test", {"hostKey": None}),
    ],
)
def test_command_line__with_what_a_provider_made_up__is_not_shown(at: str, changes: dict[str, Any]) -> None:
    (answer,) = in_node(["sshLines", at, "7", WHERE | changes])
    assert "the provider" in answer["error"]


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [("https://gpu.test:8443", "gpu.test"), ("https://[::1]:1", "::1"), ("https://x;reboot", ""), ("", "")],
)
def test_host__of_whatever_was_announced__is_a_host_or_nothing(endpoint: str, expected: str) -> None:
    assert host(endpoint) == expected


def test_pod__chosen_on_a_page__is_what_the_command_line_sends(market: MarketIndex) -> None:  # noqa: F811
    client = client_of(market, 9)
    assert client.get("/send/pod").json() == {"pod": None}
    assert client.get("/send/pod?image=python:3.12").json()["pod"]["image"] == "python:3.12"
    known = shipped()["jupyterlab"]
    pod = client.get("/send/pod?template=jupyterlab").json()["pod"]
    assert (pod["image"], pod["start"], pod["ports"]) == (known.image, known.start, known.ports)
    other = client.get("/send/pod?template=jupyterlab&image=debian:12").json()["pod"]
    assert other == pod | {"image": "debian:12"}


@pytest.mark.parametrize("query", ["template=luck", "image=" + "x" * 256, "image=" + "x" * 5_000])
def test_pod__off_its_rules__is_refused_with_the_reason(market: MarketIndex, query: str) -> None:  # noqa: F811
    answer = client_of(market, 9).get(f"/send/pod?{query}")
    assert answer.status_code == 422 and answer.json()["error"]
