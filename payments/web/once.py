"""A form that is sent twice is one deed: two presses of its button, or a page loaded again."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable

from flask import request

from payments.front.request import identity
from payments.store import idempotency
from payments.store.db import Unknown, in_transaction

FIELD = "once"
"""The hidden field of a form that carries its `fresh()`."""


def fresh() -> str:
    return secrets.token_urlsafe(12)


def once(deed: Callable[[], str], meanwhile: str) -> str:
    """The address that `deed` leads to; the same one where this form has been sent before.

    `meanwhile` is where a second press goes while the first is at work. A form that was filled in
    otherwise is another one. What `deed` raises leaves the form as if it had not been sent.
    """
    if not request.form.get(FIELD):
        return deed()
    caller, key = identity().caller, _key()
    kept = in_transaction(lambda: idempotency.begin(caller, key, ""))
    if kept is not None:
        return kept.body or meanwhile
    try:
        address = deed()
    except Unknown:
        # It may have been done: nobody does it again by pressing again.
        raise
    except BaseException:
        in_transaction(lambda: idempotency.forget(caller, key))
        raise
    in_transaction(lambda: idempotency.finish(caller, key, 303, address))
    return address


def _key() -> str:
    # The random name tells forms apart; of a password nothing is to be kept.
    left_out = {"csrf_token", "password"}
    said = sorted((name, text) for name, text in request.form.items() if name not in left_out)
    return f"form:{hashlib.sha256(repr((request.path, said)).encode()).hexdigest()}"
