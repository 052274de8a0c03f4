"""The HTTP proxy on a pod's loopback, where its provider lists what may be reached by name. Ends with the pod.

Arguments: the lease's folder and the pod's runtime folder; the list is in the first.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from assay.provider.pods.layout import PodFolders
from assay.provider.pods.processes.pod_process import first_process
from assay.provider.runtime.egress_proxy import PORT, serve_in_background
from assay.provider.runtime.egress_rules import EgressRules
from assay.provider.runtime.namespace_sockets import NamespaceSockets
from assay.provider.runtime.process_start import start_ticks

LOOK_S = 1.0
WAIT_S = 60.0


def main(folders: PodFolders) -> None:
    """Serves until the pod's first process is gone."""
    rules = EgressRules.parse(json.loads(folders.egress.read_text()))
    container, until, pid = folders.container.read_text().strip(), time.monotonic() + WAIT_S, None
    while pid is None and time.monotonic() < until:
        pid = first_process(folders.pid, container)
        time.sleep(0 if pid else 0.1)
    if pid is None:
        return
    sockets = NamespaceSockets(pid)
    try:
        serve_in_background(rules, sockets.listening(PORT))
    finally:
        sockets.close()
    while first_process(folders.pid, container) == pid:
        time.sleep(LOOK_S)


if __name__ == "__main__":
    if os.fork() == 0:
        found = PodFolders(Path(sys.argv[1]), Path(sys.argv[2]))
        record = {"pid": os.getpid(), "ticks": start_ticks(os.getpid())}
        (found.run / "keeper-way-out.json").write_text(json.dumps(record))
        main(found)
