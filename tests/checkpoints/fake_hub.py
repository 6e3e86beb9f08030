"""A fake: the endpoints of the Hugging Face hub that a download asks, on loopback; no test asks the real one.

The client is the real library. What is served lies in memory; a repository may be gated, a file may arrive changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_ThisIsTheSecretOfTheTests"


@dataclass
class FakeHub:
    """`files`: "repo/path" → bytes, of the commit COMMIT; `tags` → commits."""

    files: dict[str, bytes] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)  # repositories that TOKEN alone may read
    changed: set[str] = field(default_factory=set)  # files that do not arrive as they are
    tags: dict[str, str] = field(default_factory=lambda: {"main": COMMIT, "v1": COMMIT})
    broken_off: bool = False  # every download ends in the middle
    failing: int = 0  # answers with this status whatever is asked
    asked: list[str] = field(default_factory=list)  # "GET /path", in order
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def downloads(self) -> list[str]:
        return [line for line in self.asked if line.startswith("GET") and "/resolve/" in line]


@contextmanager
def served(hub: FakeHub) -> Iterator[FakeHub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _answer(hub, self)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.port = server.server_port
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def as_the_hub(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """What HF_ENDPOINT does when the library is imported, which may have been long ago in this process; no token."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", fake.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", fake.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "no-token")
    monkeypatch.delenv("HF_TOKEN", raising=False)


def _answer(hub: FakeHub, to: BaseHTTPRequestHandler) -> None:
    hub.asked.append(f"{to.command} {to.path}")
    if hub.failing:
        return _send(to, hub.failing)
    if to.path.startswith("/api/models/"):
        repo, kind, revision = to.path.removeprefix("/api/models/").partition("?")[0].rsplit("/", 2)
        return _repository(hub, to, repo, kind, revision)
    repo, _, rest = to.path.removeprefix("/").partition("/resolve/")
    revision, _, file = rest.partition("/")
    names = [name for name in hub.files if name.startswith(f"{repo}/")]
    if not names:
        return _send(to, 401, {"X-Error-Code": "RepoNotFound"})
    if repo in hub.gated and to.headers["Authorization"] != f"Bearer {TOKEN}":
        return _send(to, 401, {"X-Error-Code": "GatedRepo"})
    if revision != COMMIT:
        return _send(to, 404, {"X-Error-Code": "RevisionNotFound"})
    if (content := hub.files.get(f"{repo}/{file}")) is None:
        return _send(to, 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
    headers = {"X-Repo-Commit": COMMIT}
    if file.endswith(".json"):  # small text lies in git itself
        headers["ETag"] = f'"{sha1(f"blob {len(content)}".encode() + bytes(1) + content).hexdigest()}"'
    else:
        headers |= {"X-Linked-Etag": f'"{sha256(content).hexdigest()}"', "X-Linked-Size": str(len(content))}
    sent = bytes([content[0] ^ 1]) + content[1:] if file in hub.changed else content
    return _send(to, 200, headers, sent, broken_off=hub.broken_off)


def _repository(hub: FakeHub, to: BaseHTTPRequestHandler, repo: str, kind: str, revision: str) -> None:
    names = [name.removeprefix(f"{repo}/") for name in hub.files if name.startswith(f"{repo}/")]
    commit = hub.tags.get(revision, revision)
    if not names or commit != COMMIT:
        return _send(to, 404, {"X-Error-Code": "RevisionNotFound"})
    tree = [{"type": "file", "path": name, "size": len(hub.files[f"{repo}/{name}"]), "oid": "0" * 40} for name in names]
    said = tree if kind == "tree" else {"id": repo, "sha": commit}
    return _send(to, 200, {"Content-Type": "application/json"}, json.dumps(said).encode())


def _send(
    to: BaseHTTPRequestHandler,
    code: int,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    broken_off: bool = False,
) -> None:
    to.send_response(code)
    for name, value in (headers or {}).items():
        to.send_header(name, value)
    to.send_header("Content-Length", str(len(body)))
    to.end_headers()
    if to.command == "GET":
        to.wfile.write(body[: len(body) // 2] if broken_off else body)
        to.close_connection = broken_off
