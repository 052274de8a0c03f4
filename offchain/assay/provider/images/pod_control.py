"""What renters may do with the pods of their leases, as a narrow interface."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from assay.provider.pods.pod import HostShare, PodImage, PodStatus


@dataclass(frozen=True)
class PodShown:
    """A lease's pod: what it starts from, None while nothing was chosen, its share, how it stands, and where its
    renter's other pods on this host reach it, empty while it does not run."""

    image: PodImage | None
    share: HostShare | None
    status: PodStatus
    address: str = ""


class PodControl(Protocol):
    """Which pod each lease has, kept over restarts. Calls block and may be made from any thread."""

    def set_image(self, lease_id: int, renter: str, image: PodImage) -> None:
        """What the lease's pod starts from if the lease is this renter's, also before it runs. A pod that is there is
        made anew from it, with its workspace kept. Raises ProviderError."""

    def show(self, lease_id: int, renter: str) -> PodShown:
        """The lease's pod, with what this renter chose for it."""

    def restart(self, lease_id: int) -> None:
        """Ends everything in the pod and starts it again, with all its files. Raises NotFound where there is none."""

    def image_ids(self) -> Collection[str]:
        """The images that pods are, or will be made of."""
