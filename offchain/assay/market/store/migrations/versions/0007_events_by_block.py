"""Which accounts and leases the events of a block name, so that old blocks' can be dropped."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
TABLES = ("event_parties", "lease_events")


def upgrade() -> None:
    for table in TABLES:
        op.create_index(op.f(f"ix_{table}_block"), table, ["block"])


def downgrade() -> None:
    for table in TABLES:
        op.drop_index(op.f(f"ix_{table}_block"), table_name=table)
