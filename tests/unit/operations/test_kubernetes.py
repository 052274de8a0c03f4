"""The Kubernetes manifests: confined, with settings and paths that the daemons have, and never two of one seat."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay.market.settings import MarketSettings
from assay.settings.base import PREFIX, ProgramSettings
from assay.signing.witness import RUNTIME_VARIABLE
from assay.validator.settings import ValidatorSettings
from assay.wire.paths import LIVEZ, READYZ

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "ops" / "kubernetes"
PAGE = (ROOT / "docs" / "how-to" / "operations.md").read_text()
PROGRAMS: dict[str, type[ProgramSettings]] = {"validator": ValidatorSettings, "market": MarketSettings}
PROBES = {"startupProbe": LIVEZ, "livenessProbe": LIVEZ, "readinessProbe": READYZ}


def objects(name: str) -> dict[str, Any]:
    """Those of one file by their kind."""
    return {one["kind"]: one for one in yaml.safe_load_all((FOLDER / f"{name}.yml").read_text())}


def pod(name: str) -> Any:
    return objects(name)["StatefulSet"]["spec"]["template"]["spec"]


def containers(name: str) -> Iterator[Any]:
    yield from pod(name).get("initContainers", ())
    yield from pod(name)["containers"]


def daemon(name: str) -> Any:
    (one,) = pod(name)["containers"]
    return one


def environment(name: str) -> dict[str, str]:
    """What the daemon is given; what comes from a Secret as an address."""
    return {one["name"]: one.get("value", "https://rpc.example.org") for one in daemon(name)["env"]}


@pytest.mark.parametrize("name", PROGRAMS)
def test_pod__each_container__has_no_more_rights_than_it_needs(name: str) -> None:
    security = pod(name)["securityContext"]
    assert security["runAsNonRoot"] and security["runAsUser"] == 1000
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod(name)["automountServiceAccountToken"]
    for one in containers(name):
        confined = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert one["securityContext"] == confined
        assert {"cpu", "memory"} <= set(one["resources"]["requests"]) and "memory" in one["resources"]["limits"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_image__of_each_container__is_the_one_that_the_page_has_put_in(name: str) -> None:
    assert {one["image"] for one in containers(name)} == {"ASSAY_IMAGE"}
    assert re.search(r"s\|ASSAY_IMAGE\|[^|@]+@sha256:", PAGE), "by digest"


@pytest.mark.parametrize(("name", "settings"), PROGRAMS.items())
def test_settings__in_the_environment__are_known_and_hold(name: str, settings: type[ProgramSettings]) -> None:
    given = environment(name)
    names = {one.removeprefix(PREFIX).lower() for one in given if one.startswith(PREFIX)}
    assert names <= set(settings.model_fields)
    settings.load({}, environment=given)
    assert daemon(name)["args"] == [name, "run"]


@pytest.mark.parametrize(("name", "settings"), PROGRAMS.items())
def test_service_links__of_our_names__would_be_taken_for_settings(name: str, settings: type[ProgramSettings]) -> None:
    service = objects(name)["Service"]["metadata"]["name"]
    variable = f"{service.upper().replace('-', '_')}_PORT"  # as Kubernetes makes it, tcp://…
    if name == "market":
        assert variable.removeprefix(PREFIX).lower() in settings.model_fields
    assert pod(name)["enableServiceLinks"] is False


@pytest.mark.parametrize("name", PROGRAMS)
def test_ports__of_daemon_probes_service_and_policy__are_one(name: str) -> None:
    found, given = objects(name), environment(name)
    (port,) = daemon(name)["ports"]
    assert str(port["containerPort"]) == given.get("ASSAY_PORT", given.get("ASSAY_MARKET_PORT"))
    for probe, path in PROBES.items():
        asked = daemon(name)[probe]["httpGet"]
        assert (asked["path"], asked["port"]) == (path, port["name"])
    (served,) = found["Service"]["spec"]["ports"]
    assert served["targetPort"] == port["name"]
    (ingress,) = found["NetworkPolicy"]["spec"]["ingress"]
    assert ingress["ports"] == [{"protocol": "TCP", "port": port["containerPort"]}]


@pytest.mark.parametrize("name", PROGRAMS)
def test_selectors__of_service_and_policy__take_the_pod(name: str) -> None:
    found = objects(name)
    labels = found["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    for wanted in (
        found["StatefulSet"]["spec"]["selector"]["matchLabels"],
        found["Service"]["spec"]["selector"],
        found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert wanted.items() <= labels.items()


@pytest.mark.parametrize("name", PROGRAMS)
def test_paths__in_the_environment__lie_on_what_is_mounted(name: str) -> None:
    claims = objects(name)["StatefulSet"]["spec"]["volumeClaimTemplates"]
    volumes = {one["name"] for one in (*pod(name)["volumes"], *(claim["metadata"] for claim in claims))}
    for one in containers(name):
        assert {mount["name"] for mount in one["volumeMounts"]} <= volumes
    mounted = [mount["mountPath"] for mount in daemon(name)["volumeMounts"]]
    paths = [value for value in environment(name).values() if value.startswith("/")]
    assert paths and all(any(f"{path}/".startswith(f"{at}/") for at in mounted) for path in paths)


@pytest.mark.parametrize("name", PROGRAMS)
def test_secrets_and_config_maps__each__is_made_on_the_page(name: str) -> None:
    text = (FOLDER / f"{name}.yml").read_text()
    for secret in re.findall(r"(?:secretName|secretKeyRef: { name): ([\w-]+)", text):
        assert f"create secret generic {secret} " in PAGE
    for config in re.findall(r"configMap: { name: ([\w-]+)", text):
        assert f"create configmap {config} " in PAGE


def test_validator__of_one_seat__never_runs_twice() -> None:
    seat = objects("validator")["StatefulSet"]["spec"]
    assert seat["replicas"] == 1
    assert seat["volumeClaimTemplates"][0]["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert seat["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}


def test_validator__not_ready__goes_on_serving_what_it_owes() -> None:
    assert objects("validator")["Service"]["spec"]["publishNotReadyAddresses"] is True


def test_validator__its_witness__is_where_no_backup_of_the_record_reaches() -> None:
    given = environment("validator")
    mounts = {one["mountPath"]: one["name"] for one in daemon("validator")["volumeMounts"]}
    volumes = {one["name"]: one for one in pod("validator")["volumes"]}
    assert volumes[mounts[given[RUNTIME_VARIABLE]]]["emptyDir"]["medium"] == "Memory"
    assert mounts[given["ASSAY_DATA_DIR"]] not in volumes  # the claim's


@pytest.mark.parametrize("name", PROGRAMS)
def test_policy__addresses_that_strangers_announce__reach_no_private_network(name: str) -> None:
    blocks = [
        to["ipBlock"]
        for rule in objects(name)["NetworkPolicy"]["spec"]["egress"]
        for to in rule["to"]
        if "ipBlock" in to
    ]
    (four,) = [one for one in blocks if ":" not in one["cidr"]]
    private = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "127.0.0.0/8"}
    assert private <= set(four["except"])
    assert [one["cidr"] for one in blocks if ":" in one["cidr"]] == ["2000::/3"]
