"""Rows 1 to 3: the process dies by kill -9 at the worst moments of a payment."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.conftest import OpenShop
from tests.faults.faulty import AFTER_COMMIT, BEFORE_COMMIT, BEFORE_MARK, BEFORE_PUBLISH
from tests.faults.harness import KINDS, Shop
from tests.faults.report import Outcome

KEPT = 30
"""Orders that the pages go on to watch while others die."""
RIGHT_SECONDS = 5.0
RELAYED = {BEFORE_PUBLISH, BEFORE_MARK}
MARKED_SECONDS = 0.2
"""A server that has just published marks within this, or dies over it."""
TIMES = [2, pytest.param(34, marks=[pytest.mark.long, pytest.mark.timeout(600)])]
"""Three rows on two databases: 204 deaths of the long kind."""


class Crashes:
    """A shop whose first server dies where it is told to."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.armed = Path(shop.environment["FAULT_FILE"])
        shop.start("-m", "tests.faults.faulty")
        self.pages = [shop.page(server=place) for place in range(len(shop.servers))]
        # Slower than the deaths follow each other: it is looked at in the end.
        self.polling = shop.page(polls=True)
        self.slowest = 0.0

    def die(self, point: str) -> bool:
        """One payment, one death; the provider then goes on until it is answered.

        False where nobody died: the other server's sweep had published the fact before.
        """
        owed = self.shop.order()
        for page in self.pages:
            page.watches([owed.order_id])
        self.polling.watch(owed.order_id)
        self.armed.write_text(point)
        answer = self.shop.tell(owed.order_id, server=0)
        died = self._died(point)
        if point == BEFORE_COMMIT:
            assert not answer.ok
            assert (owed.order_id, owed.transaction) not in self.shop.books.credits()
        else:
            assert (owed.order_id, owed.transaction) in self.shop.books.credits()
        restarted = self.shop.wait_ready(0)
        if not answer.ok:
            self.shop.insist(owed.order_id)
        for page in self.pages:
            shown = page.shown[owed.order_id]
            assert page.until(lambda shown=shown: shown.status == "paid", restarted + RIGHT_SECONDS)
            self.slowest = max(self.slowest, shown.at - restarted)
        self.shop.insist(owed.order_id)
        for page in (*self.pages, self.polling):
            if len(page.shown) > KEPT:
                page.forget(next(iter(page.shown)))
        return died

    def _died(self, point: str) -> bool:
        end = time.monotonic() + 10
        while self.armed.exists():
            assert time.monotonic() < end, f"it did not die {point}"
            if len(self.shop.servers) > 1 and point in RELAYED and self.shop.books.all_told():
                time.sleep(MARKED_SECONDS)
                with suppress(FileNotFoundError):
                    self.armed.unlink()
                    return False
            time.sleep(0.005)
        return True


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "points",
    [
        pytest.param((BEFORE_COMMIT,), marks=pytest.mark.fault(1), id="before-commit"),
        pytest.param(
            (AFTER_COMMIT, BEFORE_PUBLISH), marks=pytest.mark.fault(2), id="before-publish"
        ),
        pytest.param((BEFORE_MARK,), marks=pytest.mark.fault(3), id="before-mark"),
    ],
)
def test_a_server_that_dies_in_a_payment_loses_nothing_and_doubles_nothing(
    open_shop: OpenShop,
    tmp_path: Path,
    kind: str,
    points: tuple[str, ...],
    times: int,
    seed: random.Random,
    figures: Outcome,
) -> None:
    served = open_shop(kind, started=False, FAULT_FILE=str(tmp_path / "armed"))
    crashes = Crashes(served)
    deaths = payments = 0
    while deaths < times:
        assert payments < 2 * times + 10, "it hardly ever dies"
        deaths += crashes.die(seed.choice(points))
        payments += 1
    served.prove(time.monotonic())
    figures.note(f"{deaths} deaths in {payments} payments, 0 lost, 0 doubled")
    figures.note(f"page right {max(0.0, crashes.slowest):.2f} s after the restart")
