"""MoMo: the IPN, signed by the tests' own signer with MoMo's public test keys."""

from __future__ import annotations

from payments.domain.states import Kind
from tests.providers.case import Call, Case, Proof, Said
from tests.signing import JSON, MOMO_ACCESS, MOMO_SECRET, momo_ipn

CODES = {Kind.SUCCEEDED: 0, Kind.FAILED: 1006, Kind.PROCESSING: 7000}


def call(said: Said) -> Call:
    code = CODES[said.outcome]
    body = momo_ipn(said.reference, said.amount, code=code, trans_id=said.serial)
    return Call(dict(JSON), body)


CASE = Case(
    key="momo",
    rail="momo",
    currency="VND",
    price=50_000,
    settings=lambda _url: {
        "MOMO_PARTNER_CODE": "MOMO",
        "MOMO_ACCESS_KEY": MOMO_ACCESS,
        "MOMO_SECRET_KEY": MOMO_SECRET,
    },
    call=call,
    proof=Proof(field="signature"),
    names_currency=False,
    # It is empty: left out, the signed text is the same.
    unsigned=frozenset({"extraData"}),
)
