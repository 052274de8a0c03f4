"""The runtime `local`: plain processes of this machine. For local chains only: it does not isolate."""

from __future__ import annotations

from pathlib import Path

from assay.provider.errors import RuntimeUnavailable
from assay.provider.runtime.supervised import SupervisedRuntime

LOCAL_CHAIN_IDS = frozenset({1337, 31337})


class LocalRuntime(SupervisedRuntime):
    """Runs jobs as processes with resource limits. Files stay readable as far as permissions go."""

    name = "local"

    def __init__(self, chain_id: int) -> None:
        if chain_id not in LOCAL_CHAIN_IDS:
            raise RuntimeUnavailable(
                f"the runtime 'local' does not isolate workloads and refuses to run on chain {chain_id}; "
                "choose 'container' or 'bubblewrap'"
            )

    def check(self) -> None:
        """Raises RuntimeUnavailable without /proc."""
        if not Path("/proc/self/stat").exists():
            raise RuntimeUnavailable("the runtime 'local' needs Linux with /proc mounted")
