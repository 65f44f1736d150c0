"""Cards that PAYable keeps: list, name, remove, pay with one.

Facts from PAYable's React Native example and its guide to tokenised payments. The number of a card
is typed on PAYable's page alone; what comes here is a token and a masked number.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from payments.domain.cards import Card, CardHolder
from payments.domain.errors import ProviderRefused, ProviderUnavailable
from payments.domain.money import to_major
from payments.domain.notice import Action
from payments.domain.order import Payment
from payments.domain.ports import Started
from payments.providers.http import Reply, call_json
from payments.providers.payable_wire import check_value
from payments.settings.rails import PayableSettings

LIST_SECONDS = 5.0
"""A page waits for the list."""


def list_cards(payable: PayableSettings, holder: CardHolder) -> Sequence[Card]:
    """Raises ProviderUnavailable, also where the list is another person's."""
    merchant, customer = _names(holder)
    answer = _ask(
        payable,
        "listCard",
        {"merchantId": merchant, "customerId": customer},
        (merchant, customer),
        seconds=LIST_SECONDS,
    )
    listed = answer.body.get("tokenizedCardList")
    if not answer.ok or not isinstance(listed, list):
        raise ProviderUnavailable("Payable does not tell which cards it keeps.")
    # The callback's check value does not cover customerId: only the list proves whose it is.
    if str(answer.body.get("customerRefNo")) != holder.reference:
        raise ProviderUnavailable("Payable's list is another person's.")
    return [_card(one) for one in listed if isinstance(one, dict) and one.get("tokenId")]


def name_card(payable: PayableSettings, holder: CardHolder, token_id: str, name: str) -> None:
    """Raises ProviderRefused, ProviderUnavailable.

    UNCONFIRMED: the guide lists `isDefaultCard` among what is required; nothing of ours reads it.
    """
    merchant, customer = _names(holder)
    answer = _ask(
        payable,
        "editCard",
        {
            "merchantId": merchant,
            "customerId": customer,
            "tokenId": token_id,
            "nickName": name,
            "isDefaultCard": "0",
        },
        (merchant, customer, token_id),
        headers=_bearer(payable),
    )
    if not answer.ok or _status(answer) >= 400:
        raise ProviderRefused("Payable did not name this card.", code="card_not_named")


def remove_card(payable: PayableSettings, holder: CardHolder, token_id: str) -> None:
    merchant, customer = _names(holder)
    answer = _ask(
        payable,
        "deleteCard",
        {"merchantId": merchant, "customerId": customer, "tokenId": token_id},
        (merchant, customer, token_id),
    )
    if not answer.ok or _status(answer) >= 400:
        raise ProviderRefused("Payable did not remove this card.", code="card_not_removed")


def pay_with_card(
    payable: PayableSettings, payment: Payment, holder: CardHolder, token_id: str, webhook_url: str
) -> Started:
    """Asks PAYable to take the money from a kept card; how it ended comes as a callback.

    Raises ProviderRefused, ProviderUnavailable.
    """
    merchant, customer = _names(holder)
    amount = to_major(payment.amount, payment.currency)
    bearer = _bearer(payable)
    try:
        answer = _ask(
            payable,
            "pay",
            {
                "merchantId": merchant,
                "customerId": customer,
                "tokenId": token_id,
                "invoiceId": payment.reference,
                "amount": amount,
                "currencyCode": payment.currency,
                "webhookUrl": webhook_url,
            },
            (merchant, payment.reference, amount, payment.currency, customer, token_id),
            headers=bearer,
            again=False,
        )
    except ProviderUnavailable:
        # The money may have been taken: the attempt waits for PAYable's word, and is not repeated.
        return Started(Action("none"))
    if not answer.ok or _status(answer) >= 400:
        raise ProviderRefused("Payable does not take this card.", code="card_declined")
    return Started(Action("none"), handle=handle_of(answer.body))


def handle_of(answer: Mapping[str, Any]) -> dict[str, str]:
    """What a question about the payment takes. UNCONFIRMED: that a kept card's payment has it."""
    uid, indicator = answer.get("uid"), answer.get("statusIndicator")
    if isinstance(uid, str) and isinstance(indicator, str) and uid:
        return {"uid": uid, "status_indicator": indicator}
    return {}


def _bearer(payable: PayableSettings) -> dict[str, str]:
    """The header that charges and names want. Raises ProviderUnavailable."""
    key = base64.b64encode(f"{payable.business_key}:{payable.business_token}".encode()).decode()
    # No "Basic" stands before it: PAYable wants the bare text.
    answer = call_json(
        "POST",
        f"{payable.api_url}/ipg/v2/auth/tokenize",
        body={"grant_type": "client_credentials"},
        headers={"Authorization": key},
    )
    bearer = answer.body.get("accessToken")
    if not answer.ok or not isinstance(bearer, str) or not bearer.isascii():
        raise ProviderUnavailable("Payable does not accept the shop's business key.")
    return {"Authorization": f"Bearer {bearer}"}


def _ask(
    payable: PayableSettings,
    call: str,
    body: dict[str, str],
    signed: tuple[str, ...],
    *,
    seconds: float = 15.0,
    headers: Mapping[str, str] | None = None,
    again: bool = True,
) -> Reply:
    value = check_value(payable.merchant_tokens[0], *signed)
    url = f"{payable.api_url}/ipg/v2/tokenize/{call}"
    return call_json("POST", url, seconds, {**body, "checkValue": value}, headers, again=again)


def _names(holder: CardHolder) -> tuple[str, str]:
    handle = holder.handle or {}
    return handle["merchant_id"], handle["customer_id"]


def _status(answer: Reply) -> int:
    status = answer.body.get("status")
    return status if type(status) is int else 0


def _card(listed: Mapping[str, Any]) -> Card:
    def text(name: str) -> str:
        value = listed.get(name)
        return str(value)[:64] if isinstance(value, str | int) else ""

    return Card(
        token_id=str(listed["tokenId"])[:128],
        masked_number=text("maskedCardNo"),
        scheme=text("cardScheme"),
        expiry=text("exp"),
        nickname=text("nickname"),
    )
