"""A look at the card between rounds: gone, or too hot to go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.proof.errors import DeviceLost

_MARGIN_C = 3  # degrees below the card's own shutdown


@dataclass(frozen=True, slots=True)
class Health:
    """Temperatures in degrees Celsius; `read` is None where nothing can be read."""

    read: Callable[[], int] | None
    limit: int

    @classmethod
    def of_card(cls, uuid: str | None) -> Health:
        """NVML's view of a card; without NVML no check."""
        if uuid is None:
            return cls(None, 0)
        import pynvml as nvml

        try:
            nvml.nvmlInit()
            handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
            if uuid.startswith("MIG-"):  # a slice has no sensor of its own
                handle = nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle)
            limit = nvml.nvmlDeviceGetTemperatureThreshold(handle, nvml.NVML_TEMPERATURE_THRESHOLD_SHUTDOWN)
        except nvml.NVMLError:
            return cls(None, 0)

        def read() -> int:
            try:
                return int(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
            except nvml.NVMLError as error:
                raise DeviceLost(f"the GPU stopped answering: {error}; no commitment was made") from None

        return cls(read, int(limit) - _MARGIN_C)

    def check(self) -> None:
        """Raises DeviceLost when the card is gone or too hot."""
        if self.read is None:
            return
        temperature = self.read()
        if temperature >= self.limit:
            raise DeviceLost(
                f"the GPU is at {temperature} °C, {self.limit} °C is its limit: cool it; no commitment was made"
            )
