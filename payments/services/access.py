"""Who is asking, and what is theirs: the one door that pages, calls and rooms ask alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from payments.domain.errors import Forbidden, NotFound, Unauthenticated
from payments.domain.order import Order
from payments.domain.states import OPEN
from payments.store import orders, people
from payments.store.db import now

PERMISSIONS: dict[str, frozenset[str]] = {
    "customer": frozenset(),
    "clerk": frozenset(
        {"order.see", "order.create", "order.cancel", "order.confirm", "withdrawal.see"}
    ),
    "manager": frozenset(
        {
            *("order.see", "order.create", "order.cancel", "order.confirm"),
            *("order.approve", "order.refund"),
            *("withdrawal.see", "withdrawal.settle"),
        }
    ),
    "accountant": frozenset({"order.see", "withdrawal.see"}),
    "admin": frozenset(
        {
            *("order.see", "order.create", "order.cancel", "order.confirm"),
            *("order.approve", "order.refund", "webhook.edit"),
            *("withdrawal.see", "withdrawal.settle"),
        }
    ),
    "key": frozenset({"order.see", "order.create", "order.cancel", "order.refund", "webhook.edit"}),
}
"""What each role may do, the shop's API key among them.

A role is never asked for by name elsewhere.
"""

LINK_LIFE_AFTER_END = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Identity:
    """One asker. A browser may be a person and own orders by its cookie at the same time."""

    kind: str = "nobody"
    user: people.User | None = None
    key_id: str | None = None
    key_name: str | None = None
    order_ids: frozenset[str] = field(default_factory=frozenset)
    login_id: str | None = None
    """Which of the person's logins; None for a token that the shop's own backend signed."""

    @property
    def nobody(self) -> bool:
        return self.kind == "nobody"

    @property
    def role(self) -> str | None:
        return "key" if self.kind == "key" else self.user.role if self.user else None

    @property
    def user_id(self) -> str | None:
        return self.user.id if self.user else None

    @property
    def staff(self) -> bool:
        return self.user is not None and self.user.role != "customer"

    @property
    def actor(self) -> str:
        """How the audit names this asker."""
        if self.user:
            return f"user:{self.user.id}"
        return f"key:{self.key_name}" if self.kind == "key" else "customer"

    @property
    def caller(self) -> str:
        """Whose limits and Idempotency-Keys count: two keys may have one name."""
        return f"key:{self.key_id}" if self.key_id else self.actor

    def may(self, permission: str) -> bool:
        return permission in PERMISSIONS.get(self.role or "", frozenset())


NOBODY = Identity()


def demand(identity: Identity, permission: str) -> None:
    """Raises Unauthenticated for nobody, Forbidden for somebody without the right."""
    if identity.may(permission):
        return
    if identity.kind in {"nobody", "browser"}:
        raise Unauthenticated("Say who you are first.")
    raise Forbidden("You do not have the right to do this.")


def person_of(who: Identity) -> people.User:
    """Raises Unauthenticated, and Forbidden for a key, which has no cards and no wallet."""
    if who.user is not None:
        return who.user
    if who.kind in {"nobody", "browser"}:
        raise Unauthenticated("Say who you are first.")
    raise Forbidden("Only a person has this.")


def may_see_all_orders(identity: Identity) -> bool:
    return identity.may("order.see")


def may_see(identity: Identity, order: Order) -> bool:
    owner = identity.user is not None and order.customer_id == identity.user.id
    return may_see_all_orders(identity) or owner or order.id in identity.order_ids


def may_see_order(identity: Identity, order_id: str) -> bool:
    """False for "not yours" and for "no such" alike, after the same work: nor does the time tell.

    The same rule as `may_see`, asked of the database.
    """
    if may_see_all_orders(identity) or order_id in identity.order_ids:
        return orders.exists(order_id)
    return orders.exists(order_id, customer_id=identity.user.id if identity.user else "")


def order_seen_by(identity: Identity, order_id: str) -> Order:
    """The order, to look at. Raises NotFound in the same words for "not yours" and "no such"."""
    order = orders.find(order_id)
    if order is None or not may_see(identity, order):
        raise NotFound
    return order


def order_for(identity: Identity, order_id: str) -> Order:
    """The order, to act on: whoever holds only a watch token looks on."""
    order = order_seen_by(identity, order_id)
    if identity.kind == "watch":
        raise Forbidden("A watch token only watches.")
    return order


def link_is_open(order: Order) -> bool:
    """An access link works until 30 days after the order's end."""
    if order.status in OPEN:
        return True
    return now() < (order.ended_at or order.expires_at) + LINK_LIFE_AFTER_END
