"""A shop to try: people to sign in as, a key, and goods. Refused in production."""

from __future__ import annotations

from typing import NamedTuple

from payments.domain.errors import Conflict
from payments.services.accounts import create_user
from payments.store import people
from payments.store.db import end_read, in_transaction

PASSWORD = "paychime-demo"  # noqa: S105 (printed by `make run`)
API_KEY = "pk_demo_paychime"

LOGINS = (
    ("clerk@demo.test", "clerk", "Chi (clerk)", None),
    ("manager@demo.test", "manager", "Minh (manager)", None),
    ("mai@demo.test", "customer", "Mai", "vi"),
)


class Good(NamedTuple):
    title: str
    amount: int
    currency: str
    provider: str


GOODS = {
    "coffee": Good("Coffee beans, 500 g", 185_000, "VND", "momo"),
    "scarf": Good("Silk scarf", 420_000, "VND", "bank"),
    "mangoes": Good("Mangoes, 5 kg", 4_500, "XAF", "campay"),
    "spices": Good("Box of spices", 649_00, "INR", "upi"),
    "tea": Good("Ceylon tea, 400 g", 2_350_00, "LKR", "payable"),
}


def fill() -> None:
    """Makes what is missing; safe to repeat."""
    for email, role, name, locale in LOGINS:
        try:
            create_user(email, PASSWORD, role, name=name, locale=locale)
        except Conflict:
            continue
    known = people.find_key(API_KEY)
    end_read()
    if known is None:
        in_transaction(lambda: people.add_key("demo", API_KEY))
