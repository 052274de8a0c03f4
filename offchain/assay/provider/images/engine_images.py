"""The images of an engine, Docker's or Podman's, over Docker's API. Calls block."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests

from assay.provider.errors import ImageRefused, Unavailable
from assay.provider.images.policy import CACHE_NAME
from assay.provider.runtime.engine_client import connect, is_podman

SHOWN = 300
ID = "sha256:"


@dataclass(frozen=True)
class HeldImage:
    """An image that an engine has: its id, what it takes on the disk, and the names it is known by."""

    image_id: str
    bytes: int
    names: tuple[str, ...]

    @property
    def cached(self) -> bool:
        """Whether it was pulled by us, and so is ours to remove."""
        return any(name.startswith(f"{CACHE_NAME}:") for name in self.names)


class PullCall:
    """A pull that an engine is at, to be broken off from another thread."""

    def __init__(self) -> None:
        self._answer: requests.Response | None = None
        self._lock = threading.Lock()
        self.broken_off = False

    def began(self, answer: requests.Response) -> None:
        """The engine answers."""
        with self._lock:
            self._answer = answer
            if self.broken_off:
                self._end()

    def break_off(self) -> None:
        """Ends whoever reads the engine's answer, and closes the connection: that tells the engine."""
        with self._lock:
            self.broken_off = True
            self._end()

    def _end(self) -> None:
        if self._answer is not None:
            # Not close(): that waits for the reader, who waits for an engine that may say nothing for long.
            with contextlib.suppress(RuntimeError):  # it is at its end already
                self._answer.raw.shutdown()


class EngineImages:
    """`engine` is the address of its API. Raises Unavailable where it does not answer."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._folder: Path | None = None

    def find(self, name: str) -> HeldImage | None:
        """An image by its name or id."""
        with self._client() as client:
            try:
                return _held(client.api.inspect_image(name))
            except docker.errors.ImageNotFound:
                return None

    def all(self) -> list[HeldImage]:
        """Every image."""
        with self._client() as client:
            return [_held(one) for one in client.api.images(all=False)]

    def in_use(self) -> frozenset[str]:
        """Ids of the images that containers stand on, running or not."""
        with self._client() as client:
            return frozenset(_id(str(one.get("ImageID", ""))) for one in client.api.containers(all=True))

    def free_bytes(self) -> int:
        """Room where the engine keeps images."""
        if self._folder is None:
            # Once, as above.
            with self._client() as client:
                self._folder = Path(client.info()["DockerRootDir"])
        try:
            return shutil.disk_usage(self._folder).free
        except OSError as error:
            raise Unavailable(f"the engine's folder {self._folder} cannot be looked at: {error.strerror}") from None

    def pull(self, reference: str, call: PullCall) -> None:
        """Has the engine pull from a registry on loopback, until `call` is broken off. Raises ImageRefused in the
        engine's words."""
        with self._client(timeout=None) as client:
            try:
                for line in _pull_lines(client, reference, call):
                    if error := line.get("error"):
                        raise ImageRefused(f"the engine does not take it: {str(error)[:SHOWN]}")
                if call.broken_off:
                    raise Unavailable("the pull was broken off")
            except (AttributeError, ValueError, OSError, requests.RequestException) as error:
                # What a connection that is closed while it is read comes to is up to the library.
                if not call.broken_off:
                    raise
                raise Unavailable("the pull was broken off") from error

    def keep(self, pulled: str, name: str) -> HeldImage:
        """Gives what was pulled its name here, and takes the one away that it was pulled by."""
        with self._client() as client:
            repository, _, tag = name.rpartition(":")
            client.api.tag(pulled, repository, tag)
            client.api.remove_image(pulled, noprune=True)
            return _held(client.api.inspect_image(name))

    def remove(self, image: HeldImage) -> bool:
        """Whether it went: one that a container stands on stays."""
        with self._client() as client:
            try:
                for name in image.names:
                    client.api.remove_image(name)
            except docker.errors.ImageNotFound:
                return True
            except docker.errors.APIError as error:
                if error.status_code == 409:
                    return False
                raise
        return True

    def remove_name(self, name: str) -> None:
        """Takes a name away, and with its last name an image."""
        with self._client() as client, contextlib.suppress(docker.errors.ImageNotFound):
            client.api.remove_image(name)

    @contextlib.contextmanager
    def _client(self, timeout: float | None = 30.0) -> Iterator[docker.DockerClient]:
        try:
            client = connect(self._engine, timeout)
        except docker.errors.DockerException as error:
            raise Unavailable(f"the container engine does not answer: {str(error)[:SHOWN]}") from None
        try:
            yield client
        except docker.errors.DockerException as error:
            raise Unavailable(f"the container engine: {str(error)[:SHOWN]}") from None
        except (requests.RequestException, OSError) as error:
            raise Unavailable(f"the container engine does not answer: {str(error)[:SHOWN]}") from None
        finally:
            client.close()


def _pull_lines(client: docker.DockerClient, reference: str, call: PullCall) -> Iterator[dict[str, Any]]:
    """What the engine says of a pull. Podman takes plain http only over its own API, Docker always on loopback."""
    api = client.api
    podman = f"{api.base_url}/v4.0.0/libpod/images/pull"
    if is_podman(client):
        parameters = {"reference": reference, "tlsVerify": "false", "policy": "always"}
        answer = api.post(podman, params=parameters, stream=True, timeout=None)
    else:
        repository, _, tag = reference.rpartition(":")
        url = f"{api.base_url}/v{api._version}/images/create"
        answer = api.post(url, params={"fromImage": repository, "tag": tag}, stream=True, timeout=None)
    call.began(answer)
    try:
        if not answer.ok:
            yield {"error": answer.text}
            return
        for line in answer.iter_lines():
            with contextlib.suppress(ValueError):
                said = json.loads(line)
                if isinstance(said, dict):
                    yield said
    finally:
        answer.close()


def _held(entry: dict[str, Any]) -> HeldImage:
    return HeldImage(_id(str(entry["Id"])), int(entry.get("Size") or 0), tuple(entry.get("RepoTags") or ()))


def _id(text: str) -> str:
    return text if text.startswith(ID) else f"{ID}{text}"
