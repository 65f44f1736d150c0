"""Tops up a wallet: an order whose money is its customer's own, paid on any rail."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from payments.domain.errors import InvalidInput
from payments.domain.money import Money, price
from payments.domain.order import DEPOSIT, Order, Payment
from payments.domain.ports import Payer
from payments.providers.registry import PROVIDERS, Rails
from payments.services import checkout
from payments.services.access import Identity, person_of
from payments.services.attempts import Attempt, attempt
from payments.services.checkout import NewOrder
from payments.services.ids import new_reference
from payments.services.wallets.limits import demand_limits
from payments.settings import Settings
from payments.store import orders


def deposit(
    settings: Settings,
    rails: Rails,
    who: Identity,
    money: Money,
    provider: str,
    payer: Payer,
    *,
    description: str,
    page: Callable[[str], str],
    locale: str,
) -> Payment:
    """The first attempt of a new deposit, whose order has the attempt's reference for its id.

    `page` makes the address to come back to from that id. Raises Unauthenticated, Forbidden,
    InvalidInput with nothing left behind; ProviderRefused and ProviderUnavailable: then the
    deposit waits on its page for another way to pay.
    """
    person = person_of(who)
    demand_limits(settings.wallets.deposits, money)
    reference = new_reference()
    new = NewOrder(money, description, id=reference, customer_id=person.id)
    order = checkout.draft(settings, who, new, DEPOSIT)
    return attempt(
        Attempt(rails, who, provider, payer, page(reference), locale, reference=reference),
        order=order,
        held=lambda: checkout.opened(order, who),
    )


def money_of(amount: object, currency: str | None, provider: str) -> Money:
    """Where a rail takes one currency only, nobody has to name it. Raises InvalidInput."""
    taken = list(PROVIDERS[provider].limits) if provider in PROVIDERS else []
    if currency is None and len(taken) != 1:
        raise InvalidInput("Name the currency.", code="unknown_currency", field="currency")
    return price(amount, currency or taken[0])


def under_way(user_id: str) -> Sequence[Order]:
    """The person's deposits that wait for their money, newest first."""
    return orders.open_deposits(user_id)
