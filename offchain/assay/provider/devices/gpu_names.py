"""Which GPUs the jobs of a lease get: those of its own devices, and no other lease's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from assay.provider.errors import BadProviderSetting


class GpuNames:
    """CDI names by device."""

    def __init__(self, names: dict[bytes, tuple[str, ...]]) -> None:
        self._names = names

    @classmethod
    def parse(cls, entries: Sequence[str], device_ids: Collection[bytes]) -> GpuNames:
        """`entries` are DEVICE:NAME, DEVICE being a device id or its beginning and NAME such as nvidia.com/gpu=0; NAME
        alone will do where one device is served. Raises BadSetting.
        """
        found: dict[bytes, tuple[str, ...]] = {}
        for entry in entries:
            beginning, _, name = entry.partition(":") if entry.lower().startswith("0x") else ("", "", entry)
            meant = [one for one in device_ids if ("0x" + one.hex()).startswith(beginning.lower())]
            if not name:
                raise BadProviderSetting(
                    f"container_gpus {entry!r}: expected DEVICE:NAME, such as 0xab12cd:nvidia.com/gpu=0"
                )
            if len(meant) != 1:
                raise BadProviderSetting(
                    f"container_gpus {entry!r}: {len(meant)} of the {len(device_ids)} devices served here are meant; "
                    "write DEVICE:NAME, so that each lease gets its own cards and no other's"
                )
            found[meant[0]] = (*found.get(meant[0], ()), name)
        given = [name for names in found.values() for name in names]
        if twice := sorted({name for name in given if given.count(name) > 1}):
            raise BadProviderSetting(f"container_gpus: {twice[0]} stands for more than one device, or twice")
        return cls(found)

    def of(self, device_ids: Iterable[bytes]) -> tuple[str, ...]:
        """The names for a lease of these devices, in their order."""
        return tuple(name for device_id in device_ids for name in self._names.get(device_id, ()))
