"""What renters measured inside their leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None
NUMBERS = (
    "checked_at", "gpus", "score_gops", "memory_mib", "host_cores", "host_memory_mib", "host_disk_mib",
    "disk_read_mbs", "disk_write_mbs", "network_up_mbps", "network_down_mbps", "bf16_tflops", "bandwidth_gbs",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "checks",
        sa.Column("lease_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("renter", sa.String(length=42), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in NUMBERS),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("lease_id", name=op.f("pk_checks")),
    )


def downgrade() -> None:
    op.drop_table("checks")
