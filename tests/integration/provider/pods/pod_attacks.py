"""Run as root inside a pod: tries each way out, and prints what came of it as JSON. Standard library only."""
# ruff: noqa: PTH102, PTH123, PTH208

import ctypes
import json
import os
import signal
import socket
import struct

libc = ctypes.CDLL(None, use_errno=True)
results = {}


def attempt(name, act):
    """Notes whether an attempt was refused, and how."""
    try:
        results[name] = f"DONE: {str(act())[:80]}"
    except (OSError, ValueError) as error:
        results[name] = f"refused: {getattr(error, 'errno', '') or error}"


def call(result):
    """Raises OSError for a failed call of libc."""
    if result < 0:
        raise OSError(ctypes.get_errno(), "failed")
    return result


def write(path, text=b"1"):
    """Into what is there: a file of one's own making beside it is no way out."""
    handle = os.open(path, os.O_WRONLY)
    os.write(handle, text)
    return path


def read(path):
    with open(path, "rb") as file:
        return file.read(64) or (_ for _ in ()).throw(ValueError("empty"))


def device(path, kind, major, minor):
    """A device node, made and opened."""
    os.mknod(path, kind | 0o666, os.makedev(major, minor))
    return os.open(path, os.O_RDWR)


def in_child(act):
    """What a child of this process achieves, which it does not survive."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write_end, f"DONE {act()}".encode())
        except (OSError, ValueError) as error:
            os.write(write_end, str(getattr(error, "errno", error)).encode())
        os._exit(0)
    os.close(write_end)
    told = os.read(read_end, 100).decode()
    os.waitpid(child, 0)
    if not told.startswith("DONE"):
        raise ValueError(told)
    return told


def every_process():
    """Numbers of processes that are not of this pod's: there are none to be seen."""
    found = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    strange = [pid for pid in found if pid > 1 << 15]
    return strange or (_ for _ in ()).throw(ValueError(f"only {len(found)} of our own"))


def netlink_route(kind, body):
    """Asks the kernel to change this pod's network."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as made:
        made.send(struct.pack("=IHHII", 16 + len(body), kind, 5, 1, 0) + body)
        error = struct.unpack_from("=i", made.recv(4096), 16)[0]
        if error:
            raise OSError(-error, "refused")
        return "changed"


CLONE = {"user": 0x10000000, "net": 0x40000000, "mount": 0x00020000, "pid": 0x20000000, "cgroup": 0x02000000}

attempt("mount a file system", lambda: call(libc.mount(b"none", b"/mnt", b"tmpfs", 0, None)))
attempt("mount proc anew", lambda: call(libc.mount(b"proc", b"/tmp", b"proc", 0, None)))
attempt("bind over a masked file", lambda: call(libc.mount(b"/etc", b"/proc/sys", None, 4096, None)))
attempt("remount sysfs to write", lambda: call(libc.mount(b"none", b"/sys", None, 32, None)))
attempt("new mount api", lambda: call(libc.syscall(430, b"tmpfs", 0)))
attempt("pivot root", lambda: call(libc.syscall(155, b"/", b"/tmp")))
attempt("trace a process of the host", lambda: call(libc.ptrace(16, 1 << 21, 0, 0)))
attempt("see processes of the host", every_process)
attempt("load a module", lambda: call(libc.syscall(175, b"", 0, b"")))
attempt("load a module from a file", lambda: call(libc.syscall(313, 0, b"", 0)))
attempt("load another kernel", lambda: call(libc.syscall(246, 0, 0, None, 0)))
attempt("bpf", lambda: call(libc.syscall(321, 0, ctypes.create_string_buffer(128), 128)))
attempt("io_uring", lambda: call(libc.syscall(425, 8, ctypes.create_string_buffer(256))))
attempt("userfaultfd", lambda: call(libc.syscall(323, 1)))
attempt("performance events", lambda: call(libc.syscall(298, ctypes.create_string_buffer(128), 0, -1, -1, 0)))
attempt("kernel log", lambda: call(libc.klogctl(3, ctypes.create_string_buffer(4096), 4096)))
attempt("keys of the host", lambda: call(libc.syscall(250, 0, -4, 1)))
for kind, flag in CLONE.items():
    attempt(f"unshare {kind} namespace", lambda flag=flag: in_child(lambda: call(libc.unshare(flag))))
    attempt(
        f"clone into {kind} namespace",
        lambda flag=flag: in_child(lambda: call(libc.syscall(56, flag | signal.SIGCHLD, 0, 0, 0, 0))),
    )
attempt("clone3", lambda: call(libc.syscall(435, ctypes.create_string_buffer(88), 88)))
attempt("join a namespace", lambda: call(libc.setns(os.open("/proc/self/ns/user", os.O_RDONLY), 0)))
attempt("open by handle", lambda: call(libc.syscall(304, -100, ctypes.create_string_buffer(128), 0)))
attempt("make a disk node", lambda: device("/tmp/disk", 0o60000, 254, 0))
attempt("make a loop node", lambda: device("/workspace/loop", 0o60000, 7, 0))
attempt("make a memory node", lambda: device("/tmp/memory", 0o20000, 1, 1))
for path in ("/dev/mem", "/dev/vda", "/dev/loop0", "/dev/loop-control", "/dev/fuse", "/dev/kmsg", "/dev/net/tun"):
    attempt(f"open {path}", lambda path=path: read(path))
for path in (
    "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches",
    "/proc/sys/net/ipv4/ip_forward", "/proc/sys/user/max_user_namespaces", "/proc/irq/0/smp_affinity",
    "/sys/kernel/uevent_helper", "/sys/power/state", "/sys/class/net/eth0/mtu", "/proc/self/uid_map",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/devices/devices.allow", "/sys/fs/cgroup/cgroup.procs",
    "/sys/fs/cgroup/pids/release_agent", "/run/assay/ends-at", "/run/assay-init",
):  # fmt: skip
    attempt(f"write {path}", lambda path=path: write(path))
for path in ("/proc/kcore", "/proc/keys", "/sys/firmware/dmi/tables/DMI", "/proc/1/root/../../root/.bashrc"):
    attempt(f"read {path}", lambda path=path: read(path))
attempt("plant a tool", lambda: os.open("/run/assay/planted", os.O_WRONLY | os.O_CREAT))
attempt("make a control group", lambda: os.mkdir("/sys/fs/cgroup/pids/mine") or "made")
attempt("raise the limit on files", lambda: __import__("resource").setrlimit(7, (1 << 20, 1 << 20)))
attempt("dump memory", lambda: __import__("resource").setrlimit(4, (1 << 20, 1 << 20)))
attempt("higher priority", lambda: os.nice(-5))
attempt("set the clock", lambda: call(libc.settimeofday(ctypes.create_string_buffer(16), None)))
attempt("reboot", lambda: call(libc.reboot(0x89ABCDEF)))
attempt("host's name", lambda: call(libc.sethostname(b"x", 1)))
attempt("raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
attempt("packet socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3))
attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM).connect((2, 22)))
own = socket.if_nametoindex("eth0")
attempt("own interface down", lambda: netlink_route(16, struct.pack("=BBHiII", 0, 0, 0, own, 0, 1)))
attempt(
    "another address", lambda: netlink_route(20, struct.pack("=BBBBIHH4s", 2, 32, 0, 0, own, 8, 2, b"\x0a\xd5\0\x09"))
)
attempt("no limit on bandwidth", lambda: netlink_route(37, struct.pack("=BBHiIII", 0, 0, 0, own, 0, 0xFFFFFFFF, 0)))
attempt("another route", lambda: netlink_route(24, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 4, 0, 1, 0)))
attempt("a socket of the engine", lambda: socket.socket(socket.AF_UNIX).connect("/run/podman/podman.sock"))
attempt("an abstract socket of the host", lambda: socket.socket(socket.AF_UNIX).connect("\0assay-host-socket"))
print(json.dumps(results))
