"""Codes in people's words, in the reader's language."""

from __future__ import annotations

from flask_babel import gettext
from flask_babel import lazy_gettext as _l

FAILURES = {
    "no_funds": _l("There is not enough money in the account."),
    "rejected_by_issuer": _l("The bank refused the payment."),
    "cancelled": _l("The payment was cancelled."),
    "limit_exceeded": _l("The payment is over the account's limit."),
    "timed_out": _l("The time to pay ran out."),
    "declined_by_payer": _l("The payment was declined on the phone."),
    "account_inactive": _l("The account cannot be used."),
    "account_restricted": _l("The account is restricted."),
    "account_not_verified": _l("The account has not been verified."),
    "promotion_rules": _l("A promotion does not allow this payment."),
    "login_failed": _l("The login on the phone failed."),
    "amount_outside_limits": _l("The amount is outside the limits of this way to pay."),
    "currency_not_taken": _l("This way to pay does not take this currency."),
    "provider_not_offered": _l("This way to pay is not offered."),
    "provider_unavailable": _l("This way to pay cannot be reached now. Try again, or another way."),
}

PARKED = {
    "unknown_order": _l("No such order"),
    "unknown_payment": _l("No such payment"),
    "another_amount": _l("Another amount than asked for"),
    "another_currency": _l("Another currency than asked for"),
    "another_provider": _l("The payment is another provider's"),
    "no_amount": _l("No amount"),
    "impossible_move": _l("Not possible in the order's state"),
    "differs_from_confirmation": _l("Differs from what staff confirmed"),
    "transaction_used": _l("The transaction has paid another order"),
    "same_event_other_body": _l("The same event, in other words"),
}


def failure_words(code: str | None) -> str | None:
    """Why an attempt failed, as a customer would say it; None where nothing failed."""
    if code is None:
        return None
    return str(FAILURES.get(code) or gettext("The payment did not go through."))


def parked_words(code: str | None) -> str:
    return str(PARKED.get(code or "") or code or "")
