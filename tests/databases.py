"""Empty databases for one test after another, without making a new one each time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2.extensions import cursor

from tests.servers import PostgresServer

_CUT_OFF = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_SCHEMA = """
    SELECT md5(string_agg(line, '|' ORDER BY line)) FROM (
      SELECT 'c' || oid || relname || relhastriggers AS line FROM pg_class
        WHERE relnamespace = 'public'::regnamespace
      UNION ALL SELECT 't' || oid || tgname || tgenabled::text FROM pg_trigger
      UNION ALL SELECT 'k' || oid || conname FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
      UNION ALL SELECT 'f' || oid || prosrc FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
      UNION ALL SELECT 'a' || attrelid || attname || attnum || atttypid || attnotnull
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace
      UNION ALL SELECT 's' || setdatabase || array_to_string(setconfig, ',')
        FROM pg_db_role_setting
    ) AS lines
"""
_EMPTY = """
    DO $$
    DECLARE one record;
    BEGIN
      -- Append-only tables refuse otherwise.
      SET LOCAL session_replication_role = replica;
      FOR one IN SELECT relname, relkind FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')
          AND relname <> 'alembic_version'
      LOOP
        IF one.relkind = 'r' THEN EXECUTE format('DELETE FROM %I', one.relname);
        ELSE PERFORM setval(format('%I', one.relname)::regclass, 1, false);
        END IF;
      END LOOP;
    END $$
"""


class EmptyDatabases:
    """Databases with tables and without rows.

    One that comes back is emptied and given out again, unless its test changed more than rows.
    """

    def __init__(self, server: PostgresServer, template: str) -> None:
        self._server = server
        self._template = template
        self._schemas = dict[str, str]()
        self._free = list[str]()

    def take(self) -> str:
        """The URL of a database that is this test's alone."""
        if self._free:
            return self._free.pop()
        url = self._server.create_database(template=self._template)
        with _administrator(url) as admin:
            self._schemas[url] = _schema(admin)
        return url

    def give_back(self, url: str) -> None:
        try:
            with _administrator(url) as admin:
                admin.execute(_CUT_OFF)
                if _schema(admin) == self._schemas[url]:
                    admin.execute(_EMPTY)
                    self._free.append(url)
                    return
        except psycopg2.Error:
            # It is in no state to be used again, and may be gone.
            pass
        self._server.drop_database(url)


def _schema(admin: cursor) -> str:
    admin.execute(_SCHEMA)
    return str(admin.fetchone())


@contextmanager
def _administrator(url: str) -> Iterator[cursor]:
    connection = psycopg2.connect(url, connect_timeout=10)
    try:
        connection.autocommit = True
        with connection.cursor() as opened:
            yield opened
    finally:
        connection.close()
