"""The system calls that a pod may make: the engine's own list, without what only widens the way into the kernel.

A root that may make user namespaces reaches most of the kernel's network and mount code with all capabilities in them.
Pods need none of it, so it stays shut, as do nested mounts, key rings and asynchronous rings.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from assay.provider.errors import RuntimeUnavailable

DEFAULTS = (Path("/usr/share/containers/seccomp.json"), Path("/etc/containers/seccomp.json"))
REFUSED = frozenset({
    "add_key", "bpf", "fsconfig", "fsmount", "fsopen", "fspick", "io_uring_enter", "io_uring_register",
    "io_uring_setup", "keyctl", "mount", "mount_setattr", "move_mount", "open_tree", "perf_event_open", "pivot_root",
    "request_key", "setns", "umount", "umount2", "userfaultfd",
})  # fmt: skip
NO_SUCH_CALL = frozenset({"clone3"})  # programs then take clone, whose flags can be looked at
NAMESPACES = 0x7E02_0000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
CLONE_NEWTIME = 0x80
EPERM, ENOSYS = 1, 38


def profile(default: dict[str, Any]) -> dict[str, Any]:
    """The pod's profile, from the engine's. Raises RuntimeUnavailable for one that allows what it does not name."""
    if default.get("defaultAction") == "SCMP_ACT_ALLOW":
        raise RuntimeUnavailable("the engine's seccomp profile allows everything: restore the one it came with")
    taken = REFUSED | NO_SUCH_CALL | {"clone", "unshare"}
    rules = []
    for rule in default["syscalls"]:
        names = [name for name in rule["names"] if name not in taken]
        if names:
            rules.append({**rule, "names": names})
    without = {"index": 0, "value": NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    no_time = {"index": 0, "value": NAMESPACES | CLONE_NEWTIME, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    rules += [
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [without]},
        {"names": ["unshare"], "action": "SCMP_ACT_ALLOW", "args": [no_time]},
        {"names": sorted(NO_SUCH_CALL), "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS, "args": []},
        {"names": sorted(REFUSED), "action": "SCMP_ACT_ERRNO", "errnoRet": EPERM, "args": []},
    ]
    return {**default, "defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules}


def write_profile(target: Path) -> None:
    """Writes the pod's profile. Raises RuntimeUnavailable where the engine has none to start from."""
    for path in DEFAULTS:
        if path.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_suffix(".partial")
            partial.write_text(json.dumps(profile(json.loads(path.read_text()))))
            partial.replace(target)
            return
    raise RuntimeUnavailable(f"no seccomp profile of the engine is at {DEFAULTS[0]}: install containers-common")
