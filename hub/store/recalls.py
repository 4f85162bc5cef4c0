"""Who bought what was called back: receipts with a product, out of all that the database keeps."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from hub.catalog.offers import Recall
from hub.store import tables as t
from hub.store.service import Store

__all__ = ["recall_buyers"]

DAY_US = 86_400 * 1_000_000


def recall_buyers(store: Store, recall: Recall, *, most: int) -> dict[str, Any]:
    """{"receipts": [{visit_id, issued_us, quantity}], "count": n}: the newest receipts of the days
    the recall reaches back, and how many there are in all."""
    at_us = round(recall.at_s * 1e6)
    issued, lines = t.receipts, t.receipt_lines
    query = (
        select(
            issued.c.visit_id,
            issued.c.issued_us,
            func.sum(lines.c.quantity).label("quantity"),
        )
        .join(lines, lines.c.visit_id == issued.c.visit_id)
        .where(
            lines.c.gtin == recall.gtin,
            issued.c.issued_us >= at_us - recall.days * DAY_US,
            issued.c.issued_us <= at_us,
        )
        .group_by(issued.c.visit_id, issued.c.issued_us)
    )
    newest = query.order_by(issued.c.issued_us.desc(), issued.c.visit_id).limit(most)
    count = store.select(select(func.count().label("n")).select_from(query.subquery()))
    rows = [{**row, "quantity": int(row["quantity"])} for row in store.select(newest)]
    return {"receipts": rows, "count": int(count[0]["n"])}
