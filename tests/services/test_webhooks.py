"""Who is told what: written down with the mark of the relay, for everybody who listens then."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import event, text

from payments.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from payments.domain.facts import Fact
from payments.queue import MemoryQueue
from payments.services.access import NOBODY
from payments.services.relay import relay_once
from payments.services.webhooks import endpoints as webhooks
from payments.services.webhooks.endpoints import MOST_ENDPOINTS, Changes
from payments.store import outbox, webhook_deliveries
from payments.store import webhooks as endpoints
from payments.store.db import db, in_transaction, now
from payments.store.webhook_deliveries import Delivery
from payments.store.webhooks import Endpoint
from tests.outside import ON_SQLITE, seen
from tests.people import People

HERE = "http://127.0.0.1:9/hooks"
"""Nobody is called in these tests."""


def listens(people: People, *events: str, url: str = HERE) -> Endpoint:
    return people.in_app(webhooks.create, people.house.settings, people.shop, url, events)


def happens(people: People, *told: tuple[str, str, int]) -> None:
    """Facts (event, topic, version), committed."""

    def change() -> None:
        for name, topic, version in told:
            outbox.add(Fact(topic, version, name, {"id": topic, "version": version}, {}, now()))

    people.in_app(in_transaction, change)


def relayed(people: People) -> int:
    return people.in_app(relay_once, MemoryQueue())


def deliveries(people: People, endpoint: Endpoint | None = None) -> list[Delivery]:
    """Oldest first."""
    which = endpoint.id if endpoint else None
    return list(reversed(people.in_app(webhook_deliveries.page, endpoint_id=which, limit=1000)))


def test_everybody_who_listens_gets_a_message_and_nobody_another(people: People) -> None:
    every, paid, cards = (
        listens(people),
        listens(people, "order.paid"),
        listens(people, "card.saved"),
    )
    happens(people, ("order.created", "order:1", 1), ("order.paid", "order:1", 2))
    happens(people, ("order.expired", "order:2", 2), ("live.payment", "live:1", 1))
    relayed(people)
    assert sorted(one.event for one in deliveries(people, every)) == ["order.expired", "order.paid"]
    assert [one.event for one in deliveries(people, paid)] == ["order.paid"]
    assert deliveries(people, cards) == []
    (mine,), (theirs, *_) = (
        deliveries(people, paid),
        [one for one in deliveries(people, every) if one.event == "order.paid"],
    )
    assert mine.webhook_id == theirs.webhook_id
    assert (mine.status, mine.tries, mine.topic, mine.version) == ("waiting", 0, "order:1", 2)


def test_relayed_again_after_a_crash_a_fact_is_one_message(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the queue took it, or in the transaction of the mark: both are done again."""
    endpoint = listens(people)
    happens(people, ("order.paid", "order:1", 1))

    def dies(_facts: Sequence[Fact]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(outbox, "mark_published", dies)
        with pytest.raises(KeyboardInterrupt):
            relayed(people)
    assert deliveries(people) == [], "neither marked nor written down"
    relayed(people)
    people.in_app(
        in_transaction, lambda: db.session.execute(text("UPDATE outbox SET published_at = NULL"))
    )
    assert relayed(people) == 1
    assert len(deliveries(people, endpoint)) == 1


def test_who_listens_later_is_not_told_of_before_and_who_left_is_told_no_more(
    people: People,
) -> None:
    happens(people, ("order.paid", "order:1", 1))
    relayed(people)
    endpoint = listens(people)
    assert deliveries(people, endpoint) == []
    people.in_app(
        webhooks.edit,
        *(people.house.settings, people.shop, endpoint.id),
        Changes(enabled=False),
    )
    happens(people, ("order.paid", "order:2", 1))
    relayed(people)
    assert deliveries(people, endpoint) == []


def test_without_endpoints_a_round_of_facts_costs_one_small_question(people: People) -> None:
    happens(people, *(("order.paid", "order:1", version) for version in range(1, 60)))
    with people.app.app_context():
        engine = db.engine
    asked: list[str] = []

    def listen(_c: object, _cursor: object, statement: str, *_more: object) -> None:
        if "webhook" in statement:
            asked.append(statement)

    event.listen(engine, "before_cursor_execute", listen)
    try:
        assert relayed(people) == 59
        assert len(asked) == 1
        happens(people, ("payment.started", "order:1", 60))
        assert relayed(people) == 1
        assert len(asked) == 1, "what nobody could be told of asks nothing"
    finally:
        event.remove(engine, "before_cursor_execute", listen)


def test_what_waits_while_it_is_disabled_is_sent_when_it_is_enabled(people: People) -> None:
    endpoint = listens(people)
    happens(people, ("order.paid", "order:1", 1))
    relayed(people)

    def enabled(yes: bool) -> Endpoint:
        return people.in_app(
            webhooks.edit, people.house.settings, people.shop, endpoint.id, Changes(enabled=yes)
        )

    def due() -> list[str]:
        return [one.id for one in people.in_app(endpoints.with_something_due, now())]

    assert due() == [endpoint.id]
    off = enabled(False)
    assert (off.enabled, off.disabled_why) == (False, "by_staff")
    assert due() == []
    assert deliveries(people)[0].status == "waiting"
    assert enabled(True).enabled
    assert due() == [endpoint.id]


def test_a_message_is_delivered_again_under_its_own_id(people: People) -> None:
    listens(people)
    happens(people, ("order.paid", "order:1", 1))
    relayed(people)
    (first,) = deliveries(people)
    made = [people.in_app(webhooks.redeliver, people.shop, first.id) for _ in range(2)]
    assert {one.webhook_id for one in made} == {first.webhook_id}
    assert [one.round for one in made] == [1, 2]
    assert {one.status for one in made} == {"waiting"}
    assert len(deliveries(people)) == 3


def test_what_cannot_be_delivered_again_says_why(people: People) -> None:
    endpoint = listens(people)
    happens(people, ("order.paid", "order:1", 1))
    relayed(people)
    (first,) = deliveries(people)

    def refused() -> str:
        with pytest.raises(Conflict) as refusal:
            people.in_app(webhooks.redeliver, people.shop, first.id)
        return refusal.value.code

    edit = (webhooks.edit, people.house.settings, people.shop, endpoint.id)
    people.in_app(*edit, Changes(enabled=False))
    assert refused() == "endpoint_disabled"
    people.in_app(*edit, Changes(enabled=True))
    people.in_app(in_transaction, lambda: db.session.execute(text("DELETE FROM outbox")))
    assert refused() == "message_gone"
    with pytest.raises(NotFound):
        people.in_app(webhooks.redeliver, people.shop, "none")


def test_after_an_outage_what_was_not_taken_is_sent_again(people: People) -> None:
    began = now()
    happens(people, ("order.paid", "order:before", 1))
    relayed(people)
    endpoint = listens(people, "order.paid", "order.expired")
    for number in range(4):
        happens(
            people, ("order.paid", f"order:{number}", 1), ("payment.failed", f"order:{number}", 2)
        )
    relayed(people)
    failed, taken, _waits, forgotten = deliveries(people)

    def outage() -> None:
        for one, status in ((failed, "failed"), (taken, "delivered")):
            db.session.execute(
                text(
                    "UPDATE webhook_deliveries SET status = :status, next_at = NULL, "
                    "ended_at = created_at WHERE id = :id"
                ),
                {"status": status, "id": one.id},
            )
        db.session.execute(
            text("DELETE FROM webhook_deliveries WHERE id = :id"), {"id": forgotten.id}
        )

    people.in_app(in_transaction, outage)
    assert people.in_app(webhooks.recover, people.shop, endpoint.id, began) == 3
    again = [one for one in deliveries(people) if one.status == "waiting"]
    assert sorted((one.topic, one.round) for one in again) == [
        *(("order:0", 1), ("order:2", 0), ("order:3", 0), ("order:before", 0)),
    ]
    assert people.in_app(webhooks.recover, people.shop, endpoint.id, began) == 0
    assert people.in_app(webhooks.recover, people.shop, endpoint.id, now()) == 0
    for since in (now() - timedelta(days=31), now() + timedelta(minutes=1)):
        with pytest.raises(InvalidInput):
            people.in_app(webhooks.recover, people.shop, endpoint.id, since)


def test_after_a_rotation_both_secrets_sign_for_a_day(people: People) -> None:
    before = listens(people)
    after = people.in_app(webhooks.rotate, people.shop, before.id)
    assert after.secret != before.secret
    assert after.signing(now()) == (after.secret, before.secret)
    assert after.signing(now() + timedelta(hours=23, minutes=59))[1:] == (before.secret,)
    assert after.signing(now() + timedelta(hours=24, minutes=1)) == (after.secret,)


def test_no_secret_stands_in_the_audit_or_in_what_is_printed(people: People) -> None:
    endpoint = listens(people, url="http://127.0.0.1:9/hooks?token=hidden")
    rotated = people.in_app(webhooks.rotate, people.shop, endpoint.id)
    people.in_app(webhooks.remove, people.shop, endpoint.id)
    rows = people.in_app(
        lambda: db.session.execute(text("SELECT action, detail FROM audit ORDER BY id")).all()
    )
    actions = [row.action for row in rows]
    assert actions[-3:] == ["webhook.created", "webhook.rotated", "webhook.removed"]
    for secret in (endpoint.secret, rotated.secret, "hidden"):
        assert secret not in str(rows)
    assert endpoint.secret not in repr(rotated)
    assert rotated.secret not in repr(rotated)


def test_whoever_is_removed_takes_all_its_messages_along(people: People) -> None:
    gone, stays = listens(people), listens(people)
    happens(people, ("order.paid", "order:1", 1))
    relayed(people)
    people.in_app(webhooks.remove, people.shop, gone.id)
    assert [one.endpoint_id for one in deliveries(people)] == [stays.id]
    with pytest.raises(NotFound):
        people.in_app(webhooks.remove, people.shop, gone.id)


def test_an_endpoint_removed_between_the_question_and_the_row_stops_no_relay(
    people: People, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL the question holds its endpoints; on SQLite nobody else writes meanwhile."""
    endpoint = listens(people)
    happens(people, ("order.paid", "order:1", 1))
    asked = endpoints.listening
    held = []

    def meanwhile() -> Sequence[Endpoint]:
        found = asked()
        if "postgresql" in people.house.settings.database_url:
            with db.engine.connect() as other:
                rows = other.execute(
                    text("SELECT id FROM webhook_endpoints FOR UPDATE SKIP LOCKED")
                )
                held.append(rows.all() == [])
        return found

    monkeypatch.setattr(endpoints, "listening", meanwhile)
    relayed(people)
    assert all(held)
    assert len(deliveries(people, endpoint)) == 1


def test_whoever_has_no_right_changes_nothing(people: People) -> None:
    endpoint = listens(people)
    for who, refusal in (
        *((one, Forbidden) for one in (people.clerk, people.manager, people.owner)),
        (NOBODY, Unauthenticated),
    ):
        for deed in (
            lambda who=who: webhooks.create(people.house.settings, who, HERE, []),
            lambda who=who: webhooks.edit(people.house.settings, who, endpoint.id, Changes()),
            lambda who=who: webhooks.rotate(who, endpoint.id),
            lambda who=who: webhooks.remove(who, endpoint.id),
            lambda who=who: webhooks.redeliver(who, "none"),
            lambda who=who: webhooks.recover(who, endpoint.id, now()),
        ):
            with pytest.raises(refusal):
                people.in_app(deed)
    assert people.in_app(endpoints.find, endpoint.id) == endpoint


def test_there_are_so_many_endpoints_and_no_more(people: People) -> None:
    for _ in range(MOST_ENDPOINTS):
        listens(people)
    with pytest.raises(Conflict):
        listens(people)
    assert people.in_app(endpoints.count) == MOST_ENDPOINTS


@ON_SQLITE
def test_a_rebuild_keeps_who_is_told_and_what_they_have_still_to_take(
    app: Flask, people: People, tmp_path: Path
) -> None:
    endpoint = listens(people, "order.paid")
    order = people.order()
    seen(people, order.id, 50_000)
    relayed(people)
    into = tmp_path / "rebuilt.db"
    done = app.test_cli_runner().invoke(args=["rebuild", "--into", f"sqlite:///{into}"])
    assert done.exit_code == 0, done.output
    with sqlite3.connect(into) as rebuilt:
        told = rebuilt.execute(
            "SELECT w.url, w.secret, d.webhook_id, d.status, o.event, o.published_at IS NOT NULL "
            "FROM webhook_deliveries d JOIN webhook_endpoints w ON w.id = d.endpoint_id "
            "JOIN outbox o ON o.topic = d.topic AND o.version = d.version"
        ).fetchall()
    rebuilt.close()
    (waits,) = deliveries(people)
    assert told == [(HERE, endpoint.secret, waits.webhook_id, "waiting", "order.paid", 1)]


class TestInProduction:
    @pytest.fixture
    def environment(self) -> dict[str, str]:
        return {"APP_ENV": "production", "SECRET_KEY": "long enough to be a secret"}

    def test_a_name_that_leads_inside_is_refused_where_it_is_given(self, people: People) -> None:
        for inside in ("127.0.0.1", "10.0.0.1", "::1", "::ffff:192.168.0.1"):
            with pytest.raises(InvalidInput) as refused:
                people.in_app(
                    webhooks.create,
                    *(people.house.settings, people.shop, "https://shop.example/", []),
                    resolve=lambda _host, _port, address=inside: [address],
                )
            assert (refused.value.code, refused.value.field) == ("inside_address", "url")
        assert people.in_app(endpoints.count) == 0

    def test_a_name_that_nobody_knows_yet_is_taken(self, people: People) -> None:
        def unknown(_host: str, _port: int) -> Sequence[str]:
            raise OSError

        made = people.in_app(
            webhooks.create,
            *(people.house.settings, people.shop, "https://shop.example/", []),
            resolve=unknown,
        )
        with pytest.raises(InvalidInput):
            people.in_app(
                webhooks.edit,
                *(people.house.settings, people.shop, made.id),
                Changes(url="https://10.0.0.1/"),
            )
        found = people.in_app(endpoints.find, made.id)
        assert found is not None
        assert found.url == "https://shop.example/"
