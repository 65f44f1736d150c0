"""Pay2S's feed: a Bearer token proves the sender, and nothing of the body."""

from __future__ import annotations

import json

from payments.domain.states import Kind
from tests.providers.case import Call, Case, Proof, Said
from tests.signing import JSON

TOKEN = "token-of-the-pay2s-webhook"


def call(said: Said) -> Call:
    line = {
        "id": str(said.serial),
        "gateway": "ACB",
        "transactionDate": "2026-11-01 10:02:18",
        "transactionNumber": str(said.serial)[-6:],
        "accountNumber": "0011002233445",
        "content": f"CT DEN {said.reference.lower()} GD 789604-011126 10:02:18",
        "transferType": "IN",
        "transferAmount": said.amount,
        "checksum": "7e2b3bbc03d1083017e3d2a96d3b8e01",
    }
    body = json.dumps({"transactions": [line]}).encode()
    return Call(JSON | {"Authorization": f"Bearer {TOKEN}"}, body)


CASE = Case(
    key="pay2s",
    rail="bank",
    currency="VND",
    price=50_000,
    settings=lambda _url: {
        "BANK_BIN": "970436",
        "BANK_ACCOUNT": "0011002233445",
        "PAY2S_WEBHOOK_TOKEN": TOKEN,
    },
    call=call,
    proof=Proof(header="Authorization", after="Bearer ", form="text"),
    outcomes=(Kind.SUCCEEDED,),
    payer_sets_amount=True,
    names_currency=False,
    covers_body=False,
)
