"""Which pulled images stay, and which go when there is no room: least recently used first, never one in use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects.sqlite import insert

from assay.provider.database import images
from assay.provider.images.engine_images import HeldImage

UNPACKED = 3  # how much an image grows at most, in what we saw of ordinary ones: text and machine code halve or third


@dataclass(frozen=True)
class ImageRoom:
    """What the engine's disk and the cache leave. `free` of the disk, of which `reserve` is not to be touched; `used`
    by pulled images, of at most `bound`. Bytes."""

    free: int
    used: int
    bound: int
    reserve: int

    def lacking(self, need: int) -> int:
        """How much has to go before `need` more fits; 0 where it does."""
        return max(0, need + self.reserve - self.free, self.used + need - self.bound)


def to_remove(
    held: Iterable[HeldImage], used_at: Callable[[str], float], in_use: Collection[str], lacking: int
) -> list[HeldImage]:
    """Pulled images that go so that `lacking` bytes come free, the longest unused first; all that may go where that is
    not enough."""
    removed: list[HeldImage] = []
    candidates = [one for one in held if one.cached and one.image_id not in in_use]
    for one in sorted(candidates, key=lambda one: used_at(one.image_id)):
        if lacking <= 0:
            break
        removed.append(one)
        lacking -= one.bytes
    return removed


class ImageUses:
    """When each pulled image was last used, and whether anybody may have it: kept over restarts."""

    def __init__(self, database: Engine, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def note(self, image_id: str, reference: str, public: bool) -> None:
        """An image is used now. One that was ever shown without a login stays public."""
        values = {"image_id": image_id, "reference": reference, "used_at": self._clock(), "public": int(public)}
        kept = {"reference": reference, "used_at": values["used_at"], **({"public": 1} if public else {})}
        with self._database.begin() as connection:
            connection.execute(
                insert(images).values(values).on_conflict_do_update(index_elements=["image_id"], set_=kept)
            )

    def used_at(self, image_id: str) -> float:
        """Seconds since 1970; 0 for one that was never seen used."""
        with self._database.connect() as connection:
            found = connection.execute(select(images.c.used_at).where(images.c.image_id == image_id)).scalar()
        return float(found or 0)

    def public(self, reference: str) -> str | None:
        """The image that a registry last showed everybody under this reference."""
        with self._database.connect() as connection:
            query = select(images.c.image_id).where(images.c.reference == reference, images.c.public == 1)
            found = connection.execute(query.order_by(images.c.used_at.desc())).scalar()
        return None if found is None else str(found)

    def forget(self, image_id: str) -> None:
        """It is gone."""
        with self._database.begin() as connection:
            connection.execute(delete(images).where(images.c.image_id == image_id))
