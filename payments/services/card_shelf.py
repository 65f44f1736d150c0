"""Lists of cards for pages: a page is drawn again at every change, and must not ask each time."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from payments.domain.cards import Card, CardHolder
from payments.domain.errors import ProviderRefused, ProviderUnavailable
from payments.providers.registry import Rails
from payments.store.db import end_read

log = structlog.get_logger()

FRESH_FOR = timedelta(minutes=1)
HOLDERS_REMEMBERED = 2_000


@dataclass(frozen=True, slots=True)
class _Seen:
    cards: tuple[Card, ...]
    at: datetime
    revision: int


_shelf: OrderedDict[str, _Seen] = OrderedDict()
"""By the holder's reference, in this process alone."""


def look(rails: Rails, holder: CardHolder, at: datetime) -> tuple[Card, ...]:
    """What the provider kept for this holder a minute ago or later; none while it is away.

    `holder` is as the database has it now: what another process changed shows here at once.
    """
    seen = _shelf.get(holder.reference)
    if seen and seen.revision == holder.revision and at - seen.at < FRESH_FOR:
        return seen.cards
    if not rails.circuits.allows(holder.provider, at):
        return ()
    end_read()
    listed: tuple[Card, ...] = ()
    try:
        listed = tuple(rails.rail(holder.provider).cards(holder))
        rails.circuits.worked(holder.provider)
    except (ProviderUnavailable, ProviderRefused) as error:
        log.warning("cards not listed", provider=holder.provider, said=error.message)
        if isinstance(error, ProviderUnavailable):
            rails.circuits.failed(holder.provider, at)
    _shelf[holder.reference] = _Seen(listed, at, holder.revision)
    _shelf.move_to_end(holder.reference)
    while len(_shelf) > HOLDERS_REMEMBERED:
        _shelf.popitem(last=False)
    return listed
