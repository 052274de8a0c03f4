"""What providers have done so far, and how sure a reliability is. Listings are worked out anew, as in 0009."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None
COUNTS = ("since", "devices", "active", "slashed", "leases", "ended_by_renter", "ended_by_provider")
NUMBERS = ("measured_epochs", "reliability_low_bps", "provider_slashes")
OF_DEVICES = """
    INSERT INTO providers (provider, since, devices, active, slashed, leases, ended_by_renter, ended_by_provider)
    SELECT provider, MIN(enrolled_at), COUNT(*), SUM(CASE WHEN status = 1 THEN 1 ELSE 0 END),
           SUM(CASE WHEN status = 3 THEN 1 ELSE 0 END), 0, 0, 0
    FROM devices WHERE provider IS NOT NULL GROUP BY provider
"""
OF_LEASES = """
    UPDATE providers SET
        leases = (SELECT COUNT(*) FROM leases l WHERE l.provider = providers.provider AND l.start > 0),
        ended_by_renter =
            (SELECT COUNT(*) FROM leases l WHERE l.provider = providers.provider AND l.ended_by = l.renter),
        ended_by_provider =
            (SELECT COUNT(*) FROM leases l WHERE l.provider = providers.provider AND l.ended_by <> l.renter)
"""


def upgrade() -> None:
    op.create_table(
        "providers",
        sa.Column("provider", sa.String(length=42), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in COUNTS),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_providers")),
    )
    op.execute(OF_DEVICES)
    op.execute(OF_LEASES)
    with op.batch_alter_table("listings", schema=None) as batch_op:
        for name in NUMBERS:
            batch_op.add_column(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("rank_rate", sa.String(length=39), nullable=True))
    for name in ("listings", "facet_counts", "undo"):
        op.execute(sa.delete(sa.table(name)))
    tips = sa.table("tips", sa.column("block"))
    op.execute(sa.delete(tips).where(tips.c.block < sa.select(sa.func.max(tips.c.block)).scalar_subquery()))


def downgrade() -> None:
    for name in ("listings", "facet_counts"):
        op.execute(sa.delete(sa.table(name)))
    op.drop_table("providers")
    with op.batch_alter_table("listings", schema=None) as batch_op:
        for name in (*NUMBERS, "rank_rate"):
            batch_op.drop_column(name)
