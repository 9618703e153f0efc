"""Opens the agent's SQLite files: private, readable while they are written, and only in a version that is known."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

_BUSY_SECONDS = 5.0


class StoreError(Exception):
    """The file cannot be read as what it should be; the message says why."""


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """One kind of file. `schema` is the version of its tables, which `create` makes and keeps as `user_version`."""

    noun: str
    """What it holds, in messages: `run history`."""
    schema: int
    create: str
    unreadable: tuple[type[Exception], ...] = (sqlite3.Error, OSError, ValueError)
    """What reading raises for content that no version of ours writes."""
    upgrades: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    """By version, the statements that make its tables those of the next one."""

    def writable(self, path: Path) -> sqlite3.Connection:
        """Creates what is missing. Raises StoreError, OSError or sqlite3.Error."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)  # SQLite gives its companion files the same mode
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS)
        try:
            connection.execute("PRAGMA journal_mode = WAL")  # readers and the writer do not wait for one another
            connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last writes, never the file
            version = _schema_of(connection)
            if version == 0:
                connection.executescript(self.create)
            elif version in self.upgrades:
                connection.executescript(self._upgrade(version))
            elif version != self.schema:
                raise StoreError(self._unknown(path, version))
        except BaseException:
            connection.close()
            raise
        return connection

    def bring_up_to_date(self, path: Path) -> None:
        """Turns a file of an earlier version into one of this. Raises StoreError, OSError or sqlite3.Error."""
        with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
            earlier = _schema_of(connection) in self.upgrades
        if earlier:
            self.writable(path).close()

    @contextmanager
    def reading(self, path: Path) -> Iterator[sqlite3.Connection]:
        """A connection to a file that may be in use. Raises StoreError, also for what goes wrong in the block."""
        try:
            if not path.is_file():
                raise StoreError(f"{path}: there is no {self.noun}; an agent keeps one in its data_dir")
            address = f"{path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS)) as connection:
                if (version := _schema_of(connection)) != self.schema:
                    raise StoreError(self._unknown(path, version))
                yield connection
        except self.unreadable as error:
            raise StoreError(f"{path}: {error}") from error

    def _upgrade(self, version: int) -> str:
        """All of it or nothing: a crash in the midst leaves the file as it was."""
        steps = "".join(self.upgrades[each] for each in range(version, self.schema))
        return f"BEGIN EXCLUSIVE;\n{steps}\nPRAGMA user_version = {self.schema};\nCOMMIT;"

    def _unknown(self, path: Path, version: int) -> str:
        if not version:
            return f"{path} is no {self.noun}"
        known = f"this oidcwatch knows version {self.schema}"
        if version in self.upgrades:
            return f"{path}: the {self.noun} has version {version}, {known}; an agent of it brings the file up to date"
        return f"{path}: the {self.noun} has version {version}, {known}; move it away"


def _schema_of(connection: sqlite3.Connection) -> int:
    """The version of the tables; 0 for a file without any."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
