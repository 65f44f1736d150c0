"""A customer takes money out of their wallet; staff send what no rail sends by itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from payments.domain import ledger as bookkeeping
from payments.domain.errors import (
    Conflict,
    Forbidden,
    InsufficientFunds,
    InvalidInput,
    NotFound,
    ProviderUnavailable,
)
from payments.domain.fees import WITHDRAWAL
from payments.domain.money import Money
from payments.domain.ports import Offload
from payments.domain.questions import IN_FLIGHT
from payments.domain.withdrawals import HELD, RETURNED, SETTLED, Withdrawal, destination_of
from payments.providers.registry import Rails
from payments.services import accounts
from payments.services.access import Identity, demand, person_of
from payments.services.confirm import words
from payments.services.ids import new_id
from payments.services.wallets import payouts
from payments.services.wallets.limits import demand_limits
from payments.services.wallets.withdrawal_moves import give_back, hold, settle
from payments.settings import Settings
from payments.store import wallets, withdrawals
from payments.store.db import end_read, in_transaction, now, savepoint
from payments.store.people import User

SEE, SETTLE = "withdrawal.see", "withdrawal.settle"


def withdraw(
    settings: Settings,
    rails: Rails,
    who: Identity,
    money: Money,
    destination: object,
    password: str | None = None,
    *,
    offload: Offload,
) -> Withdrawal:
    """Held at once, fee and all; sent by the rail that can, else it waits for staff.

    `destination`: a text or the fields of `domain.withdrawals.FORMS`. Raises Unauthenticated,
    Forbidden, InvalidInput (InvalidAmount, InsufficientFunds) with nothing held; ProviderRefused
    once the money is back in the wallet.
    """
    person = person_of(who)
    to = destination_of(money.currency, destination)
    rail = rails.sending(money.currency, to)
    demand_limits(settings.wallets.withdrawals, money)
    if rail is not None:
        rails.check_payout(rail, money)
    fee = settings.wallets.fees.of(WITHDRAWAL, rail or bookkeeping.BY_HAND, money)
    _demand_funds(person, money, fee)
    _demand_consent(settings, person, money, password, offload)
    at = now()
    one = Withdrawal(
        id=new_id("W"),
        user_id=person.id,
        currency=money.currency,
        amount=money.amount,
        fee=fee,
        status=HELD,
        provider=rail,
        destination=to,
        payout_id=None,
        evidence=None,
        reason=None,
        created_at=at,
        ask_at=at + IN_FLIGHT if rail else None,
        ended_at=None,
    )
    in_transaction(lambda: hold(one, who.actor))
    if rail is not None:
        # Where the provider is away it stays held, and is sent or asked about by `ask_payouts`.
        with suppress(ProviderUnavailable):
            payouts.send(rails, one)
    return withdrawals.find(one.id) or one


def fee_of(settings: Settings, rails: Rails, money: Money, destination: object) -> int:
    """What it would cost, in minor units. Raises InvalidInput about the destination."""
    rail = rails.sending(money.currency, destination_of(money.currency, destination))
    return settings.wallets.fees.of(WITHDRAWAL, rail or bookkeeping.BY_HAND, money)


def _demand_funds(person: User, money: Money, fee: int) -> None:
    """As far as it can be known before: the last word is the wallet's own, as it is held."""
    has = dict(wallets.balances(person.id))
    end_read()
    if money.currency not in has:
        raise InvalidInput(
            f"You have no wallet in {money.currency}.",
            code="no_wallet",
            field="currency",
            currency=money.currency,
        )
    if has[money.currency] < money.amount + fee:
        raise InsufficientFunds(has[money.currency], money.currency)


def _demand_consent(
    settings: Settings, person: User, money: Money, password: str | None, offload: Offload
) -> None:
    """Above the limit the login alone does not do: it may be somebody else's hand."""
    above = settings.wallets.password_above.get(money.currency)
    if above is None or money.amount <= above:
        return
    if person.password_hash is None:
        raise Forbidden(
            f"Above {above} in minor units of {money.currency} a password is needed, and your "
            "account has none here. Ask the shop.",
            code="no_password",
        )
    if not password:
        raise InvalidInput("Type your password again.", code="password_needed", field="password")
    if not accounts.is_password_of(offload, person, password):
        raise InvalidInput("The password is wrong.", code="wrong_password", field="password")


def listed(who: Identity, before: tuple[datetime, str] | None, limit: int) -> Sequence[Withdrawal]:
    """The person's own, newest first; everybody's for staff."""
    mine = None if who.may(SEE) else person_of(who).id
    return withdrawals.page(mine, before, limit)


def settle_by_hand(who: Identity, withdrawal_id: str, evidence: str) -> Withdrawal:
    """Staff have sent it, or have seen at its provider that it was sent.

    The same evidence twice is one. Raises Forbidden, NotFound, InvalidInput, Conflict.
    """
    demand(who, SETTLE)
    evidence = words(evidence, "evidence", 3, 100)

    def change() -> Withdrawal:
        one = _locked(who, withdrawal_id)
        if one.status == SETTLED and one.evidence == evidence:
            return one
        _demand_held(one)
        # What its provider may have sent is the provider's money; else it was the shop's own.
        rail = one.provider if one.sent and one.provider else bookkeeping.BY_HAND
        try:
            with savepoint():
                settle(one, rail, who.actor, payout_id=one.payout_id, evidence=evidence)
        except IntegrityError as used:
            raise Conflict(
                "This evidence has settled another withdrawal.",
                code="payout_evidence_used",
                field="evidence",
            ) from used
        return withdrawals.find(one.id) or one

    return in_transaction(change)


def fail_by_hand(
    who: Identity, withdrawal_id: str, reason: str, *, not_sent: bool = False
) -> Withdrawal:
    """It will not be sent: the money returns. Twice is once.

    One that its provider may have sent returns only where staff say that it was `not_sent`: they
    have looked it up there. Raises Forbidden, NotFound, InvalidInput, Conflict.
    """
    demand(who, SETTLE)
    reason = words(reason, "reason", 3, 500)

    def change() -> Withdrawal:
        one = _locked(who, withdrawal_id)
        if one.status == RETURNED:
            return one
        _demand_held(one)
        if one.sent and not not_sent:
            raise Conflict(
                "Its provider may have sent it. Look it up there, and say that it was not sent.",
                code="withdrawal_under_way",
                field="not_sent",
            )
        give_back(one, reason, who.actor, payout_id=one.payout_id)
        return withdrawals.find(one.id) or one

    return in_transaction(change)


def _locked(who: Identity, withdrawal_id: str) -> Withdrawal:
    one = withdrawals.lock(withdrawal_id)
    if one is None:
        raise NotFound
    if one.user_id == who.user_id:
        raise Forbidden("Nobody ends their own withdrawal.")
    return one


def _demand_held(one: Withdrawal) -> None:
    if one.status != HELD:
        raise Conflict("This withdrawal has ended.", code="withdrawal_ended")
