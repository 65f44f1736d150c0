"""CamPay's API without the web: token, collect, withdraw, transaction, history, balance."""

import re
import sqlite3
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ..chance import Chance
from ..courier import Courier, now_ms
from . import book, notices, wire
from .book import Transaction

AMOUNT = re.compile(r"[0-9]{1,12}")
NOBODY_THERE, NOT_TOLD, SLOW = "000", "001", "002"
"""How numbers end that exist and behave so: money sent there comes back; it arrives without a
callback; it takes `SLOW_TIMES` as long."""

SLOW_TIMES = 20

FLOAT = 1_000_000
"""Francs that the app already has with each operator."""

MOST_TEXT = 500


@dataclass(frozen=True)
class Answer:
    http_status: int
    body: dict[str, Any]


class Refused(Exception):
    """`code` is one of `wire.ERRORS`, or empty where CamPay documents none."""

    def __init__(self, http_status: int, code: str, message: str = "") -> None:
        super().__init__(http_status, code)
        told = {"message": f"{code}: {wire.ERRORS[code]}" if code else message}
        # Which field carries the code is not documented: here both do.
        self.answer = Answer(http_status, {**told, "error_code": code} if code else told)


class Gateway:
    def __init__(
        self,
        keys: wire.CampayKeys,
        ledger: book.Book,
        courier: Courier,
        chance: Chance,
        knobs: Mapping[str, Any],
    ) -> None:
        """`knobs`: ANSWER_SECONDS, CAMPAY_DEDUPES, CAMPAY_WITHDRAWS, CAMPAY_PAYOUT_SECONDS."""
        self.keys = keys
        self.book = ledger
        self.courier = courier
        self.chance = chance
        self._knobs = knobs
        self._tokens: dict[str, float] = {}

    def sign_in(self, asked: Mapping[str, Any]) -> Answer:
        mine = (self.keys.username, self.keys.password)
        if None in mine or (asked.get("username"), asked.get("password")) != mine:
            raise Refused(400, "", "Unable to log in with provided credentials.")
        at = int(time.time())
        claims = {"iat": at, "nbf": at, "exp": at + wire.TOKEN_SECONDS, "jti": uuid.uuid4().hex}
        token = wire.token(f"access {self.keys.signing_key}", claims)
        self._tokens[token] = time.monotonic() + wire.TOKEN_SECONDS
        return Answer(200, {"token": token, "expires_in": wire.TOKEN_SECONDS})

    def admit(self, authorization: str) -> None:
        """`Token ...`, not `Bearer ...`. Raises Refused."""
        scheme, _, given = authorization.partition(" ")
        known = given == self.keys.access_token or self._tokens.get(given, 0) > time.monotonic()
        if scheme != "Token" or not given or not known:
            raise Refused(401, "", "Invalid token.")

    def collect(self, asked: Mapping[str, Any]) -> Answer:
        """Sends the prompt; the payer decides later, on the phone."""
        amount, operator = _amount(asked), _carrier(asked, "from")
        one = self._once("collect", asked, "from", amount, operator)
        return Answer(
            200,
            {"reference": one.reference, "ussd_code": operator.dial, "operator": operator.name},
        )

    def withdraw(self, asked: Mapping[str, Any]) -> Answer:
        """Sends money; it arrives, or comes back, after CAMPAY_PAYOUT_SECONDS."""
        if not self._knobs["CAMPAY_WITHDRAWS"]:
            raise Refused(403, "", "API withdrawal is not enabled for this application.")
        amount, operator = _amount(asked), _carrier(asked, "to")
        one = self._once("withdraw", asked, "to", amount, operator)
        return Answer(200, {"reference": one.reference, "status": one.state})

    def transaction(self, reference: str) -> Answer:
        one = self.book.find(reference)
        if one is None:
            raise Refused(404, "", "Transaction not found.")
        return Answer(200, one.told())

    def balance(self) -> Answer:
        mtn, orange = (self.held(operator.name) for operator in wire.OPERATORS)
        total = {"total_balance": mtn + orange, "currency": wire.CURRENCY}
        return Answer(200, {**total, "mtn_balance": mtn, "orange_balance": orange})

    def held(self, operator: str) -> int:
        """Francs of the app with one operator."""
        moved = 0
        for one in self.book.between(0, now_ms() + 1):
            if one.operator == operator and one.endpoint == "collect":
                moved += one.amount - one.fee if one.state == book.PAID else 0
            elif one.operator == operator and one.state != book.FAILED:
                moved -= one.amount
        return FLOAT + moved

    def history(self, asked: Mapping[str, Any]) -> Answer:
        try:
            first, last = (
                datetime.strptime(str(asked.get(name)), "%Y-%m-%d").replace(tzinfo=UTC)
                for name in ("start_date", "end_date")
            )
        except ValueError:
            raise Refused(400, "", "Dates are YYYY-MM-DD.") from None
        span = (first, last + timedelta(days=1))
        from_ms, to_ms = (int(moment.timestamp() * 1000) for moment in span)
        return Answer(200, {"data": [_row(one) for one in self.book.between(from_ms, to_ms)]})

    def _once(
        self,
        endpoint: str,
        asked: Mapping[str, Any],
        who: str,
        amount: int,
        operator: wire.Operator,
    ) -> Transaction:
        """The same external_reference is the same transaction, where CAMPAY_DEDUPES says so."""
        named = _text(asked, "external_reference")
        batch = None
        with self.book.store.transaction() as db:
            known = self.book.named(endpoint, named) if named else None
            if known is not None and self._knobs["CAMPAY_DEDUPES"]:
                return known
            if endpoint == "withdraw" and self.held(operator.name) < amount:
                raise Refused(400, "ER301")
            one = self._new(endpoint, asked, str(asked[who]), amount, operator)
            book.add(db, one)
            if endpoint == "withdraw" and not one.phone.endswith(NOT_TOLD):
                batch = self._tell_when_paid(db, one)
        if batch is not None:
            self.courier.dispatch(batch)
        # It is taken, whether or not somebody still waits for this answer.
        time.sleep(float(self._knobs["ANSWER_SECONDS"]))
        return one

    def _new(
        self,
        endpoint: str,
        asked: Mapping[str, Any],
        phone: str,
        amount: int,
        operator: wire.Operator,
    ) -> Transaction:
        reference = str(uuid.uuid4())
        number = self.chance.number("code", reference, 0, 100_000)
        made = Transaction(
            reference=reference,
            endpoint=endpoint,
            amount=amount,
            phone=phone,
            operator=operator.name,
            description=_text(asked, "description") or "",
            external_reference=_text(asked, "external_reference"),
            external_user=_text(asked, "external_user"),
            code=f"D{datetime.now(UTC):%y%m%d}{endpoint[0].upper()}{number:05d}R",
            operator_reference=str(self.chance.number("operator", reference, 10**9, 10**10)),
            created_ms=now_ms(),
        )
        if endpoint == "collect":
            return made
        fails = phone.endswith(NOBODY_THERE)
        return replace(
            made,
            status=book.FAILED if fails else book.PAID,
            reason="PAYEE_NOT_FOUND" if fails else None,
            decided_ms=now_ms() + self._payout_ms(phone),
        )

    def _payout_ms(self, phone: str) -> int:
        times = SLOW_TIMES if phone.endswith(SLOW) else 1
        return int(float(self._knobs["CAMPAY_PAYOUT_SECONDS"]) * 1000) * times

    def _tell_when_paid(self, db: sqlite3.Connection, one: Transaction) -> str:
        told = notices.ended(self.keys, self.chance, one)
        late = max(0, (one.decided_ms or 0) - now_ms()) / 1000
        callback = notices.callback(self.keys, one, "withdrawal", told, late_seconds=late)
        return self.courier.schedule(db, [callback])


def _amount(asked: Mapping[str, Any]) -> int:
    """A number or digits as text; decimals are refused, and so is another currency."""
    given = asked.get("amount")
    if type(given) not in {int, str} or not AMOUNT.fullmatch(str(given)) or int(str(given)) == 0:
        raise Refused(400, "ER201")
    if asked.get("currency", wire.CURRENCY) != wire.CURRENCY:
        raise Refused(400, "", "Only XAF is supported.")
    return int(str(given))


def _carrier(asked: Mapping[str, Any], who: str) -> wire.Operator:
    number = asked.get(who)
    if not isinstance(number, str) or not wire.NUMBER.fullmatch(number):
        raise Refused(400, "ER101")
    operator = wire.operator_of(number)
    if operator is None:
        raise Refused(400, "ER102")
    return operator


def _text(asked: Mapping[str, Any], name: str) -> str | None:
    value = asked.get(name)
    return value[:MOST_TEXT] if isinstance(value, str) and value else None


def _row(one: Transaction) -> dict[str, Any]:
    coming = one.endpoint == "collect"
    return {
        "datetime": datetime.fromtimestamp(one.created_ms / 1000, UTC).isoformat(),
        "code": one.code,
        "operator_tx_code": one.operator_reference,
        "operator": one.operator,
        "phone_number": one.phone,
        "description": one.description,
        "external_user": str(one.external_user),
        "amount": one.amount,
        "charge_amount": one.fee if coming else 0,
        "debit": 0 if coming else one.amount,
        "credit": one.amount - one.fee if coming else 0,
        "status": one.state,
        "reference_uuid": one.reference,
    }


CALLS: dict[str, Callable[[Gateway, Mapping[str, Any]], Answer]] = {
    "collect": Gateway.collect,
    "withdraw": Gateway.withdraw,
    "history": Gateway.history,
}
