"""The runtime that a setting names, or a clear refusal."""

from __future__ import annotations

from assay.provider.errors import RuntimeUnavailable
from assay.provider.runtime.bubblewrap import BubblewrapRuntime
from assay.provider.runtime.local import LocalRuntime
from assay.provider.runtime.workload import Runtime


def select_runtime(name: str, chain_id: int) -> Runtime:
    """A runtime that was found able to run workloads here. Raises RuntimeUnavailable."""
    if name == "local":
        runtime: Runtime = LocalRuntime(chain_id)
    elif name == "bubblewrap":
        runtime = BubblewrapRuntime()
    else:
        raise RuntimeUnavailable(f"no runtime {name!r} on this machine; on a local chain 'local' can be chosen")
    runtime.check()
    return runtime
