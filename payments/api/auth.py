"""A person's password for a token."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_login import login_user

from payments.api import schemas
from payments.api.blueprint import api
from payments.api.body import read
from payments.front.request import LoggedIn, house, own_origins
from payments.services import accounts


@api.post("/auth/token")
def token() -> dict[str, Any]:
    asked = read(schemas.Credentials)
    user = accounts.sign_in(house().offload, asked.email, asked.password)
    login_id = accounts.begin_login(user.id)
    made, life = house().tokens.person(user.id, login_id)
    if request.headers.get("Origin", "").lower() in own_origins():
        login_user(LoggedIn(user, login_id))
    return {"token": made, "expires_in": life}
