"""Bank transfer in Vietnam by VietQR: to the shop's own account, told apart by the memo.

Nobody has to be asked to begin. That the money came is said by a bank feed (`pay2s`, `sepay`,
`casso`, `payos`), by Pay2S's gateway, or by staff.
"""

from __future__ import annotations

import structlog

from payments.domain.errors import ProviderRefused, ProviderUnavailable
from payments.domain.notice import Action
from payments.domain.order import Order, Payment
from payments.domain.ports import Addresses, Payer, Started
from payments.providers.banks import bank_name
from payments.providers.pay2s_gateway import ask_for_page, quicklink
from payments.providers.vietqr import Transfer, payload
from payments.settings import Settings
from payments.settings.rails import BankSettings

log = structlog.get_logger()


class Bank:
    """See `domain.ports.Provider`; it only begins."""

    def __init__(self, settings: Settings) -> None:
        if settings.rails.bank is None:
            raise LookupError("the bank account is not configured")
        self._bank: BankSettings = settings.rails.bank
        self._settings = settings

    def check(self, order: Order, payer: Payer) -> Payer:
        return payer

    def start(self, payment: Payment, order: Order, payer: Payer, to: Addresses) -> Started:
        bank = self._bank
        code = payload(Transfer(bank.bin, bank.account, payment.amount, payment.reference))
        details = {
            "bank": bank_name(bank.bin),
            "account": bank.account,
            "account_name": bank.account_name,
            "memo": payment.reference,
        }
        return Started(Action("qr", url=self._page(payment, to), qr=code, details=details))

    def _page(self, payment: Payment, to: Addresses) -> str | None:
        """Pay2S's page for the same transfer, where the shop has Pay2S; nothing rests on it."""
        rails, settings = self._settings.rails, self._settings
        if rails.pay2s_gateway is None:
            told = settings.callback_url("pay2s")
            return quicklink(self._bank, payment, told) if rails.pay2s_tokens else None
        try:
            return ask_for_page(
                rails.pay2s_gateway,
                self._bank,
                payment,
                settings.shop_name,
                to.return_url,
                settings.callback_url("pay2s-gateway"),
            )
        except (ProviderRefused, ProviderUnavailable) as refusal:
            log.warning(
                "no page at Pay2S",
                reference=payment.reference,
                code=refusal.code,
                said=str(refusal),
            )
            return None
