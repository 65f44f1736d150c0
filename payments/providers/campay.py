"""CamPay (Cameroon): MTN Mobile Money and Orange Money by a prompt on the payer's phone.

A callback's JWT covers none of its fields, so it only rings: `GET /transaction/{reference}/` tells.
Refunds are withdrawals to the payer's number. Amounts are whole francs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from payments.domain.errors import InvalidInput, ProviderRefused, ProviderUnavailable
from payments.domain.money import Money
from payments.domain.notice import RUNG, Action, Notice
from payments.domain.order import Order, Payment
from payments.domain.ports import Addresses, Answer, Fetched, Payer, Refunded, Started
from payments.providers import campay_wire as wire
from payments.providers.campay_calls import Calls
from payments.providers.campay_token import check_token
from payments.providers.http import Reply
from payments.settings import Settings

PROMPT_SECONDS = 30.0
"""To send a prompt or money CamPay asks the operator first."""

HISTORY_SECONDS = 5.0
HISTORY_DAYS = 2

HISTORY = ("start_date", "end_date")
"""UNCONFIRMED names. A history that cannot be had is no answer, and no harm."""


class Campay:
    """See `domain.ports.Provider`."""

    # Any 2xx is presumed to end CamPay's tries; it publishes none.
    answer = Answer(body=b'{"success": true}')

    def __init__(self, settings: Settings) -> None:
        if settings.rails.campay is None:
            raise LookupError("CamPay is not configured")
        self._keys = settings.rails.campay.webhook_keys
        self._calls = Calls(settings.rails.campay)

    def check(self, order: Order, payer: Payer) -> Payer:
        return replace(payer, phone=wire.number_of(payer.phone))

    def start(self, payment: Payment, order: Order, payer: Payer, to: Addresses) -> Started:
        number = wire.number_of(payer.phone)
        asked = {
            "amount": str(payment.amount),
            "currency": payment.currency,
            "from": number,
            "description": wire.plain(order.description, payment.reference),
            wire.EXTERNAL: payment.reference,
        }
        # Sent twice it could be two prompts.
        reply = self._calls.call("POST", "/collect/", asked, PROMPT_SECONDS, again=False)
        if not reply.ok:
            raise _refusal(reply)
        reference = wire.id_of(reply.body.get("reference"))
        if reference is None:
            raise ProviderUnavailable("The provider's answer makes no sense.")
        operator = wire.operator_of(number, reply.body.get("operator"))
        code = wire.code_to_dial(reply.body.get("ussd_code"), operator)
        return Started(
            Action("ussd", ussd_code=code, details={"phone": wire.local_form(number)}),
            transaction_id=reference,
            handle={"phone": number, **({"operator": operator} if operator else {})},
        )

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        token = wire.fields_of(headers, body).get("signature")
        check_token(token, self._keys, time.time())

    def read(self, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
        return [wire.doorbell(wire.fields_of(headers, body), body)]

    def fetch(self, payment: Payment) -> Fetched:
        """Where the answer to the prompt was lost, the history or the doorbell names it."""
        begun = payment.created_at.astimezone(UTC).date()
        known = payment.transaction_id or self._looked_up(payment.reference, begun)
        # What only a doorbell named is anybody's, unless CamPay itself says that it is this one.
        allowed = {payment.reference} if known is None else {None, payment.reference}
        found, raw = self._transaction(known or (payment.handle or {}).get(RUNG))
        if found is None or found.external not in allowed:
            return Fetched(raw, ())
        notice = Notice(
            provider=wire.KEY,
            event_id=f"{found.reference}:{found.status}",
            kind=found.kind,
            reference=payment.reference,
            transaction_id=found.reference,
            amount=found.amount,
            currency=found.currency,
            reason_code=found.reason,
        )
        return Fetched(raw, (notice,))

    def refund(self, payment: Payment, refund_id: str, money: Money, reason: str) -> Refunded:
        """A withdrawal is sent once: where it may have been taken, it is asked about from then on.

        Under our own id then, since CamPay's reference is not known.
        """
        before = self._sent_before(refund_id)
        if before is not None:
            return Refunded(before, final=False)
        asked = {
            "amount": str(money.amount),
            "currency": money.currency,
            "to": self._number(payment),
            "description": wire.plain("Refund", refund_id),
            wire.EXTERNAL: refund_id,
        }
        try:
            reply = self._calls.call("POST", "/withdraw/", asked, PROMPT_SECONDS, again=False)
        except ProviderUnavailable as away:
            if away.facts.get("sent"):
                return Refunded(refund_id, final=False)
            raise
        # A conflict may be this very refund, sent before: another could be paid twice.
        if reply.ok or reply.status == 409:
            return Refunded(wire.id_of(reply.body.get("reference")) or refund_id, final=False)
        raise _refusal(reply, "refund_rejected")

    def fetch_refund(self, payment: Payment, refund_id: str, provider_refund_id: str) -> Fetched:
        known = provider_refund_id if provider_refund_id != refund_id else None
        found, raw = self._transaction(known or self._looked_up(refund_id, _today()))
        if found is None or found.external not in {None, refund_id}:
            return Fetched(raw, ())
        if found.currency != payment.currency:
            return Fetched(raw, ())
        notice = Notice(
            provider=wire.KEY,
            event_id=f"{found.reference}:{found.status}",
            kind=found.kind,
            transaction_id=found.reference,
            amount=found.amount,
            currency=found.currency,
            reason_code=found.reason,
            refund=refund_id,
        )
        return Fetched(raw, (notice,))

    def _number(self, payment: Payment) -> str:
        """Where the money came from: the number that was asked, else the one that paid."""
        phone = (payment.handle or {}).get("phone")
        if phone is None:
            found, _ = self._transaction(payment.transaction_id)
            phone = found.phone if found else None
        try:
            return wire.number_of(phone)
        except InvalidInput as unknown:
            raise ProviderRefused(
                "CamPay does not tell whose money it is.", code="refund_not_possible"
            ) from unknown

    def _transaction(self, reference: str | None) -> tuple[wire.Transaction | None, bytes]:
        """One of CamPay's records; None where it has none of that name."""
        if reference is None:
            return None, b""
        reply = self._calls.call("GET", f"/transaction/{reference}/")
        if reply.status == 404:
            return None, reply.raw
        try:
            found = wire.transaction_of(reply.body) if reply.ok else None
        except ValueError:
            found = None
        if found is None or found.reference != reference:
            raise ProviderUnavailable("The provider's answer makes no sense.")
        return found, reply.raw

    def _sent_before(self, refund_id: str) -> str | None:
        """What a process that died between the withdrawal and our books has left."""
        try:
            return self._looked_up(refund_id, _today())
        except ProviderUnavailable:
            return None

    def _looked_up(self, name: str, day: date) -> str | None:
        """CamPay's reference of what we have named so in its description, about that day."""
        around = timedelta(days=HISTORY_DAYS)
        span = dict(zip(HISTORY, (str(day - around), str(day + around)), strict=True))
        reply = self._calls.call("POST", "/history/", span, HISTORY_SECONDS, tries=1)
        rows = reply.body.get("data") if reply.ok else None
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and name in str(row.get("description")).split():
                return wire.id_of(row.get("reference_uuid"))
        return None


def _today() -> date:
    return datetime.now(UTC).date()


def _refusal(reply: Reply, code: str = "provider_refused") -> ProviderRefused | ProviderUnavailable:
    """What CamPay says no to for good, by its code or its status; anything else may pass."""
    known = wire.error_of(reply.raw)
    if known == "invalid_phone":
        return ProviderRefused("CamPay does not take this number.", code=known, field="phone")
    if known is not None:
        return ProviderRefused("CamPay does not take this payment.", code=known)
    if reply.status == 403 and code == "refund_rejected":
        # Withdrawals have to be allowed in the app's settings at CamPay.
        return ProviderRefused("CamPay does not let us send money.", code="refund_not_possible")
    if reply.status in {400, 422}:
        return ProviderRefused("CamPay does not take this payment.", code=code)
    return ProviderUnavailable(f"CamPay cannot take payments now (HTTP {reply.status}).")
