"""What each rail needs: keys, addresses, its account.

Secrets are tuples: the first signs, all verify (two while a secret is rotated).
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MomoSettings:
    partner_code: str
    access_key: str = field(repr=False)
    secret_keys: tuple[str, ...] = field(repr=False)
    api_url: str


@dataclass(frozen=True, slots=True)
class CampaySettings:
    """`access_token`: the permanent one; else a short one is had by `username` and `password`.

    Without a webhook key no callback can be believed, and CamPay is asked instead.
    """

    api_url: str
    access_token: str | None = field(repr=False)
    username: str | None
    password: str | None = field(repr=False)
    webhook_keys: tuple[str, ...] = field(repr=False)
    app_id: str | None


@dataclass(frozen=True, slots=True)
class BankSettings:
    """The shop's own account in Vietnam. `bin`: six digits that name the bank (NAPAS)."""

    bin: str
    account: str
    account_name: str


@dataclass(frozen=True, slots=True)
class SepaySettings:
    """SePay signs by one of the two; whichever is set is demanded."""

    api_keys: tuple[str, ...] = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PayosSettings:
    client_id: str
    api_key: str = field(repr=False)
    checksum_keys: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pay2sGatewaySettings:
    """`api_url`: the host; `/v1/gateway/api/...` follows."""

    partner_code: str
    access_key: str = field(repr=False)
    secret_keys: tuple[str, ...] = field(repr=False)
    api_url: str


@dataclass(frozen=True, slots=True)
class UpiSettings:
    """The shop's own UPI address, `name@handle`."""

    vpa: str
    payee_name: str


@dataclass(frozen=True, slots=True)
class RazorpaySettings:
    """`api_url` ends in `/v1`. The webhook's secret is another than the key's."""

    key_id: str
    key_secret: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    api_url: str


@dataclass(frozen=True, slots=True)
class PayableSettings:
    """`api_url`: the root before `/ipg/...`. The business key and token are for saved cards."""

    merchant_key: str
    merchant_tokens: tuple[str, ...] = field(repr=False)
    business_key: str | None
    business_token: str | None = field(repr=False)
    api_url: str


@dataclass(frozen=True, slots=True)
class RailSettings:
    """One field for each rail and receiver; None or empty where the shop has not set it up."""

    momo: MomoSettings | None
    campay: CampaySettings | None
    bank: BankSettings | None
    pay2s_tokens: tuple[str, ...] = field(repr=False)
    pay2s_gateway: Pay2sGatewaySettings | None
    sepay: SepaySettings | None
    casso_keys: tuple[str, ...] = field(repr=False)
    payos: PayosSettings | None
    upi: UpiSettings | None
    razorpay: RazorpaySettings | None
    payable: PayableSettings | None
    generic_secrets: tuple[str, ...] = field(repr=False)

    @property
    def payable_cards(self) -> PayableSettings | None:
        """The same, where Payable may also keep cards."""
        return self.payable if self.payable and self.payable.business_key else None
