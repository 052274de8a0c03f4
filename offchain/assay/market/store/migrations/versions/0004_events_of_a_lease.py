"""Which events are about which lease.

What earlier versions indexed does not say: the index is emptied, to be read anew.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Every table of revision 0003 but the identity, which says whose index this is.
FILLED = (
    "batches", "demands", "devices", "epochs", "event_parties", "events", "facet_counts", "faults", "leases",
    "listings", "measurements", "observations", "offers", "profiles", "proof_calls", "refusals", "rewards",
    "set_seats", "sets", "slashes", "specifications", "stakes", "tips", "undo", "validators", "wrong_elements",
)  # fmt: skip


def upgrade() -> None:
    for name in FILLED:
        op.execute(sa.delete(sa.table(name)))
    op.create_table(
        "lease_events",
        sa.Column("lease_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("lease_id", "block", "log_index", name=op.f("pk_lease_events")),
    )


def downgrade() -> None:
    raise NotImplementedError("the index can be read anew from the chain: empty the database instead")
