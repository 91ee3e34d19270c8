"""The server that `make serve` starts, for tests: its own command line, on a free port; and a client on the wire."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from werkzeug.datastructures import Headers

from conftest import ROOT

BIN = Path(sys.executable).parent
HERE = "{url}"  # in a setting: the server's own address
PATIENCE = 30.0  # seconds that a client waits for an answer; no test is meant to


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def serve_options() -> list[str]:
    """The options of gunicorn in `make serve`, without the address."""
    (line,) = re.findall(
        r"gunicorn server:app (.*?)--bind", (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    )
    return shlex.split(line)


@dataclass(frozen=True)
class Live:
    """A running server: its address, its process, its log."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        pid = self.process.pid
        return [int(item) for item in Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()]

    def wait(self) -> None:
        """Until it answers."""
        wait_for(self.url, self.process, self.log)

    def said(self) -> str:
        return self.log.read_text("utf-8")


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path, path: str = "/healthz") -> None:
    """Until the server answers anything at all."""
    with httpx.Client(verify=False, trust_env=False, timeout=PATIENCE) as client:  # noqa: S501 - is it there?
        for _ in range(300):
            assert process.poll() is None, log.read_text("utf-8")
            with contextlib.suppress(httpx.TransportError):
                client.get(url + path)
                return
            time.sleep(0.05)
    raise AssertionError(f"the server did not start: {log.read_text('utf-8')}")


@contextmanager
def serving(
    log: Path,
    environment: dict[str, str] | None = None,
    options: tuple[str, ...] = (),
    folder: Path = ROOT,
    gunicorn: Path = BIN / "gunicorn",
    wait: bool = True,
) -> Iterator[Live]:
    """The server of a folder as `make serve` starts it; more options come last, where they win."""
    port = free_port()
    command = [gunicorn, "server:app", *serve_options(), *options, "--bind", f"127.0.0.1:{port}"]
    url = f"{'https' if '--certfile' in options else 'http'}://127.0.0.1:{port}"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=output,
            stderr=output,
            env=os.environ | {name: value.replace(HERE, url) for name, value in (environment or {}).items()},
            start_new_session=True,
        )
    server = Live(url, process, log)
    try:
        if wait:
            server.wait()
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with its workers: how it ends by itself is a test of its own
        process.wait(20)


class Answer:
    """An answer from the wire, read as Flask's test client lets one read it."""

    def __init__(self, response: httpx.Response) -> None:
        self.status_code, self.data = response.status_code, response.content
        self.headers = Headers([(name.decode(), value.decode()) for name, value in response.headers.raw])
        self.text = response.text
        self.content_type = response.headers.get("Content-Type", "")
        self.mimetype = self.content_type.partition(";")[0]

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    def get_json(self, **_: Any) -> Any:
        return json.loads(self.data)

    def get_data(self, as_text: bool = False) -> Any:
        return self.text if as_text else self.data


class Wire:
    """Asks a running server over HTTP, in the words of Flask's test client."""

    def __init__(self, url: str, headers: dict[str, str] | None = None, **options: Any) -> None:
        transport = httpx.HTTPTransport(trust_env=False, **options)
        self._client = httpx.Client(base_url=url, transport=transport, headers=headers, timeout=PATIENCE)

    def open(self, path: str, method: str = "GET", **asked: Any) -> Answer:
        headers = dict(asked.get("headers") or {})
        data = asked.get("data")
        form = data if isinstance(data, dict) else None
        if asked.get("content_type") is not None:
            headers["Content-Type"] = asked["content_type"]
        body = {"json": asked["json"]} if "json" in asked else {"data": form} if form else {"content": data}
        return Answer(self._client.request(method, path, headers=headers, **body))

    def get(self, path: str, **asked: Any) -> Answer:
        return self.open(path, "GET", **asked)

    def post(self, path: str, **asked: Any) -> Answer:
        return self.open(path, "POST", **asked)

    def options(self, path: str, **asked: Any) -> Answer:
        return self.open(path, "OPTIONS", **asked)

    def close(self) -> None:
        self._client.close()
