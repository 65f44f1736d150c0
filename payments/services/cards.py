"""Saved cards: whose they are, keeping one with a payment, and telling the person once it is there.

They are with the provider alone. Each list here is the provider's, asked for at that moment; only a
page may show one that is a minute old.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from payments.domain.cards import Card, CardHolder, KeptCard, checked_name
from payments.domain.errors import (
    InvalidInput,
    NotFound,
    ProviderRefused,
    ProviderUnavailable,
)
from payments.domain.order import Order, Payment
from payments.domain.ports import Payer
from payments.domain.questions import pause_after
from payments.providers.registry import CARDS, Rails
from payments.services import card_shelf
from payments.services.access import Identity, person_of
from payments.services.ids import new_id
from payments.services.wallets.personal_facts import tell_person
from payments.store import audit, cards
from payments.store.db import end_read, in_transaction, now
from payments.store.people import User

log = structlog.get_logger()

LOOK_FOR = timedelta(hours=1)
"""So long after its payment a kept card is looked for on the provider's list."""

KEPT_FOR = "kept_for"
"""In an attempt's handle: the holder for whom its card is to be kept."""
TAKEN_FROM = "taken_from"
"""In an attempt's handle: the holder whose kept card pays."""


def may_keep(rails: Rails, who: Identity, order: Order, provider: str) -> bool:
    """Whether this person may have the card kept that pays this order.

    Not staff who only help: the customer's card would become theirs.
    """
    if who.user is None or not rails.able(provider, CARDS):
        return False
    by_its_link = not who.staff and order.id in who.order_ids
    return order.customer_id == who.user.id or by_its_link


def with_card(
    rails: Rails, who: Identity, order: Order | None, provider: str, payer: Payer
) -> Payer:
    """The payer with the person whose card is used or to be kept. Raises InvalidInput, NotFound."""
    if not payer.save_card and payer.token_id is None:
        return payer
    if payer.token_id is not None:
        holder, _ = _kept(rails, who, payer.token_id, provider)
        return replace(payer, save_card=False, card_holder=holder)
    if order is None or who.user is None or not may_keep(rails, who, order, provider):
        raise InvalidInput(
            "A card is kept for its own signed-in customer only.",
            code="card_not_kept",
            field="save_card",
        )
    user_id = who.user.id
    end_read()
    made = in_transaction(lambda: cards.add(provider, user_id, new_id("H")))
    return replace(payer, card_holder=made)


def trace_of(payer: Payer) -> dict[str, str] | None:
    """What the attempt's handle holds of its card before the provider is asked."""
    if payer.card_holder is None:
        return None
    return {TAKEN_FROM if payer.token_id else KEPT_FOR: payer.card_holder.reference}


def is_under_way(attempts: Sequence[Payment]) -> bool:
    """Whether a kept card is being charged: a second charge meanwhile would be a second payment."""
    return any(one.unsettled and TAKEN_FROM in (one.handle or {}) for one in attempts)


def saved(rails: Rails, who: Identity) -> list[Card]:
    """Everything that providers keep for this person. Raises ProviderUnavailable."""
    return [card for _, listed in _lists(rails, person_of(who)) for card in listed]


def for_page(rails: Rails, who: Identity, provider: str) -> Sequence[Card]:
    """What this person may pay with at once. None while the provider is away."""
    if who.user is None or not rails.able(provider, CARDS):
        return ()
    holder = cards.find(provider, who.user.id)
    return card_shelf.look(rails, holder, now()) if holder and holder.handle else ()


def rename(rails: Rails, who: Identity, token_id: str, name: str) -> Card:
    """What its owner calls it from now on, in the provider's list as everywhere.

    Raises InvalidInput, NotFound, ProviderRefused, ProviderUnavailable.
    """
    person, name = person_of(who), checked_name(name)
    holder, card = _kept(rails, who, token_id)
    rails.rail(holder.provider).name_card(holder, token_id, name)
    named = replace(card, nickname=name)

    def change() -> None:
        cards.changed(holder)
        audit.record(who.actor, "card.renamed", None, provider=holder.provider, of=person.id)
        _tell_of("card.renamed", holder, named)

    in_transaction(change)
    return named


def remove(rails: Rails, who: Identity, token_id: str) -> Card:
    """The provider forgets it. Raises NotFound, ProviderRefused, ProviderUnavailable."""
    person = person_of(who)
    holder, card = _kept(rails, who, token_id)
    rails.rail(holder.provider).remove_card(holder, token_id)

    def change() -> None:
        # Kept once more, it is told of once more.
        cards.set_told(holder, [one for one in cards.told(holder) if one != token_id])
        audit.record(who.actor, "card.removed", None, provider=holder.provider, of=person.id)
        _tell_of("card.removed", holder, card)

    in_transaction(change)
    return card


def kept(payment: Payment, said: KeptCard) -> None:
    """A payment has kept its card: in the caller's transaction, which calls nobody."""
    if (payment.handle or {}).get(KEPT_FOR) != said.holder:
        # A payment by a kept card names its holder too.
        return
    if not cards.keep(payment.provider, said.holder, said.handle, now()):
        log.warning("card kept for nobody", provider=payment.provider)


def tell_new_cards(rails: Rails, at: datetime) -> int:
    """Asks for the lists on which a kept card is due, and tells each new card once; how many."""
    due = cards.expected(at)
    end_read()
    return sum(_look(rails, one, at) for one in due)


def _look(rails: Rails, one: cards.Expected, at: datetime) -> int:
    provider, age = one.holder.provider, at - one.kept_at
    if not rails.able(provider, CARDS) or not rails.circuits.allows(provider, at):
        return 0
    # The next time is written first, so that a crash here asks no faster.
    next_at = None if age > LOOK_FOR else at + pause_after(age)
    if not in_transaction(lambda: cards.ask_again(one, next_at)):
        return 0
    try:
        listed = rails.rail(provider).cards(one.holder)
    except (ProviderUnavailable, ProviderRefused) as error:
        log.warning("cards not listed", provider=provider, said=error.message)
        if isinstance(error, ProviderUnavailable):
            rails.circuits.failed(provider, at)
        return 0
    rails.circuits.worked(provider)
    return in_transaction(lambda: _tell(one, listed))


def _tell(one: cards.Expected, listed: Sequence[Card]) -> int:
    holder = one.holder
    before = cards.told(holder)
    fresh = [card for card in listed if card.token_id not in before]
    for card in fresh:
        _tell_of("card.saved", holder, card)
    if fresh:
        cards.set_told(holder, [*before, *(card.token_id for card in fresh)])
        cards.stop_asking(holder, one.kept_at)
    return len(fresh)


def _tell_of(event: str, holder: CardHolder, card: Card) -> None:
    said = {"user_id": holder.user_id, "provider": holder.provider, **card.as_dict()}
    tell_person(holder.user_id, event, said)


def _kept(
    rails: Rails, who: Identity, token_id: str, provider: str | None = None
) -> tuple[CardHolder, Card]:
    """The person's own card. Raises NotFound for another's and for none alike."""
    if who.user is None:
        raise NotFound
    for holder, listed in _lists(rails, who.user, provider):
        for card in listed:
            if card.token_id == token_id:
                return holder, card
    raise NotFound


def _lists(
    rails: Rails, person: User, provider: str | None = None
) -> Iterator[tuple[CardHolder, list[Card]]]:
    found = [
        cards.find(key, person.id)
        for key in rails.keeping_cards()
        if provider is None or key == provider
    ]
    end_read()
    for holder in found:
        if holder is not None and holder.handle is not None:
            yield holder, list(rails.rail(holder.provider).cards(holder))
