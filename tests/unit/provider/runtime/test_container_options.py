"""How containers are asked for: the same walls for jobs and shells, GPUs as Docker's API takes them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError
from docker.types import HostConfig

from assay.provider.errors import ProviderError
from assay.provider.images.policy import ImagePolicy
from assay.provider.runtime.container import ContainerRuntime, is_stray
from assay.provider.runtime.container_options import (
    MAX_NPROC,
    VolumesRefused,
    container_options,
    device_requests,
    image_volumes,
)
from assay.provider.runtime.container_supervisor import start_failure
from assay.provider.runtime.egress_rules import EgressRules
from assay.provider.runtime.podman_devices import specification
from assay.provider.runtime.process_start import start_ticks
from assay.provider.runtime.workload import Limits, Workload


def made_for(
    gpus: tuple[str, ...] = (),
    egress: tuple[str, ...] = ("none",),
    command: tuple[str, ...] = ("true",),
    folder: str = "/data/7/workspace",
) -> dict[str, Any]:
    runtime = ContainerRuntime("unix:///none", ImagePolicy(), EgressRules.parse(egress))
    folders = Path(folder), Path("/data/7/jobs/j1")
    return runtime.specification(Workload("j1", 7, command, *folders, 0.0, Limits(processes=9), gpus=gpus))


def options(**fields: Any) -> dict[str, Any]:
    return container_options(made_for(**fields))


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
    assert [(one["Type"], one["Source"], one["Target"]) for one in made["mounts"]] == [
        ("bind", "/data/7/workspace", "/workspace")
    ]
    assert "volumes" not in made
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
        with pytest.raises(ProviderError, match=r"not allowed|not a host name"):
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


def test_container__of_an_image_with_an_entry_point__runs_the_jobs_program_in_its_place() -> None:
    made = options(command=("python3", "train.py", "--fast"))
    assert (made["entrypoint"], made["command"]) == (["python3"], ["train.py", "--fast"])
    told = specification(made, [])
    assert (told["entrypoint"], told["command"]) == (["python3"], ["train.py", "--fast"])


def test_container__folder_with_colons_spaces_and_percents__is_mounted_whole() -> None:
    made = options(folder="/da:ta/50% of it/ro,z/7/workspace")
    assert made["mounts"][0]["Source"] == "/da:ta/50% of it/ro,z/7/workspace"
    assert specification(made, [])["mounts"][0]["source"] == "/da:ta/50% of it/ro,z/7/workspace"


def test_container__of_any_lease__is_held_by_its_own_count_of_processes_and_not_by_the_users() -> None:
    made = options()
    assert made["pids_limit"] == 9
    assert min([one["Hard"] for one in made["ulimits"] if one["Name"] == "nproc"], default=MAX_NPROC) > 1000


def test_image__with_volumes__has_them_in_memory_within_the_jobs_limits() -> None:
    places = image_volumes(["/data", "/var/lib/x/", "/tmp", "/workspace"])
    assert places == ["/data", "/var/lib/x"]
    made = container_options({**made_for(), "image_volumes": places})
    assert set(made["tmpfs"]) == {"/tmp", "/data", "/var/lib/x"}
    assert all(how.startswith(f"size={64 << 20},") for how in made["tmpfs"].values())


@pytest.mark.parametrize(
    "declared", [["/"], ["/.."], ["data"], ["/workspace/data"], ["/a/../workspace/x"], [f"/v{n}" for n in range(17)]]
)
def test_image__with_volumes_elsewhere_or_too_many__is_refused(declared: list[str]) -> None:
    with pytest.raises(VolumesRefused, match="volume"):
        image_volumes(declared)


LEASES = Path("/data/leases")


@pytest.mark.parametrize(
    ("labels", "may_run", "expected"),
    [
        ({}, True, False),
        ({"assay.workspace": "/data/leases/7/workspace", "assay.keeper": "OURS"}, True, False),
        ({"assay.workspace": "/data/leases/7/workspace", "assay.keeper": "OURS"}, False, True),
        ({"assay.workspace": "/data/leases/7/workspace", "assay.keeper": "1:99999999999"}, True, True),
        ({"assay.workspace": "/data/leases/7/workspace", "assay.keeper": "x"}, True, True),
        ({"assay.workspace": "/data/leases/7/workspace"}, True, True),
        ({"assay.workspace": "/other/leases/7/workspace"}, False, False),
        ({"assay.workspace": "/data/leases/x/workspace"}, False, False),
    ],
)
def test_stray__container_by_its_labels__is_one_of_ours_without_lease_or_keeper(
    labels: dict[str, str], may_run: bool, expected: bool
) -> None:
    ours = f"{os.getpid()}:{start_ticks(os.getpid())}"
    asked: list[int] = []

    def runs(lease_id: int) -> bool:
        asked.append(lease_id)
        return may_run

    assert is_stray({name: text.replace("OURS", ours) for name, text in labels.items()}, LEASES, runs) is expected
    assert set(asked) <= {7}
