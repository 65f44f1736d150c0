"""The one blueprint of the staff's pages.

Whoever is not staff is told to sign in, or nothing at all.
"""

from __future__ import annotations

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from payments.domain.errors import NotFound
from payments.front.request import identity

staff = Blueprint("staff", __name__, url_prefix="/staff")


@staff.before_request
def staff_only() -> BaseResponse | None:
    who = identity()
    if who.staff:
        return None
    if who.user is None and request.method in {"GET", "HEAD"}:
        return redirect(url_for("web.login", next=request.path))
    raise NotFound
