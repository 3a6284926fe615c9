"""The tables of the journal, and how an older journal becomes one of today."""

from __future__ import annotations

import sqlite3

MIGRATIONS = (
    """
    CREATE TABLE run (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        state TEXT NOT NULL,
        workflow TEXT NOT NULL,
        created_ns INTEGER NOT NULL,
        ended_ns INTEGER NOT NULL DEFAULT 0,
        params TEXT NOT NULL,
        provenance TEXT NOT NULL,
        sessions INTEGER NOT NULL DEFAULT 1
    ) STRICT;
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        run TEXT NOT NULL REFERENCES run,
        step TEXT NOT NULL DEFAULT '',
        attempt INTEGER NOT NULL DEFAULT 0,
        kind TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT '',
        time_ns INTEGER NOT NULL,
        body TEXT NOT NULL DEFAULT '{}'
    ) STRICT;
    CREATE INDEX event_of_run ON event (run, seq);
    CREATE TABLE step (
        run TEXT NOT NULL REFERENCES run,
        id TEXT NOT NULL,
        position INTEGER NOT NULL,
        name TEXT NOT NULL,
        uses TEXT NOT NULL,
        matrix TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        state TEXT NOT NULL,
        attempt INTEGER NOT NULL DEFAULT 0,
        started_ns INTEGER NOT NULL DEFAULT 0,
        ended_ns INTEGER NOT NULL DEFAULT 0,
        outputs TEXT NOT NULL DEFAULT '{}',
        error TEXT NOT NULL DEFAULT '{}',
        reason TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (run, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE resource (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run TEXT NOT NULL REFERENCES run,
        step TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        external_id TEXT NOT NULL DEFAULT '',
        inside INTEGER NOT NULL DEFAULT 0,
        state TEXT NOT NULL,
        detail TEXT NOT NULL DEFAULT '{}',
        created_ns INTEGER NOT NULL,
        updated_ns INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX resource_of_run ON resource (run, step, state);
    CREATE TABLE part (
        path TEXT PRIMARY KEY,
        run TEXT NOT NULL REFERENCES run,
        step TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        tbl TEXT NOT NULL,
        rows INTEGER NOT NULL,
        time_ns INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX part_of_run ON part (run, step, tbl);
    """,
    """
    ALTER TABLE step ADD COLUMN cell INTEGER NOT NULL DEFAULT 0;
    """,
    """
    ALTER TABLE run ADD COLUMN parent TEXT NOT NULL DEFAULT '';
    ALTER TABLE run ADD COLUMN plan TEXT NOT NULL DEFAULT 'plan.json';
    ALTER TABLE step ADD COLUMN took_ns INTEGER NOT NULL DEFAULT 0;
    UPDATE step SET took_ns = ended_ns - started_ns WHERE started_ns > 0 AND ended_ns > started_ns;
    ALTER TABLE step ADD COLUMN cpu_s REAL NOT NULL DEFAULT 0;
    ALTER TABLE step ADD COLUMN memory_bytes INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE step ADD COLUMN origin TEXT NOT NULL DEFAULT '';
    ALTER TABLE resource ADD COLUMN expires_ns INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE progress (
        run TEXT NOT NULL REFERENCES run,
        step TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        done REAL NOT NULL,
        total REAL NOT NULL,
        note TEXT NOT NULL,
        cpu_s REAL NOT NULL,
        memory_bytes INTEGER NOT NULL,
        heard_ns INTEGER NOT NULL,
        PRIMARY KEY (run, step)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE lease (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        run TEXT NOT NULL,
        step TEXT NOT NULL,
        owner TEXT NOT NULL,
        since_ns INTEGER NOT NULL,
        expires_ns INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX lease_of_name ON lease (name, id);
    CREATE INDEX event_of_step ON event (run, step, seq);
    """,
)
"""One script per version; `user_version` says how many have been applied."""


def migrate(connection: sqlite3.Connection) -> int:
    """Bring a journal up to date; returns the version it had. Safe against two processes doing it at once."""
    had = _version(connection)
    if had >= len(MIGRATIONS):
        return had
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number in range(_version(connection), len(MIGRATIONS)):
            for statement in MIGRATIONS[number].split(";"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return had


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
