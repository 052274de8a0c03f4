"""Run inside a workload: tries to get out, and prints what came of each attempt as JSON. Standard library only.

Argument: JSON with `files` and `addresses` that must be out of reach, and how many `processes` there may be.
"""
# ruff: noqa: PTH123, PTH112, PTH208, PTH108, SIM115

import ctypes
import json
import os
import signal
import socket
import sys

asked = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
results = {}


def attempt(name, act):
    """Notes whether an attempt was refused, and how."""
    try:
        done = act()
        results[name] = f"DONE: {str(done)[:80]}"
    except (OSError, PermissionError, KeyError, ValueError) as error:
        results[name] = f"refused: {type(error).__name__} {getattr(error, 'errno', '')}"


def call(number_of_bytes_or_result):
    """Raises OSError for a failed call of libc."""
    if number_of_bytes_or_result < 0:
        raise OSError(ctypes.get_errno(), "failed")
    return number_of_bytes_or_result


def write(path):
    with open(path, "w") as file:
        file.write("x")
    return path


def read(path):
    if os.path.isdir(path):
        return os.listdir(path)
    with open(path, "rb") as file:
        return file.read(64)


def connect(address, port):
    socket.create_connection((address, port), 2).close()
    return address


def fork_until_refused(most):
    """Every fork is a process that waits; more than `most` of them would be an escape from the limit."""
    children = []
    try:
        for _ in range(2 * most):
            child = os.fork()
            if child == 0:
                signal.pause()
            children.append(child)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return len(children)


def fill(path, total):
    """Writes until it is refused."""
    try:
        with open(path, "wb") as file:
            for _ in range(total >> 20):
                file.write(bytes(1 << 20))
    finally:
        os.unlink(path)
    return total


for path in asked["files"]:
    attempt(f"read {path}", lambda path=path: read(path))
for path in (
    "/root", "/home", "/etc/shadow", "/var/run/docker.sock", "/run/podman/podman.sock", "/run/podman/io.podman",
    "/dev/mem", "/dev/kmem", "/dev/sda", "/dev/vda", "/dev/loop0", "/proc/kcore", "/proc/1/root/root",
    "/proc/sysrq-trigger", "/sys/firmware/efi",
):  # fmt: skip
    attempt(f"read {path}", lambda path=path: read(path) or (_ for _ in ()).throw(ValueError("empty")))
for path in (
    "/planted", "/bin/planted", "/etc/passwd", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname",
    "/proc/self/oom_score_adj_", "/sys/fs/cgroup/planted", "/sys/kernel/uevent_helper", "/dev/planted",
):  # fmt: skip
    attempt(f"write {path}", lambda path=path: write(path))
for address, port in asked["addresses"]:
    attempt(f"connect {address}:{port}", lambda address=address, port=port: connect(address, port))
attempt("resolve a name", lambda: socket.getaddrinfo("example.org", 80))
attempt("raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
attempt("packet socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
attempt("become root", lambda: os.setuid(0))
attempt("root's group", lambda: os.setgroups([0]))
attempt("change root", lambda: os.chroot("/tmp"))
attempt("mount", lambda: call(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)))
attempt("remount root", lambda: call(libc.mount(b"none", b"/", None, 32, None)))
attempt("make a device", lambda: os.mknod("/tmp/device", 0o60666, os.makedev(7, 0)))
attempt("new namespaces", lambda: call(libc.unshare(0x00020000)))
attempt("host's name", lambda: call(libc.sethostname(b"x", 1)))
attempt("set the clock", lambda: call(libc.settimeofday(ctypes.create_string_buffer(16), None)))
attempt("load a module", lambda: call(libc.syscall(175, b"", 0, b"")))
attempt("reboot", lambda: call(libc.reboot(0x89ABCDEF)))
attempt("trace the first process", lambda: call(libc.ptrace(16, 1, 0, 0)) if os.getpid() != 1 else call(-1))
attempt("higher priority", lambda: os.nice(-5))
attempt("more processes", lambda: fork_until_refused(asked["processes"]))
attempt("more files", lambda: [open("/dev/null") for _ in range(5000)])
attempt("fill /tmp", lambda: fill("/tmp/big", 256 << 20))
attempt("fill shared memory", lambda: fill("/dev/shm/big", 256 << 20))
print(json.dumps(results))
