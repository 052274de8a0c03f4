"""What renters may do with their pods, done."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from assay.provider.errors import Conflict, NotFound
from assay.provider.images.pod_control import PodShown
from assay.provider.pods.lease_pods import LeasePods
from assay.provider.pods.pod import PodImage


class LeasePodControl:
    """`runs_until` says when a lease stops, 0 for one that does not run; `unsettled` are the leases that may still want
    their pod."""

    def __init__(
        self, pods: LeasePods, runs_until: Callable[[int], float], unsettled: Callable[[], Iterable[int]]
    ) -> None:
        self._pods = pods
        self._runs_until = runs_until
        self._unsettled = unsettled

    def set_image(self, lease_id: int, renter: str, image: PodImage) -> None:
        """What the lease's pod starts from. One that is there is made anew, with its workspace kept."""
        self._pods.book.note_image(lease_id, renter, image)
        if self._pods.book.renter(lease_id) not in (None, renter):
            raise Conflict(f"lease {lease_id} is another renter's now")
        engine, until = self._pods.pods, self._runs_until(lease_id)
        if engine.status(lease_id).state != "absent":
            engine.stop(lease_id, "made anew from another image")
            # Without its container's name it is made anew, though the image should be the same.
            engine.folders(lease_id).container.unlink(missing_ok=True)
        if until:
            self._pods.ready(lease_id, until)

    def show(self, lease_id: int, renter: str) -> PodShown:
        """The lease's pod, with what this renter chose for it."""
        chosen, engine = self._pods.book.image(lease_id, renter), self._pods.pods
        return PodShown(chosen, self._pods.share(lease_id), engine.status(lease_id), engine.address(lease_id))

    def restart(self, lease_id: int) -> None:
        """Ends everything in the pod and starts it again. Raises NotFound, Conflict for a lease that is over."""
        if self._pods.pods.status(lease_id).state == "absent":
            raise NotFound(f"lease {lease_id} has no pod yet")
        until = self._runs_until(lease_id)
        if not until:
            raise Conflict(f"lease {lease_id} does not run")
        self._pods.pods.stop(lease_id, "started again by its renter")
        self._pods.ready(lease_id, until)

    def image_ids(self) -> Collection[str]:
        """The images that pods are, or will be made of."""
        made = {spec.image.image_id for spec in self._pods.pods.specs().values()}
        chosen = (image for lease_id in self._unsettled() for image in self._pods.book.images(lease_id))
        return made | {image.image_id for image in chosen}
