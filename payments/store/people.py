"""People and API keys. Secrets are stored only as hashes."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update

from payments.store.db import db, insert_once, now
from payments.store.tables import api_keys, users


@dataclass(frozen=True, slots=True)
class User:
    id: str
    email: str | None
    name: str | None
    locale: str | None
    role: str
    password_hash: str | None
    login_epoch: int
    disabled_at: datetime | None


_COLUMNS = [users.c[name] for name in User.__dataclass_fields__]


def _one(condition: Any) -> User | None:
    row = db.session.execute(select(*_COLUMNS).where(condition)).one_or_none()
    return User(**row._mapping) if row else None


def find(user_id: str) -> User | None:
    return _one(users.c.id == user_id)


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
                "login_epoch": 0,
                "created_at": now(),
            },
            users.c.id,
        )
        is not None
    )


def end_logins(user_id: str) -> None:
    """Every cookie of this person made so far stops being a login."""
    db.session.execute(
        update(users).where(users.c.id == user_id).values(login_epoch=users.c.login_epoch + 1)
    )


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
