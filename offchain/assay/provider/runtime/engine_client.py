"""Connections to a container engine by Docker's API, without asking it for more than is needed: to tell its version,
Podman runs a dozen programs each time."""

from __future__ import annotations

import docker
import docker.constants
import docker.errors

PING_S = 10.0
_versions: dict[str, str] = {}


def connect(engine: str, timeout: float | None) -> docker.DockerClient:
    """A client of the engine at this address, in the version of its API that it named first. Raises
    docker.errors.DockerException."""
    if engine not in _versions:
        _versions[engine] = _asked(engine)
    return docker.DockerClient(base_url=engine, timeout=timeout, version=_versions[engine])


def is_podman(client: docker.DockerClient) -> bool:
    """Whether Podman answers this client."""
    return "libpod-api-version" in client.api.get(f"{client.api.base_url}/_ping").headers


def _asked(engine: str) -> str:
    client = docker.DockerClient(base_url=engine, timeout=PING_S, version=docker.constants.DEFAULT_DOCKER_API_VERSION)
    try:
        answer = client.api.get(f"{client.api.base_url}/_ping")
    except OSError as error:  # requests' errors are some, too
        raise docker.errors.DockerException(f"no answer: {error}") from error
    finally:
        client.close()
    told = str(answer.headers.get("Api-Version", ""))
    if not told:
        raise docker.errors.DockerException(f"no container engine answers there (HTTP {answer.status_code})")
    return told
