"""A pod's interface to the others of its cluster: packets that it sends are read here, and what is written arrives."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from assay.provider.clusters import tun_program
from assay.provider.errors import RuntimeUnavailable
from assay.provider.pods.network import CLUSTER_NETWORK, within

INTERFACE = "nodes0"
MTU = 32_000  # few and large: every packet is handled one by one here
QUEUE = 64
START_S = 15.0


def open_device(pid: int, address: str) -> int:
    """A descriptor of the interface in the network of a pod's process, with its address. Blocks. Raises
    RuntimeUnavailable, CommandFailed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        ours.settimeout(START_S)
        command = [sys.executable, "-I", "-S", str(Path(tun_program.__file__)), str(theirs.fileno())]
        with theirs:
            process = subprocess.Popen(  # noqa: S603
                [*command, str(pid), INTERFACE], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env={}
            )
        try:
            answer, handles, _, _ = socket.recv_fds(ours, 256, 1)
        except OSError as error:
            raise RuntimeUnavailable(f"no interface for a pod's cluster: {error}") from error
        finally:
            process.kill()
            process.wait()
    if not handles:
        said = answer.decode(errors="replace") or "the program that makes it ended"
        raise RuntimeUnavailable(f"no interface for a pod's cluster: {said} (the kernel's driver tun is needed)")
    batch = (
        f"address replace {address}/{CLUSTER_NETWORK.prefixlen} dev {INTERFACE}\n"
        f"link set {INTERFACE} mtu {MTU} txqueuelen {QUEUE} up\n"
    )
    try:
        within(pid, "ip", "-batch", "-", stdin=batch)
    except BaseException:
        os.close(handles[0])
        raise
    return handles[0]
