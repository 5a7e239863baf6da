"""Many rows into one table, past the per-row machinery of the ORM; keys that are there stay.

The names of tables and columns in the statements are those of our own tables, never input.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

Row = tuple[Any, ...]
Keys = set[Row] | None


def insert_new(session: Session, table: Table, names: Sequence[str], rows: Sequence[Row]) -> Keys:
    """Insert the rows whose primary key is not there yet, and return the keys that are new.

    `names` are the columns of a row, those of the key first; values are as the driver takes them.
    None means that all rows are new, which is the usual and the cheapest case.
    Raises: SQLAlchemy's errors.
    """
    if not rows:
        return None
    connection, width = session.connection(), len(table.primary_key)
    insert = _copy if connection.dialect.name == "postgresql" else _execute_many
    added = insert(connection, table.name, names, rows, ", ".join(names[:width]))
    return None if added is None or len(added) == len(rows) else set(added)


def _execute_many(
    connection: Connection, table: str, names: Sequence[str], rows: Sequence[Row], key: str
) -> list[Row] | None:
    """On SQLite: we hold the one write lock, so the new rows are those with a higher rowid."""
    before = connection.exec_driver_sql(f"SELECT max(rowid) FROM {table}").scalar() or 0  # noqa: S608
    marks = ", ".join("?" * len(names))
    into = f"INSERT INTO {table} ({', '.join(names)})"
    insert = f"{into} VALUES ({marks}) ON CONFLICT DO NOTHING"
    if connection.exec_driver_sql(insert, list(rows)).rowcount == len(rows):
        return None
    new = f"SELECT {key} FROM {table} WHERE rowid > ?"  # noqa: S608
    added = connection.exec_driver_sql(new, (before,))
    return [tuple(row) for row in added]


def _copy(
    connection: Connection, table: str, names: Sequence[str], rows: Iterable[Row], key: str
) -> list[Row]:
    """On PostgreSQL: COPY fails on a duplicate, so it goes to a table of this connection first."""
    batch, columns = f"{table}_batch", ", ".join(names)
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 (it is checked out)
    dbapi: Any = connection.dialect.dbapi
    try:
        with driver.cursor() as cursor:
            cursor.execute(
                f"CREATE TEMPORARY TABLE IF NOT EXISTS {batch} (LIKE {table}) ON COMMIT DELETE ROWS"
            )
            with cursor.copy(f"COPY {batch} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            cursor.execute(
                f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {batch}"  # noqa: S608
                f" ORDER BY {key} ON CONFLICT DO NOTHING RETURNING {key}"
            )
            return list(cursor.fetchall())
    except dbapi.Error as error:  # COPY is the driver's own: SQLAlchemy did not see it
        raise DBAPIError.instance(None, None, error, dbapi.Error) from error
