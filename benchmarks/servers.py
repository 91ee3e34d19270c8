"""The two servers under gunicorn with the settings of `make serve`, on loopback, and what they cost.

CPU time and memory are those of the workers, as the kernel counts them in /proc (Linux only).
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

START_WITHIN = 20  # seconds
_TICKS = os.sysconf("SC_CLK_TCK")


class NotStarted(Exception):
    """A server did not come up; what it said."""


@dataclass(frozen=True)
class Server:
    """A running server: its port, the process that leads it, and the seconds from exec to the first answer."""

    port: int
    leader: int
    cold_start: float

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        return [int(item) for item in Path(f"/proc/{self.leader}/task/{self.leader}/children").read_text().split()]

    def cpu_milliseconds(self) -> float:
        """User and system time of all workers since they began."""
        return sum(_cpu_ticks(worker) for worker in self.workers()) * 1000 / _TICKS

    def resident_megabytes(self) -> list[float]:
        """VmRSS of each worker, what is shared between them included."""
        texts = [Path(f"/proc/{worker}/status").read_text() for worker in self.workers()]
        return [int(re.findall(r"VmRSS:\s+(\d+) kB", text)[0]) / 1024 for text in texts]


def _cpu_ticks(process: int) -> int:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])  # utime and stime


def serve_settings(checkout: Path) -> list[str]:
    """The gunicorn options of `make serve`, so that what is measured is what is served."""
    makefile = (checkout / "Makefile").read_text("utf-8").replace("\\\n", " ")
    line = re.search(r"gunicorn server:app (.*?)--bind", makefile)
    if line is None:
        raise NotStarted("Makefile: no 'gunicorn server:app … --bind' in it, so the settings of serve are not known")
    return shlex.split(line.group(1))


@contextmanager
def serving(
    application: str, folder: Path, checkout: Path, settings: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """An application of a folder, served from a checkout's src/ until the block ends. Raises NotStarted."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", application, *serve_settings(checkout), "--bind", f"127.0.0.1:{port}"]
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")} | dict(settings or {})
    with tempfile.TemporaryFile() as log:
        begun = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            _wait(process, port)
            yield Server(port, process.pid, time.perf_counter() - begun)
        except NotStarted as failure:
            log.seek(0)
            raise NotStarted(f"{application}: {failure}\n{log.read().decode(errors='replace')}") from failure
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NotStarted(f"the server ended with {process.returncode}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/cds-services", timeout=5).read()
            return
        except urllib.error.HTTPError as answered:
            if answered.code == HTTPStatus.UNAUTHORIZED:  # it is there, and wants a token
                return
            raise NotStarted(f"the server answers {answered.code}") from answered
        except OSError:
            time.sleep(0.002)
    raise NotStarted(f"no answer within {START_WITHIN} s")
