"""Money that leaves a wallet: asked for by its person, ended by staff where no rail does."""

from __future__ import annotations

from typing import Any

from flask import request

from payments.api import schemas_withdrawals as schemas
from payments.api.blueprint import api
from payments.api.body import idempotent, limit_asked, read
from payments.domain.errors import InvalidInput
from payments.domain.money import Money, price
from payments.domain.snapshot import iso
from payments.domain.withdrawals import HELD, RETURNED, SETTLED, Withdrawal
from payments.front.cursors import from_cursor, to_cursor
from payments.front.request import house, identity, somebody
from payments.services.access import demand, person_of
from payments.services.wallets import withdrawals
from payments.store import wallets

STATUS = {HELD: "pending", SETTLED: "completed", RETURNED: "failed"}
"""In the words of the frontends that send it."""


@api.post("/payment/withdraw")
@idempotent
def withdraw() -> tuple[dict[str, Any], int]:
    person = person_of(identity())
    asked = read(schemas.WithdrawIn)
    one = withdrawals.withdraw(
        house().settings,
        house().rails,
        identity(),
        _money(person.id, asked.amount, asked.currency),
        asked.destination,
        asked.password,
        offload=house().offload,
    )
    return {
        "transactionId": one.id,
        "status": STATUS[one.status],
        "amount": one.amount,
        "fee": one.fee,
        "currency": one.currency,
        "newBalance": wallets.balance(person.id, one.currency),
    }, 201


def _money(user_id: str, amount: int, currency: str | None) -> Money:
    """Whoever has one balance need not name its currency. Raises InvalidInput."""
    has = [one for one, _amount in wallets.balances(user_id)] if currency is None else []
    if currency is None and len(has) != 1:
        raise InvalidInput("Name the currency.", code="unknown_currency", field="currency")
    return price(amount, currency or has[0])


@api.get("/withdrawals")
def list_withdrawals() -> dict[str, Any]:
    somebody()
    limit, before = limit_asked(), from_cursor(request.args.get("cursor"))
    found = withdrawals.listed(identity(), before, limit + 1)
    more = found[limit - 1] if len(found) > limit else None
    return {
        "data": [body_of(one) for one in found[:limit]],
        "next_cursor": to_cursor(more) if more else None,
    }


@api.post("/withdrawals/<withdrawal_id>/settle")
@idempotent
def settle_withdrawal(withdrawal_id: str) -> dict[str, Any]:
    demand(identity(), withdrawals.SETTLE)
    asked = read(schemas.SettleIn)
    return body_of(withdrawals.settle_by_hand(identity(), withdrawal_id, asked.evidence))


@api.post("/withdrawals/<withdrawal_id>/fail")
@idempotent
def fail_withdrawal(withdrawal_id: str) -> dict[str, Any]:
    demand(identity(), withdrawals.SETTLE)
    asked = read(schemas.FailIn)
    return body_of(
        withdrawals.fail_by_hand(identity(), withdrawal_id, asked.reason, not_sent=asked.not_sent)
    )


def body_of(one: Withdrawal) -> dict[str, Any]:
    return {
        "id": one.id,
        "user_id": one.user_id,
        "status": one.status,
        "amount": one.amount,
        "fee": one.fee,
        "currency": one.currency,
        "provider": one.provider,
        "provider_payout_id": one.known_as,
        "destination": one.destination,
        "evidence": one.evidence,
        "reason": one.reason,
        "created_at": iso(one.created_at),
        "ended_at": iso(one.ended_at),
    }
