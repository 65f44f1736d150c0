"""The signed webhook of shops, signed by the library of Standard Webhooks."""

from __future__ import annotations

from payments.domain.states import Kind
from tests.providers.case import Call, Case, Proof, Said
from tests.signing import SHOP_SECRET, shop_webhook

WORDS = {Kind.SUCCEEDED: "success", Kind.FAILED: "failed", Kind.PROCESSING: "pending"}


def call(said: Said) -> Call:
    body, headers = shop_webhook(
        said.order_id,
        said.amount,
        transaction=f"T-{said.serial}",
        status=WORDS[said.outcome],
        event=f"msg_{said.serial}_{WORDS[said.outcome]}",
        currency=said.currency,
    )
    return Call(headers, body)


CASE = Case(
    key="generic",
    rail=None,
    currency="VND",
    price=50_000,
    settings=lambda _url: {"GENERIC_WEBHOOK_SECRET": SHOP_SECRET},
    call=call,
    proof=Proof(header="webhook-signature", after="v1,", form="base64"),
    payer_sets_amount=True,
)
