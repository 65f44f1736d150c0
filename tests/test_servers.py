import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path

import psycopg2
import pytest
import redis

from tests import servers
from tests.servers import (
    PostgresServer,
    Process,
    RedisServer,
    ServerFailed,
    free_port,
    postgres_server,
    redis_server,
)

Starter = Callable[[], AbstractContextManager[PostgresServer | RedisServer]]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def a_redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


def answer_of(connection: psycopg2.extensions.connection, question: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchone()


def ask(url: str, question: str) -> object:
    with closing(psycopg2.connect(url, connect_timeout=2)) as connection:
        return answer_of(connection, question)


def client_of(server: RedisServer) -> redis.Redis:
    return redis.Redis.from_url(server.url, socket_timeout=0.5, retry=None)


def gone(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return False
    return True


def test_no_port_is_given_twice() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50


def test_each_database_is_new_empty_and_unicode(postgres: PostgresServer) -> None:
    one, other = postgres.create_database(), postgres.create_database()
    assert one != other
    assert one.startswith("postgresql://")
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert ask(one, tables) == (0,)
    assert ask(one, "SHOW server_encoding") == ("UTF8",)


def test_a_database_made_from_another_begins_as_its_copy(postgres: PostgresServer) -> None:
    first = postgres.create_database()
    with closing(psycopg2.connect(first)) as connection:
        connection.cursor().execute("CREATE TABLE kept AS SELECT 7 AS number")
        connection.commit()
    assert ask(postgres.create_database(template=first), "SELECT number FROM kept") == (7,)


def test_a_database_in_use_can_be_dropped(postgres: PostgresServer) -> None:
    url = postgres.create_database()
    with closing(psycopg2.connect(url)):
        postgres.drop_database(url)
    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        psycopg2.connect(url)


def test_data_outlive_a_restart_of_postgresql(postgres: PostgresServer) -> None:
    url = postgres.create_database()
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        connection.cursor().execute("CREATE TABLE kept AS SELECT 7 AS number")
        before = postgres.pid
        postgres.restart()
        assert postgres.pid != before
    assert ask(url, "SELECT number FROM kept") == (7,)


def test_a_stopped_postgresql_refuses_and_comes_back_on_its_port(postgres: PostgresServer) -> None:
    url = postgres.create_database()
    postgres.stop()
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        psycopg2.connect(url)
    postgres.start()
    assert ask(url, "SELECT 1") == (1,)


def test_a_paused_postgresql_hangs_open_and_new_connections(postgres: PostgresServer) -> None:
    url = postgres.create_database()
    with closing(psycopg2.connect(url)) as opened, ThreadPoolExecutor() as threads:
        postgres.pause()
        try:
            answer = threads.submit(answer_of, opened, "SELECT 1")
            with pytest.raises(psycopg2.OperationalError, match="timeout"):
                psycopg2.connect(url, connect_timeout=2)
            assert not answer.done()
        finally:
            postgres.resume()
        assert answer.result(timeout=5) == (1,)
    assert ask(url, "SELECT 1") == (1,)


@pytest.mark.parametrize("start", [postgres_server, redis_server])
def test_a_server_leaves_nothing_behind_after_a_failure(start: Starter) -> None:
    left: list[tuple[int, Path]] = []

    def fail() -> None:
        with start() as server:
            left.append((server.pid, server.directory))
            server.pause()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    [(pid, directory)] = left
    assert gone(pid)
    assert not directory.exists()


def test_redis_answers_and_is_flushed(a_redis: RedisServer) -> None:
    with client_of(a_redis) as client:
        client.set("a", "1")
        a_redis.flush()
        assert client.get("a") is None


def test_a_restarted_redis_is_empty_and_on_its_port(a_redis: RedisServer) -> None:
    with client_of(a_redis) as client:
        client.set("a", "1")
        a_redis.stop()
        with pytest.raises(redis.ConnectionError):
            client.get("a")
        a_redis.start()
        assert client.get("a") is None


def test_a_paused_redis_hangs(a_redis: RedisServer) -> None:
    with client_of(a_redis) as client:
        client.ping()
        a_redis.pause()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        a_redis.resume()
        assert client.ping()


def test_another_redis_on_the_port_is_not_taken_for_ours(a_redis: RedisServer) -> None:
    with redis_server() as second:
        second.stop()
        second.port, second.url = a_redis.port, a_redis.url
        with pytest.raises(ServerFailed, match="Address already in use"):
            second.start()


def test_a_program_that_ends_at_once_shows_what_it_said(tmp_path: Path) -> None:
    process = Process("teller", tmp_path / "log")
    with pytest.raises(ServerFailed, match=r"ended with 3(?s:.*)no such shop"):
        process.launch(
            ["/bin/sh", "-c", "echo no such shop; exit 3"], {}, lambda: False, directory=tmp_path
        )
    assert not process.running


def test_a_program_that_never_answers_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "START_SECONDS", 0.1)
    process = Process("sleeper", tmp_path / "log")
    with pytest.raises(ServerFailed, match="not ready"):
        process.launch(["/bin/sleep", "60"], {}, lambda: False, directory=tmp_path)
    assert not process.running


def test_a_program_that_ignores_sigterm_is_killed_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "STOP_SECONDS", 0.2)
    process = Process("stubborn", tmp_path / "log")
    script = "trap '' TERM; echo up; while :; do sleep 0.05; done"
    process.launch(
        ["/bin/sh", "-c", script], os.environ, lambda: "up" in process.log(), directory=tmp_path
    )
    pid = process.pid
    with pytest.raises(ServerFailed, match="stayed after SIGTERM"):
        process.end(signal.SIGTERM)
    assert gone(pid)


def test_a_missing_redis_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ServerFailed, match="redis-server is missing"), redis_server():
        pass
