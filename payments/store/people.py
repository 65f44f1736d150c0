"""People and API keys. Secrets are stored only as hashes."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from payments.store.db import db, insert_once, now
from payments.store.tables import api_keys, logins, users

LOGIN_PREFIX = "L"
LOGIN_LIFE = timedelta(days=90)
"""After it one signs in again."""


@dataclass(frozen=True, slots=True)
class User:
    id: str
    email: str | None
    name: str | None
    locale: str | None
    role: str
    password_hash: str | None
    disabled_at: datetime | None


_COLUMNS = [users.c[name] for name in User.__dataclass_fields__]


def _one(condition: Any) -> User | None:
    row = db.session.execute(select(*_COLUMNS).where(condition)).one_or_none()
    return User(**row._mapping) if row else None


def find(user_id: str) -> User | None:
    return _one(users.c.id == user_id)


def known_by(user_id: str | None, at: datetime) -> str | None:
    """The id again, if somebody had it by then; a rebuild knows of people who came later."""
    if user_id is None:
        return None
    return db.session.execute(
        select(users.c.id).where(users.c.id == user_id, users.c.created_at <= at)
    ).scalar_one_or_none()


def find_email(email: str) -> User | None:
    return _one(users.c.email == email.strip().lower())


def add(
    user_id: str,
    *,
    email: str | None = None,
    name: str | None = None,
    locale: str | None = None,
    role: str = "customer",
    password_hash: str | None = None,
) -> bool:
    """False where the id or the e-mail is taken."""
    return (
        insert_once(
            users,
            {
                "id": user_id,
                "email": email.strip().lower() if email else None,
                "name": name,
                "locale": locale,
                "role": role,
                "password_hash": password_hash,
                "created_at": now(),
            },
            users.c.id,
        )
        is not None
    )


def begin_login(user_id: str) -> str:
    """The id of a new login: the cookie and the token that it gives hold it."""
    login_id = LOGIN_PREFIX + secrets.token_hex(12)
    db.session.execute(insert(logins).values(id=login_id, user_id=user_id, created_at=now()))
    return login_id


def end_login(login_id: str) -> None:
    """Its cookie and its token stop being a login; the person's other ones stay."""
    db.session.execute(
        update(logins)
        .where(logins.c.id == login_id, logins.c.ended_at.is_(None))
        .values(ended_at=now())
    )


def find_login(login_id: str) -> User | None:
    """Whose login this is; None where it has ended or is none."""
    row = db.session.execute(
        select(*_COLUMNS)
        .join(logins, logins.c.user_id == users.c.id)
        .where(logins.c.id == login_id, logins.c.ended_at.is_(None))
    ).one_or_none()
    return User(**row._mapping) if row else None


def ended_logins(login_ids: Sequence[str]) -> set[str]:
    """Those of them that have ended. A `sid` that is not ours has not."""
    ended = select(logins.c.id).where(logins.c.id.in_(login_ids), logins.c.ended_at.is_not(None))
    return set(db.session.execute(ended).scalars())


def forget_old_logins() -> None:
    db.session.execute(delete(logins).where(logins.c.created_at < now() - LOGIN_LIFE))


def key_hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def add_key(name: str, key: str) -> str:
    key_id = secrets.token_hex(8)
    db.session.execute(
        insert(api_keys).values(id=key_id, name=name, key_hash=key_hash(key), created_at=now())
    )
    return key_id


def find_key(key: str) -> tuple[str, str] | None:
    """(id, name) of a key that is not revoked."""
    row = db.session.execute(
        select(api_keys.c.id, api_keys.c.name).where(
            api_keys.c.key_hash == key_hash(key), api_keys.c.revoked_at.is_(None)
        )
    ).one_or_none()
    return (row.id, row.name) if row else None


def count() -> int:
    return db.session.execute(select(func.count()).select_from(users)).scalar_one()
