"""PAYable on the wire: its keys and its check values.

Written from PAYable's packages and guides (npm payable-ipg-js, echeckout-ipg-reactnative-sdk, the
direct API guide), not from the adapter under test.
"""

import hashlib
from dataclasses import dataclass

KEY = "payable"
"""The name of this provider, in addresses and in the courier's log."""


@dataclass(frozen=True)
class PayableKeys:
    """What PAYable gives a merchant. `merchant_token` may hold two, comma-separated, during a
    rotation: both are taken, the first signs. The business pair pays with kept cards."""

    merchant_key: str
    merchant_token: str
    business_key: str = ""
    business_token: str = ""

    @property
    def tokens(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.merchant_token.split(",") if part.strip())

    @property
    def merchant_id(self) -> str:
        """How PAYable names the merchant beside its customers; ours is made up of the key."""
        return f"mid-{self.merchant_key}"


def digest(text: str) -> str:
    return hashlib.sha512(text.encode("utf-8")).hexdigest().upper()


def check_value(token: str, values: list[str]) -> str:
    """UPPERCASE(SHA512[value|value|...|UPPERCASE(SHA512[merchantToken])])"""
    return digest("|".join(values) + "|" + digest(token))


def is_right(keys: PayableKeys, values: list[str], given: str) -> bool:
    return any(check_value(token, values) == given for token in keys.tokens)
