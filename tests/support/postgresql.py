"""A PostgreSQL server for tests: a throw-away cluster on a socket of its own."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from support import schema


def programs() -> Path | None:
    """The folder of the newest installed server's programs, or None."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if folders:
        return max(folders, key=lambda folder: float(re.sub(r"[^\d.]", "", folder.parent.name)))
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class Cluster:
    """One server; databases on it are made on demand and die with it."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        # PostgreSQL refuses to run as root; Debian's package brings a user for it.
        self._user = None
        if os.geteuid() == 0:
            names = {entry.pw_name for entry in pwd.getpwall()}
            self._user = "postgres" if "postgres" in names else "nobody"
        # A socket's path may have 107 bytes, so no deep folder.
        base = os.environ.get("PYTEST_DEBUG_TEMPROOT", "/tmp")
        self._folder = Path(tempfile.mkdtemp(prefix="yx-pg-", dir=base))
        self._count = 0
        self._migrated = False

    def __enter__(self) -> Cluster:
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        self._run("initdb", "--no-sync", "--auth=trust", "--username=yinxin", "--encoding=UTF8")
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        log = self._folder / "log"
        settings = {
            "listen_addresses": "''",
            "unix_socket_directories": self._folder,
            # After a crash the server syncs every file; one call for all of them is quicker.
            "recovery_init_sync_method": "syncfs",
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._run("pg_ctl", "start", "--wait", f"--log={log}", f"--options={options}")

    def stop(self) -> None:
        """Stops it as a crash would."""
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    @property
    def folder(self) -> Path:
        """Where its socket, its log and, in `data`, its files are."""
        return self._folder

    def create_database(self, *, empty: bool = False) -> str:
        """Makes a database of the program's schema, or an `empty` one, and returns its URL."""
        self._count += 1
        name = f"test_{self._count}"
        template = "" if empty else f" TEMPLATE {self._template()}"
        self._execute(f"CREATE DATABASE {name}{template}")
        return self._url(name)

    def drop_database(self, url: str) -> None:
        """Drops what `create_database` made, whoever is still connected to it."""
        self._execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def _template(self) -> str:
        """The name of a database that nothing was done with but to migrate it."""
        if not self._migrated:
            self._execute("CREATE DATABASE migrated")
            schema.prepare(self._url("migrated"))
            self._migrated = True
        return "migrated"

    def _execute(self, statement: str) -> None:
        engine = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def _url(self, database: str) -> str:
        query = {"unix_sock": str(self._folder / ".s.PGSQL.5432")}
        url = URL.create("postgresql+pg8000", "yinxin", database=database, query=query)
        return url.render_as_string(hide_password=False)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / program, *arguments, "--pgdata", self._folder / "data"],
            check=True,
            user=self._user,
            cwd=self._folder,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )
