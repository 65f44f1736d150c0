"""A person's saved cards, as the provider's list gives them."""

from __future__ import annotations

from typing import Any

from payments.api.blueprint import api
from payments.api.body import idempotent, read
from payments.api.schemas_wallet import CardIn
from payments.front.request import house, identity
from payments.services import cards


@api.get("/cards")
def list_cards() -> dict[str, Any]:
    listed = cards.saved(house().rails, identity())
    return {"data": [card.as_dict() for card in listed], "next_cursor": None}


@api.patch("/cards/<token_id>")
@idempotent
def name_card(token_id: str) -> dict[str, Any]:
    name = read(CardIn).nickname
    return cards.rename(house().rails, identity(), token_id, name).as_dict()


@api.delete("/cards/<token_id>")
@idempotent
def remove_card(token_id: str) -> dict[str, Any]:
    return cards.remove(house().rails, identity(), token_id).as_dict()
