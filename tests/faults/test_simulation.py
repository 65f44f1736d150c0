"""Row 32: thousands of short stories of everybody at once, each repeatable by its seed.

`FAULTS_STORY=<seed>` tells that one again.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from payments.bootstrap import create_app
from payments.domain.facts import Fact
from payments.domain.ledger import Posting
from payments.services import callbacks
from payments.services.apply import Verdict, apply
from payments.settings import load
from payments.store import inbox, ledger, outbox, refunds
from payments.store.db import db, end_read, in_transaction
from tests import feeds
from tests.conftest import ENVIRONMENT
from tests.faults import invariants, simulation, story
from tests.faults.report import Outcome
from tests.faults.simulation import Simulation, World, controlled

STEPS = 25
FOUND_WITHIN = 500
"""Stories until a planted fault must have shown itself."""

MINUTES = [pytest.mark.long, pytest.mark.timeout(900)]

Step = Callable[[World], None]
Plant = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture
def stories(migrated_sqlite: Path, tmp_path: Path, figures: Outcome) -> Iterator[Simulation]:
    figures.where = "SQLite in memory"
    given = {
        **ENVIRONMENT,
        **feeds.SETTINGS,
        "DATABASE_URL": "sqlite://",
        "INSTANCE_PATH": str(tmp_path),
        "CONFIRM_LIMIT": "VND:20000,XAF:20000",
        "CAMPAY_PERMANENT_ACCESS_TOKEN": "a token of the tests",
        "CAMPAY_WEBHOOK_KEY": "a key of the tests that is long enough",
    }
    app = create_app(load(given))
    copy = tmp_path / "empty.db"
    copy.write_bytes(migrated_sqlite.read_bytes())
    with closing(sqlite3.connect(copy)) as empty:
        # In memory a database has no journal beside it.
        empty.execute("PRAGMA journal_mode=DELETE")
        with controlled(app, empty) as running:
            yield running
    with app.app_context():
        db.engine.dispose()


def tell(
    stories: Simulation, number: int, steps: int = STEPS, often: Collection[Step] = ()
) -> World:
    world = stories.world(random.Random(number))
    try:
        story.tell(world, steps, often)
    except Exception as fault:
        fault.add_note(f"FAULTS_STORY={number}")
        raise
    return world


@pytest.mark.fault(32)
@pytest.mark.parametrize(("seconds", "least"), [(0, 40), pytest.param(60, 500, marks=MINUTES)])
def test_however_a_story_goes_the_books_and_the_pages_end_right(
    stories: Simulation, seconds: int, least: int, seed: random.Random, figures: Outcome
) -> None:
    """As many stories as the time holds, and not fewer than `least`."""
    if os.environ.get("FAULTS_STORY"):
        tell(stories, int(os.environ["FAULTS_STORY"]))
        return
    end = time.monotonic() + seconds
    told = deaths = pages = 0
    while told < least or time.monotonic() < end:
        world = tell(stories, seed.randrange(2**32))
        told, deaths, pages = told + 1, deaths + world.deaths, pages + len(world.pages)
    figures.note(f"{told} stories of {STEPS} steps, {deaths} deaths, {pages} pages: all right")


def a_posting_twice(patch: pytest.MonkeyPatch) -> None:
    append = ledger.append

    def twice(posting: Posting, order_id: str | None) -> None:
        append(posting, order_id)
        if posting.cause.startswith("receipt:"):
            append(replace(posting, cause=f"{posting.cause} again"), order_id)

    patch.setattr(ledger, "append", twice)


def a_fact_forgotten(patch: pytest.MonkeyPatch) -> None:
    add = outbox.add

    def forgetful(fact: Fact) -> None:
        if fact.event != "order.expired":
            add(fact)

    patch.setattr(outbox, "add", forgetful)


def marked_before_it_is_published(patch: pytest.MonkeyPatch) -> None:
    def hasty(queue: Any) -> int:
        facts = outbox.unpublished(200)
        in_transaction(lambda: outbox.mark_published(facts))
        queue.publish(facts)
        return len(facts)

    patch.setattr(simulation, "relay_once", hasty)


def promised_refunds_not_counted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(refunds, "claimed", lambda _reference: 0)


def answered_before_it_is_kept(patch: pytest.MonkeyPatch) -> None:
    calls = iter(range(10**9))

    def careless(notices: Any, raw: Any) -> Sequence[Verdict]:
        return [] if next(calls) % 10 == 9 else apply(notices, raw)

    patch.setattr(callbacks, "apply", careless)


def kept_in_a_transaction_of_its_own(patch: pytest.MonkeyPatch) -> None:
    append = inbox.append

    def on_its_own(*args: Any, **kwargs: Any) -> int | None:
        entry = append(*args, **kwargs)
        db.session.commit()
        return entry

    patch.setattr(inbox, "append", on_its_own)


PLANTED: dict[Plant, tuple[int, tuple[Step, ...]]] = {
    a_posting_twice: (25, ()),
    a_fact_forgotten: (25, ()),
    # A later fact would fill the gap: it shows where the story ends soon.
    marked_before_it_is_published: (12, (story.it_dies_while_it_passes_on,)),
    promised_refunds_not_counted: (25, (story.payer_decides, story.staff_refund)),
    answered_before_it_is_kept: (25, (story.money_by_bank, story.shop_says)),
    kept_in_a_transaction_of_its_own: (25, (story.a_letter_arrives, story.the_process_will_die)),
}
"""With the steps of a story, and what has to happen often for the fault to show itself soon."""


@pytest.mark.fault(32)
@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_found_soon(
    stories: Simulation, plant: Plant, seed: random.Random, figures: Outcome
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        steps, often = PLANTED[plant]
        for told in range(1, FOUND_WITHIN + 1):
            try:
                tell(stories, seed.randrange(2**32), steps, often)
            except Exception as fault:
                words = str(fault)[:80]
                figures.note(f"{plant.__name__.replace('_', ' ')}: found by story {told}: {words}")
                return
    pytest.fail(f"{plant.__name__} was not found in {FOUND_WITHIN} stories")


class Steps(RuleBasedStateMachine):
    """The same world, one step after another as hypothesis chooses; it finds the shortest story."""

    stories: Simulation
    taken = 0

    @initialize(seed=st.integers(0, 2**32))
    def open_shop(self, seed: int) -> None:
        self.world = self.stories.world(random.Random(seed))
        story.open_order(self.world)

    @rule(step=st.sampled_from(list(story.STEPS)))
    def something_happens(self, step: Callable[[World], None]) -> None:
        Steps.taken += 1
        if self.world.order_ids:
            step(self.world)

    @invariant()
    def the_books_are_right(self) -> None:
        if hasattr(self, "world"):
            invariants.check_books()
            end_read()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            story.finish(self.world)


@pytest.mark.fault(32)
@pytest.mark.parametrize(("stories_told", "steps"), [(8, 25), pytest.param(200, 50, marks=MINUTES)])
def test_no_step_breaks_an_invariant(
    stories: Simulation, stories_told: int, steps: int, figures: Outcome
) -> None:
    Steps.stories, Steps.taken = stories, 0
    run_state_machine_as_test(
        Steps,
        settings=settings(
            max_examples=stories_told,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    figures.note(f"{Steps.taken} random steps, books right after each")
