"""How containers are asked for: the same walls for jobs and shells, GPUs as Docker's API takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError
from docker.types import HostConfig

from assay.provider.errors import ProviderError
from assay.provider.runtime.container import ContainerRuntime, ImagePolicy
from assay.provider.runtime.container_options import container_options, device_requests
from assay.provider.runtime.container_supervisor import start_failure
from assay.provider.runtime.egress_rules import EgressRules
from assay.provider.runtime.podman_devices import specification
from assay.provider.runtime.workload import Limits, Workload


def options(gpus: tuple[str, ...] = (), egress: tuple[str, ...] = ("none",)) -> dict[str, Any]:
    runtime = ContainerRuntime("unix:///none", ImagePolicy(), EgressRules.parse(egress))
    folders = Path("/data/7/workspace"), Path("/data/7/jobs/j1")
    work = Workload("j1", 7, ("true",), *folders, 0.0, Limits(processes=9), gpus=gpus)
    return container_options(runtime.specification(work))


def test_gpus__by_their_cdi_names__are_asked_for_as_the_api_documents() -> None:
    requests = device_requests(["nvidia.com/gpu=0", "nvidia.com/gpu=GPU-1:2"])
    # Docker's API, HostConfig.DeviceRequests: driver "cdi" with fully-qualified names.
    assert HostConfig(version="1.44", device_requests=requests)["DeviceRequests"] == [
        {
            "Driver": "cdi",
            "Count": 0,
            "DeviceIDs": ["nvidia.com/gpu=0", "nvidia.com/gpu=GPU-1:2"],
            "Capabilities": [],
            "Options": {},
        }
    ]
    assert options(gpus=("nvidia.com/gpu=0",))["device_requests"] is not None
    assert options()["device_requests"] is None


def test_podman__told_of_a_container_with_gpus__leaves_out_no_wall() -> None:
    made = specification(options(gpus=("nvidia.com/gpu=0",)), ["nvidia.com/gpu=0"], tty=True)
    assert made["devices"] == [{"path": "nvidia.com/gpu=0"}]
    assert made["cap_drop"] == ["ALL"] and made["read_only_filesystem"] and made["no_new_privileges"]
    assert made["netns"] == {"nsmode": "none"} and made["user"] == options()["user"]
    assert made["resource_limits"]["pids"] == {"limit": 9}
    assert (made["terminal"], made["stdin"]) == (True, False)


def test_podman__an_option_that_it_is_not_told_of__is_an_error_and_no_missing_wall() -> None:
    with pytest.raises(KeyError, match="shm_size"):
        specification({**options(), "shm_size": 1}, [])


def test_container__for_any_workload__has_no_privileges_network_or_writable_root() -> None:
    made = options()
    assert (made["network_mode"], made["read_only"], made["cap_drop"]) == ("none", True, ["ALL"])
    assert made["security_opt"] == ["no-new-privileges"] and made["pids_limit"] == 9
    assert made["mem_limit"] == made["memswap_limit"] == Limits().memory_bytes
    assert list(made["volumes"]) == ["/data/7/workspace"]
    assert not {"privileged", "devices", "cap_add", "pid_mode", "ipc_mode", "userns_mode"} & set(made)


@pytest.mark.parametrize("egress", [("internet",), ("data.example.org",)])
def test_container__that_may_reach_hosts__still_has_no_network_but_knows_the_proxy(egress: tuple[str, ...]) -> None:
    made = options(egress=egress)
    assert made["network_mode"] == "none"
    assert made["environment"]["https_proxy"] == "http://127.0.0.1:3128"
    assert "https_proxy" not in options()["environment"]


@pytest.mark.parametrize(
    ("image", "allowed"),
    [
        (None, True),
        ("docker.io/library/python:3.12", True),
        ("docker.io/library/bad:1", False),
        ("docker.io/evil/python:3.12", False),
        ("ghcr.io/library/python", False),
        ("../docker.io/library/x", False),
    ],
)
def test_policy__of_images__lets_run_what_is_allowed_and_not_denied(image: str | None, allowed: bool) -> None:
    policy = ImagePolicy("docker.io/library/python:3.12-slim", ("docker.io/library/*",), ("docker.io/library/bad*",))
    if allowed:
        assert policy.choose(image) == (image or policy.default)
    else:
        with pytest.raises(ProviderError, match="not allowed"):
            policy.choose(image)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            'runc create failed: unable to start container process: exec: "jupyter": executable file not found in $PATH'
            ": OCI runtime attempted to invoke",
            (127, "there is no 'jupyter' in the image"),
        ),
        ("no such image: x", (125, "no such image: x")),
    ],
)
def test_start_failure__engines_words__without_addresses_and_with_a_shells_code(
    told: str, expected: tuple[int, str]
) -> None:
    assert start_failure(APIError("409 Client Error for http+docker://localhost/v1.41/x", None, told)) == expected
    assert start_failure(OSError(told)) == expected
