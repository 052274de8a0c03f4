"""The systemd unit of a provider."""

from __future__ import annotations

from pathlib import Path

NAME = "assay-provider.service"
USER = "assay"
DATA_DIR = Path("/var/lib/assay/provider")
ENVIRONMENT = Path("/etc/assay/provider.env")
PROGRAM = Path("/opt/assay/.venv/bin/assay")

_HEAD = """\
# One provider. `assay provider install` writes this unit with the host's own paths; then:
#   systemctl enable --now assay-provider
[Unit]
Description=Assay provider
Documentation=file:///opt/assay/source/docs/how-to/provider.md
Wants=network-online.target podman.socket
After=network-online.target time-sync.target podman.socket

[Service]
Type=exec
User={user}
Group={user}
EnvironmentFile={environment}
ExecStart={program} provider run
# SIGTERM ends it in good order. Jobs, pods and their supervisors outlive it, and end with their leases.
KillSignal=SIGTERM
KillMode=process
TimeoutStopSec=30
Restart=always
RestartSec=5
LimitNOFILE=65536
TasksMax=infinity
OOMPolicy=continue
UMask=0077
LockPersonality=yes
RestrictRealtime=yes
SystemCallArchitectures=native
"""
# Leases' disks are mounted where the container engine must see them: nothing may give the service mounts of its own.
_AS_ROOT = """\
# Root, for leases' disks and pods; without what neither needs.
CapabilityBoundingSet=~CAP_SYS_MODULE CAP_SYS_BOOT CAP_SYS_TIME CAP_SYSLOG CAP_WAKE_ALARM CAP_MAC_ADMIN CAP_MAC_OVERRIDE
CapabilityBoundingSet=~CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_BLOCK_SUSPEND CAP_LINUX_IMMUTABLE CAP_SYS_PACCT
"""
# bubblewrap makes user namespaces: RestrictNamespaces and NoNewPrivileges' seccomp filters would forbid them.
_AS_USER = """\
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths={data_dir}
ProtectHome=read-only
PrivateTmp=yes
CapabilityBoundingSet=
AmbientCapabilities=
RestrictSUIDSGID=yes
"""
_TAIL = """\

[Install]
WantedBy=multi-user.target
"""


def unit_text(
    *, as_root: bool, program: Path = PROGRAM, data_dir: Path = DATA_DIR, environment: Path = ENVIRONMENT
) -> str:
    """The unit: as root where the runtime is `container`, else as a user without any right."""
    text = _HEAD + (_AS_ROOT if as_root else _AS_USER) + _TAIL
    return text.format(user="root" if as_root else USER, program=program, data_dir=data_dir, environment=environment)
