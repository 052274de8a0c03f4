"""The runtime that a setting names, or a clear refusal."""

from __future__ import annotations

from dataclasses import dataclass, field

from assay.provider.errors import RuntimeUnavailable
from assay.provider.images.policy import ImagePolicy
from assay.provider.runtime.bubblewrap import BubblewrapRuntime
from assay.provider.runtime.container import ContainerRuntime, find_engine
from assay.provider.runtime.egress_rules import EgressRules
from assay.provider.runtime.local import LocalRuntime
from assay.provider.runtime.workload import Runtime


@dataclass(frozen=True)
class RuntimeChoice:
    """What to run workloads with. `engine` is an address of Docker's API; None looks for one."""

    name: str
    engine: str | None = None
    images: ImagePolicy = field(default_factory=ImagePolicy)
    egress: EgressRules = field(default_factory=EgressRules)


def select_runtime(choice: RuntimeChoice, chain_id: int) -> Runtime:
    """A runtime that was found able to run workloads here. Raises RuntimeUnavailable."""
    runtime: Runtime
    if choice.name != "container" and not choice.egress.closed:
        raise RuntimeUnavailable(f"the runtime {choice.name!r} lets nothing out: egress none, or choose 'container'")
    if choice.name == "local":
        runtime = LocalRuntime(chain_id)
    elif choice.name == "bubblewrap":
        runtime = BubblewrapRuntime()
    elif choice.name == "container":
        engine = choice.engine or find_engine()
        runtime = ContainerRuntime(engine, choice.images, choice.egress)
    else:
        raise RuntimeUnavailable(f"no runtime {choice.name!r}: choose container, bubblewrap or local")
    runtime.check()
    return runtime
