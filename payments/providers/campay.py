"""CamPay (Cameroon): MTN Mobile Money and Orange Money by a prompt on the payer's phone.

A callback's JWT covers none of its fields, so it only rings: `GET /transaction/{reference}/` tells.
Refunds and what customers withdraw are withdrawals to their number. Amounts are whole francs.
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
from payments.domain.withdrawals import Withdrawal
from payments.providers import campay_wire as wire
from payments.providers.campay_calls import Calls
from payments.providers.campay_token import check_token
from payments.providers.http import Reply
from payments.settings import Settings

PROMPT_SECONDS = 30.0
"""To send a prompt or money CamPay asks the operator first."""

HISTORY_SECONDS = 5.0
HISTORY_DAYS = 2

SENDING_REFUSED = {
    "refund_rejected": "refund_not_possible",
    "payout_rejected": "payout_not_possible",
}
"""Our word for a refusal of money that is to leave, and for its not being allowed at all."""

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
        number = self._number(payment)
        try:
            sent = self._send(refund_id, money, number, "Refund", "refund_rejected")
        except ProviderUnavailable as away:
            if away.facts.get("sent"):
                return Refunded(refund_id, final=False)
            raise
        return Refunded(sent or refund_id, final=False)

    def fetch_refund(self, payment: Payment, refund_id: str, provider_refund_id: str) -> Fetched:
        known = provider_refund_id if provider_refund_id != refund_id else None
        notice, raw = self._sent(refund_id, payment.currency, known, _today())
        return Fetched(raw, (replace(notice, refund=refund_id),) if notice else ())

    def payout(self, withdrawal: Withdrawal) -> str | None:
        number = wire.number_of(withdrawal.destination.get("phone"))
        return self._send(withdrawal.id, withdrawal.money, number, "Withdrawal", "payout_rejected")

    def fetch_payout(self, withdrawal: Withdrawal) -> Fetched:
        """Where the answer to the withdrawal was lost, the history names it."""
        day = withdrawal.created_at.astimezone(UTC).date()
        notice, raw = self._sent(withdrawal.id, withdrawal.currency, withdrawal.known_as, day)
        return Fetched(raw, (replace(notice, payout=withdrawal.id),) if notice else ())

    def _send(self, name: str, money: Money, number: str, word: str, refused: str) -> str | None:
        """Money of ours to a number, under our `name`; CamPay's name for it, if it says one."""
        asked = {
            "amount": str(money.amount),
            "currency": money.currency,
            "to": number,
            "description": wire.plain(word, name),
            wire.EXTERNAL: name,
        }
        reply = self._calls.call("POST", "/withdraw/", asked, PROMPT_SECONDS, again=False)
        # A conflict may be this very money, sent before: another could be paid twice.
        if reply.ok or reply.status == 409:
            return wire.id_of(reply.body.get("reference"))
        raise _refusal(reply, refused)

    def _sent(
        self, name: str, currency: str, known: str | None, day: date
    ) -> tuple[Notice | None, bytes]:
        """How it stands what we sent since that `day`, by CamPay's name for it or by the history's.

        None where CamPay has none of this name and currency.
        """
        found, raw = self._transaction(known or self._looked_up(name, day, _today()))
        if found is None or found.external not in {None, name} or found.currency != currency:
            return None, raw
        notice = Notice(
            provider=wire.KEY,
            event_id=f"{found.reference}:{found.status}",
            kind=found.kind,
            transaction_id=found.reference,
            amount=found.amount,
            currency=found.currency,
            reason_code=found.reason,
        )
        return notice, raw

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

    def _looked_up(self, name: str, day: date, until: date | None = None) -> str | None:
        """CamPay's reference of what we have named so in its description, about those days."""
        around = timedelta(days=HISTORY_DAYS)
        days = (str(day - around), str((until or day) + around))
        span = dict(zip(HISTORY, days, strict=True))
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
    if reply.status == 403 and code in SENDING_REFUSED:
        # Withdrawals have to be allowed in the app's settings at CamPay.
        return ProviderRefused("CamPay does not let us send money.", code=SENDING_REFUSED[code])
    if reply.status in {400, 422}:
        return ProviderRefused("CamPay does not take this payment.", code=code)
    return ProviderUnavailable(f"CamPay cannot take payments now (HTTP {reply.status}).")
