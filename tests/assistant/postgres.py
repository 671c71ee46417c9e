"""A real PostgreSQL server on a loopback port, with a password and a directory of its own."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ports import free_port


def _programs() -> Path | None:
    """Debian keeps them off PATH, a directory for each version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = str(found[-1]) if found else shutil.which("initdb")
    return Path(initdb).parent if initdb else None


def postgres_missing() -> str | None:
    """Why none can run here, or None."""
    return None if _programs() else "PostgreSQL is not installed (apt-get install postgresql)"


def _somebody() -> dict[str, Any]:
    """PostgreSQL does not run as root; Debian's package makes a user for it."""
    return {"user": "postgres", "group": "postgres", "extra_groups": ()} if os.getuid() == 0 else {}


@dataclass
class Postgres:
    """It can be killed and started again, with what it has committed."""

    port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: secrets.token_hex(8))
    directory: Path = field(init=False)
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="gwc-postgres-"))  # not below pytest's: that is root's alone
        (self.directory / "password").write_text(self.password)
        if _somebody():
            for path in (self.directory, self.directory / "password"):
                shutil.chown(path, "postgres", "postgres")
        options = ["--auth=scram-sha-256", "--username=tests", f"--pwfile={self.directory / 'password'}", "--no-sync"]
        self._run("initdb", "-D", str(self.directory / "data"), "--encoding=UTF8", "--locale=C", *options)

    def start(self) -> Self:
        """Returns once it answers; without effect while it runs."""
        if self._process is not None:
            return self
        command = [self._program("postgres"), "-D", str(self.directory / "data"), "-k", str(self.directory)]
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "max_connections": 40, "shared_buffers": "16MB"}
        options = [f"--{name}={value}" for name, value in settings.items()]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen([*command, *options], stdout=log, stderr=log, **_somebody())
        self.run("SELECT 1", database="postgres", patience=30)
        return self

    def kill(self) -> None:
        """At once, with what is under way; its processes notice and end, too."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=30)

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self.directory)

    def database(self) -> str:
        """The URL of a new, empty one."""
        name = f"d{secrets.token_hex(6)}"
        self.run(f"CREATE DATABASE {name}", database="postgres")
        return self.url(name)

    def url(self, database: str) -> str:
        return f"postgresql://tests:{self.password}@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str, *, database: str, patience: float = 10) -> list[Mapping[str, Any]]:
        return rows(self.url(database), statement, patience)

    def _program(self, name: str) -> str:
        programs = _programs()
        assert programs is not None
        return str(programs / name)

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [self._program(name), *arguments], check=True, stdout=subprocess.DEVNULL, timeout=120, **_somebody()
        )


def rows(url: str, statement: str, patience: float = 10) -> list[Mapping[str, Any]]:
    """By a connection of its own. A server that is starting is waited for."""
    import asyncpg

    async def asked() -> list[Mapping[str, Any]]:
        async with asyncio.timeout(patience):
            while True:
                try:
                    connection = await asyncpg.connect(url, timeout=patience)
                    break
                except (OSError, asyncpg.CannotConnectNowError):
                    await asyncio.sleep(0.1)
            try:
                return list(await connection.fetch(statement))
            finally:
                await connection.close()

    return asyncio.run(asked())
