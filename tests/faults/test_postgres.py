"""Rows 7 and 8: PostgreSQL goes away, comes back, hangs, and is slow."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg2
import pytest

from tests.faults.conftest import Cluster, OpenShop
from tests.faults.harness import Shop
from tests.faults.heartbeat import file_of, worst_gap_ms
from tests.faults.report import Outcome
from tests.faults.slow_line import SlowLine
from tests.faults.traffic import between, p99_ms

RATE = 20.0
HANGING_RATE = 5.0
BACK_SECONDS = 5.0
GAP_MS = 250.0
HELD_SECONDS = 22.0
"""12 s for an answer, 5 s for the connection that is tried instead, and a margin."""
SLOW_SECONDS = 0.5
RATE_WHEN_SLOW = 2.0
"""A callback a second for each of two servers."""
MINUTES = [pytest.mark.long, pytest.mark.timeout(300)]
ON_POSTGRESQL = pytest.mark.parametrize("kind", ["postgresql"])


def idle_in_transaction(shop: Shop) -> int:
    """Connections that have begun something and forgotten it for two seconds."""
    query = """SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'
        AND state_change < now() - interval '2 seconds'"""
    connection = psycopg2.connect(shop.postgres.url("postgres"))
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return int(cursor.fetchall()[0][0])
    finally:
        connection.close()


@pytest.mark.fault(7)
@ON_POSTGRESQL
@pytest.mark.parametrize("away_seconds", [0.0, pytest.param(10.0, marks=MINUTES)])
def test_what_was_answered_is_kept_while_postgresql_goes_and_comes(
    open_shop: OpenShop, cluster: Cluster, kind: str, away_seconds: float, figures: Outcome
) -> None:
    shop = open_shop(kind, postgres=cluster)
    traffic = shop.traffic(RATE, 3 + away_seconds + 1 + 6)
    pages = shop.pages_everywhere(*list(shop.due)[::5][:40])
    traffic.start()
    time.sleep(3)
    gone_at = time.monotonic()
    shop.postgres.stop()
    time.sleep(away_seconds)
    shop.postgres.start()
    back_at = time.monotonic()
    time.sleep(6)
    answers = traffic.finish()
    failed = shop.insist_on(answers)
    assert all(500 <= one.status < 600 for one in failed), {one.status for one in failed}
    assert all(one.began + one.seconds > gone_at for one in failed)
    late = [one.began - back_at for one in failed if one.began > back_at]
    assert max(late, default=0.0) < BACK_SECONDS
    assert [one for one in answers if one.ok and one.began > back_at]
    right = shop.prove(time.monotonic())
    time.sleep(2.5)
    assert idle_in_transaction(shop) == 0
    spoken = sorted({one.status for one in failed})
    figures.note(
        f"away {away_seconds:g} s: {len(answers)} callbacks, {len(failed)} refused {spoken}"
    )
    figures.note(f"last refusal {max(late, default=0.0):.1f} s after the return, 0 lost")
    figures.note(f"{len(pages)} pages right within {right:.1f} s, 0 idle in transaction")


@pytest.mark.fault(7)
@ON_POSTGRESQL
@pytest.mark.parametrize("mode", ["eventlet", "threading"])
@pytest.mark.parametrize("seconds", [pytest.param(20.0, marks=MINUTES)])
def test_a_postgresql_that_hangs_holds_nobody_for_long(
    open_shop: OpenShop, cluster: Cluster, kind: str, seconds: float, mode: str, figures: Outcome
) -> None:
    """SIGSTOP: connections stay open, and nothing is ever said on them."""
    shop = open_shop(kind, postgres=cluster, ASYNC_MODE=mode)
    traffic = shop.traffic(HANGING_RATE, 2 + seconds + 6)
    pages = shop.pages_everywhere(*list(shop.due)[::5][:40])
    traffic.start()
    time.sleep(2)
    gone_at = time.monotonic()
    shop.postgres.pause()
    try:
        time.sleep(seconds)
    finally:
        shop.postgres.resume()
    back_at = time.monotonic()
    time.sleep(6)
    answers = traffic.finish()
    failed = shop.insist_on(answers)
    assert all(500 <= one.status < 600 for one in failed), {one.status for one in failed}
    assert all(one.began + one.seconds > gone_at for one in failed)
    late = [one.began - back_at for one in failed if one.began > back_at]
    assert max(late, default=0.0) < BACK_SECONDS
    slowest = max(one.seconds for one in answers)
    assert slowest < HELD_SECONDS
    right = shop.prove(time.monotonic())
    time.sleep(2.5)
    assert idle_in_transaction(shop) == 0
    spoken = sorted({one.status for one in failed})
    figures.note(
        f"{mode}, hung {seconds:g} s: {len(answers)} callbacks, {len(failed)} refused {spoken}"
    )
    figures.note(f"the slowest answer took {slowest:.1f} s, 0 lost")
    figures.note(f"{len(pages)} pages right within {right:.1f} s, 0 idle in transaction")


@pytest.mark.fault(8)
@ON_POSTGRESQL
@pytest.mark.parametrize("seconds", [pytest.param(20.0, marks=MINUTES)])
def test_a_slow_postgresql_does_not_stop_the_other_pages(
    open_shop: OpenShop, kind: str, seconds: float, tmp_path: Path, figures: Outcome
) -> None:
    """Both servers beat, and have callbacks by turns."""
    lines: list[SlowLine] = []

    def detour(port: int) -> int:
        lines.append(SlowLine(port))
        return lines[0].port

    beats = tmp_path / "beats"
    shop = open_shop(
        kind,
        detour=detour,
        program=("-m", "tests.faults.heartbeat"),
        everywhere=True,
        BEAT_FILE=str(beats),
    )
    with lines[0] as line:
        traffic = shop.traffic(RATE_WHEN_SLOW, seconds + 4)
        shop.pages_everywhere(*shop.due)
        calm_at = time.monotonic()
        traffic.start()
        time.sleep(4)
        line.delay_seconds = SLOW_SECONDS / 2
        slow_at = time.monotonic()
        time.sleep(seconds)
        answers = traffic.finish()
        quick_at = time.monotonic()
        line.delay_seconds = 0.0
        files = [file_of(beats, server.port) for server in shop.servers]
        before = [worst_gap_ms(one, calm_at, slow_at) for one in files]
        meanwhile = [worst_gap_ms(one, slow_at + SLOW_SECONDS, quick_at) for one in files]
        failed = shop.insist_on(answers)
        shop.prove(time.monotonic())
        shop.close()
    slow = between(answers, slow_at, quick_at)
    assert max(one.seconds for one in slow) > SLOW_SECONDS, "the line was not slow"
    assert max(meanwhile) < GAP_MS
    calm, held = (" and ".join(f"{one:.0f}" for one in gaps) for gaps in (before, meanwhile))
    figures.note(f"worst gap of each server: {calm} ms before, {held} ms in {seconds:g} s")
    figures.note(f"callbacks took up to {p99_ms(slow) / 1000:.1f} s, {len(failed)} refused, 0 lost")
