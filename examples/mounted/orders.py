"""The data that all of them work with; a real application has a database here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Order:
    number: int
    what: str
    by: str


orders = [Order(1, "Two hinges, brass", "Ada"), Order(2, "A pane of glass, 40 by 60", "Grace")]

MAX_ORDERS = 100
MAX_LENGTH = 80


def add_order(what: str, by: str) -> Order:
    """Take an order; only the last `MAX_ORDERS` are kept.

    :raises ValueError: when it does not say what.
    """
    what = what.strip()
    if not 0 < len(what) <= MAX_LENGTH:
        raise ValueError(f"An order has 1 to {MAX_LENGTH} letters.")
    order = Order(orders[-1].number + 1, what, by)
    orders.append(order)
    del orders[:-MAX_ORDERS]
    return order
