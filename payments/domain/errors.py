"""What can be wrong with a request.

Each carries a stable `code`; `api/problems.py` gives it a status.
"""

from __future__ import annotations

from typing import Any


class PaychimeError(Exception):
    """A refusal with words for people and a stable code for programs.

    `facts` are what a page needs to say the same in its reader's language.
    """

    code = "error"

    def __init__(
        self, message: str, *, code: str | None = None, field: str | None = None, **facts: Any
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.field = field
        self.facts = facts


class InvalidInput(PaychimeError):
    """The caller sent something that cannot be right."""

    code = "invalid"


class UnsupportedMediaType(PaychimeError):
    code = "unsupported_media_type"


class InvalidAmount(InvalidInput):
    code = "invalid_amount"


class InsufficientFunds(InvalidAmount):
    """A wallet holds less than is asked of it. Nothing of it has moved."""

    code = "insufficient_funds"

    def __init__(self, balance: int, currency: str) -> None:
        super().__init__(
            f"The balance is {balance} {currency}.",
            field="amount",
            balance=balance,
            currency=currency,
        )


class UnknownCurrency(InvalidInput):
    code = "unknown_currency"


class NotFound(PaychimeError):
    """No such thing, or not yours: the same words, so that nobody learns which."""

    code = "not_found"

    def __init__(self, message: str = "There is no such thing here.") -> None:
        super().__init__(message)


class Unauthenticated(PaychimeError):
    code = "unauthorized"


class Forbidden(PaychimeError):
    code = "forbidden"


class Conflict(PaychimeError):
    """Right in itself, but not in the present state."""

    code = "conflict"


class IdempotencyMismatch(PaychimeError):
    """The same Idempotency-Key came with another body."""

    code = "idempotency_key_reused"


class ProviderRefused(PaychimeError):
    """The provider answered no, for a reason of the customer's or ours."""

    code = "provider_refused"


class ProviderUnavailable(PaychimeError):
    """The provider is away or does not make sense; asking again may help."""

    code = "provider_unavailable"


class Unapplicable(Exception):
    """A verified notice that cannot be applied. It is parked with this reason, never dropped."""

    def __init__(self, reason: str, order_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.order_id = order_id


class BadCallback(Exception):
    """A callback that is not to be believed or read; nothing of it is kept."""

    status = 400


class BadSignature(BadCallback):
    status = 401


class MalformedCallback(BadCallback):
    status = 400


class WrongMediaType(BadCallback):
    status = 415
