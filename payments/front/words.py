"""Codes in people's words, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import gettext, ngettext
from flask_babel import lazy_gettext as _l

from payments.domain.errors import PaychimeError, ProviderRefused, ProviderUnavailable
from payments.domain.money import to_major
from payments.front.pages import money
from payments.front.request import house

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
    "wrong_pin": _l("The UPI PIN was wrong."),
    "bank_unavailable": _l("The bank or the app has a fault now. Try again, or another way."),
    "card_declined": _l("The card was declined."),
    "card_not_named": _l("The card could not be named. Please try again."),
    "card_not_removed": _l("The card could not be removed. Please try again."),
    "amount_outside_limits": _l("The amount is outside the limits of this way to pay."),
    "currency_not_taken": _l("This way to pay does not take this currency."),
    "provider_not_offered": _l("This way to pay is not offered."),
    "provider_unavailable": _l("This way to pay cannot be reached now. Try again, or another way."),
    "invalid_phone": _l("Type a mobile number of Cameroon: nine digits that begin with 6."),
    "carrier_not_taken": _l("Only numbers of MTN and Orange can pay this way."),
    "balance_too_low": _l("The shop's account with the provider holds too little for this."),
    "refund_rejected": _l("The provider refused the refund."),
    "refund_not_possible": _l("The provider cannot refund this payment."),
    "payout_rejected": _l("The provider could not send the money there."),
    "payout_not_possible": _l("The provider sends no money for this shop now."),
}

REFUSALS = {
    "unauthorized": _l("Please sign in and try again."),
    "forbidden": _l("You do not have the right to do this."),
    "not_found": _l("There is no such thing here."),
    "card_name": _l("Type a name of 1 to 30 characters."),
    "card_name_is_number": _l("Do not type the card's number: give it a name."),
    "malformed": _l("Your browser sent something that cannot be read."),
    "unsupported_media_type": _l("Your browser sent something that cannot be read."),
    "invalid_amount": _l("Type the amount in digits, with a point before decimals."),
    "unknown_currency": _l("This currency is not known here."),
    "invalid_reason": _l("Say why, in 3 to 500 characters."),
    "invalid_evidence": _l("Evidence takes 3 to 100 characters; a UTR has 12 digits."),
    "invalid_utr": _l("A UTR has 12 digits and no letters. Your app shows it with the payment."),
    "utr_used": _l("The payment with this UTR has been counted already."),
    "evidence_used": _l("This evidence has confirmed a payment already."),
    "already_approved": _l("This confirmation is approved already."),
    "card_not_kept": _l("Sign in with your own account to have your card kept."),
    "order_not_payable": _l("This order is no longer waiting for money."),
    "order_ended": _l("This order can no longer be cancelled."),
    "nothing_to_refund": _l("There is nothing to refund."),
    "refund_ended": _l("This refund has ended."),
    "invalid_destination": _l("Money of this currency cannot be sent there. Check the number."),
    "no_wallet": _l("You have no balance in this currency."),
    "password_needed": _l("For this amount, type your password again."),
    "wrong_password": _l("The password is wrong."),
    "no_password": _l(
        "For this amount a password is needed, and you have none here. Ask the shop."
    ),
    "withdrawal_ended": _l("This withdrawal has ended."),
    "withdrawal_under_way": _l(
        "The provider may have sent it. Look it up there, then say that it was not sent."
    ),
    "payout_evidence_used": _l("This evidence has settled another withdrawal."),
    "already_resolved": _l("Somebody has dealt with this already."),
    "endpoint_disabled": _l("The receiver is switched off: switch it on first."),
    "message_gone": _l("What happened then is not kept any more."),
    "too_many_endpoints": _l("There are too many receivers: remove one first."),
    "invalid_events": _l("There is no such event."),
    "invalid_kind": _l("There is no such kind of movement."),
    "money_waits": _l("This money has come already: assign it under Unmatched money."),
}

PARKED = {
    "unknown_order": _l("No such order"),
    "unknown_payment": _l("No such payment"),
    "unknown_refund": _l("No such refund"),
    "unknown_payout": _l("No such withdrawal"),
    "another_amount": _l("Another amount than asked for"),
    "another_currency": _l("Another currency than asked for"),
    "another_provider": _l("The payment is another provider's"),
    "no_amount": _l("No amount"),
    "impossible_move": _l("Not possible in the order's state"),
    "differs_from_confirmation": _l("Differs from what staff confirmed"),
    "transaction_used": _l("The transaction has paid another order"),
    "same_event_other_body": _l("The same event, in other words"),
    "several_memos": _l("The transfer names several orders"),
    "told_before": _l("Another feed had told of it before"),
}

VERDICTS = {
    "applied": _l("applied"),
    "parked": _l("kept, not applied"),
    "conflict": _l("kept, contradicts an earlier one"),
}

ROLES = {
    "customer": _l("customer"),
    "clerk": _l("clerk"),
    "manager": _l("manager"),
    "accountant": _l("accountant"),
    "admin": _l("administrator"),
}

ACTORS = {"customer": ROLES["customer"], "system": _l("system")}


DETAILS = {
    "bank": _l("Bank"),
    "account": _l("Account number"),
    "account_name": _l("Account holder"),
    "vpa": _l("UPI address"),
    "payee": _l("Payee"),
    "phone": _l("Phone number"),
    "amount": _l("Amount"),
    "memo": _l("Transfer note"),
}
"""What a payer may have to type by hand, in this order."""

SCANNED_WITH = {
    "bank": _l("Scan this code with your bank's app, or save the picture and open it there."),
    "upi": _l("Scan this code with any UPI app, or save the picture and open it there."),
    "upi-address": _l("Scan this code with any UPI app, or save the picture and open it there."),
}
"""Where a rail's code is not read by an app of the rail's name."""

RAILS = {
    "manual": _l("Confirmed by the shop"),
    "payable": _l("Card"),
    "wallet": _l("Balance"),
}
"""Where the name of a rail tells its payer nothing."""

BESIDE_THE_CODE = {"bank": _l("Open this code at Pay2S")}
"""The link to the provider's page where that page shows the same code, and so comes after it."""


MOVEMENTS = {
    "deposit": _l("Top-up"),
    "payment": _l("Payment"),
    "excess": _l("Paid too much"),
    "refund": _l("Refunded"),
    "withdrawal": _l("Withdrawal"),
    "withdrawal_returned": _l("Withdrawal returned"),
    "other": _l("Correction"),
}
"""What a line of a wallet's statement was."""


def failure_words(code: str | None) -> str | None:
    """Why an attempt failed, as a customer would say it; None where nothing failed."""
    if code is None:
        return None
    return str(FAILURES.get(code) or gettext("The payment did not go through."))


def parked_words(code: str | None) -> str:
    return str(PARKED.get(code or "") or code or "")


def refusal_words(error: PaychimeError) -> str:
    """What was wrong, to whoever reads a page; the error's own English where it has no words."""
    if isinstance(error, ProviderRefused | ProviderUnavailable):
        return failure_words(error.code) or error.message
    facts = error.facts
    if "decimals" in facts:
        return str(
            ngettext(
                "%(currency)s takes %(num)s decimal at most.",
                "%(currency)s takes %(num)s decimals at most.",
                facts["decimals"],
                currency=facts["currency"],
            )
        )
    if "most" in facts:
        span = (facts.get("least", 1), facts["most"])
        least, most = (money(amount, facts["currency"]) for amount in span)
        return str(gettext("The amount is from %(least)s to %(most)s.", least=least, most=most))
    if error.code == "insufficient_funds":
        has = money(facts["balance"], facts["currency"])
        return str(gettext("Your balance is only %(amount)s.", amount=has))
    known = REFUSALS.get(error.code) or FAILURES.get(error.code) or PARKED.get(error.code)
    return str(known or error.message)


def verdict_words(verdict: str) -> str:
    return str(VERDICTS.get(verdict, verdict))


def role_words(role: str) -> str:
    return str(ROLES.get(role, role))


def actor_words(actor: str) -> str:
    """Who did it: somebody by their id, a provider or a key by its name, or these two."""
    return str(ACTORS.get(actor, actor))


def movement_words(kind: str) -> str:
    return str(MOVEMENTS[kind])


def rail_words(key: str) -> str:
    """How a payment came, as its payer would call it."""
    return str(RAILS.get(key) or house().rails.label(key))


def detail_rows(given: Mapping[str, str], amount: int, currency: str) -> list[dict[str, str]]:
    """What to type by hand as rows `{label, text, plain}`; `plain` is what a copy holds."""
    if not given:
        return []
    plain = {**given, "amount": to_major(amount, currency)}
    shown = {**given, "amount": money(amount, currency)}
    return [
        {"label": str(label), "text": shown[name], "plain": plain[name]}
        for name, label in DETAILS.items()
        if name in plain
    ]
