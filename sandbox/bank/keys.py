"""What the shop has registered with each feed of its bank account."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GatewayKeys:
    """What Pay2S gives a shop for its gateway."""

    partner_code: str
    access_key: str
    secret_key: str


@dataclass(frozen=True)
class BankKeys:
    """`callbacks`: the shop's address before the name of a feed, as typed into each dashboard.

    A feed whose secret is None is not the shop's. SePay proves itself by the secret, else by the
    API key.
    """

    callbacks: str
    pay2s_token: str | None = None
    gateway: GatewayKeys | None = None
    sepay_secret: str | None = None
    sepay_api_key: str | None = None
    casso_key: str | None = None
    payos_checksum_key: str | None = None

    def url(self, feed: str) -> str:
        return f"{self.callbacks}/{feed}"
