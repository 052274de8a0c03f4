"""Where the index stands, and how to take back what it did last."""

from __future__ import annotations

from sqlalchemy import BigInteger, String, Table

from assay.market.store.metadata import digest, key, metadata, number, text

identity = Table("identity", metadata, key("name", String(40)), text("value", 400))

# Ends of the batches applied, newest last: where a reorganisation is noticed.
tips = Table("tips", metadata, key("block", BigInteger), digest("hash"), number("timestamp"))

# Rows as they were before a batch touched them.
undo = Table(
    "undo",
    metadata,
    key("tip", BigInteger),
    key("place", BigInteger),
    text("table_name", 40),
    text("row_key", 4096),
    text("before", 65536),
)

# What was taken back: everything above `block`, of a branch whose newest batch ended with `undone`. They outlive
# the index itself, so that whoever listened to it learns of them.
rollbacks = Table("rollbacks", metadata, key("number", BigInteger), number("block"), digest("undone"))
