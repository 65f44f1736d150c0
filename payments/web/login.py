"""Signing in and out of the pages."""

from __future__ import annotations

from flask import redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response as BaseResponse

from payments.domain.errors import Unauthenticated
from payments.front.request import LoggedIn, house
from payments.services import accounts
from payments.web.blueprint import web


@web.route("/login", methods=["GET", "POST"])
def login() -> BaseResponse | str | tuple[str, int]:
    if request.method != "POST":
        return render_template("login.html", error=None, next=request.args.get("next", ""))
    email, password = request.form.get("email", ""), request.form.get("password", "")
    try:
        user = accounts.sign_in(house().offload, email, password)
    except Unauthenticated:
        words = _("The e-mail or the password is wrong.")
        return render_template("login.html", error=words, next=request.form.get("next", "")), 401
    login_user(LoggedIn(user, accounts.begin_login(user.id)))
    return redirect(_inside(request.form.get("next", "")) or _home_of(user.role), 303)


@web.post("/logout")
def logout() -> BaseResponse:
    if current_user.is_authenticated:
        accounts.end_login(current_user.login_id)
    logout_user()
    session.clear()
    return redirect(url_for("web.login"), 303)


def _inside(path: str) -> str | None:
    """Only a path of ours: `//host`, backslashes, control characters lead elsewhere in browsers."""
    if not path.startswith("/") or path.startswith(("//", "/\\")) or not path.isprintable():
        return None
    return None if "\\" in path else path


def _home_of(role: str) -> str:
    return url_for("web.wallet") if role == "customer" else url_for("staff.today")
