"""A fake forge on loopback: as much of GitHub's and GitLab's interfaces as a release pipeline asks for.

The real ones are services that no test may write to. What is taken from their documentation: addresses, methods, the
names of fields, pages that a `Link` header goes on from, downloads that lead to another host, and who may comment.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN, JOB_TOKEN = "s3cret-forge-token", "s3cret-job-token"
ME = {"github": "github-actions[bot]", "gitlab": "release-bot"}
PAGE = 2  # entries, however many were asked for: lists are read to their end
REFUSES = {"unauthorised": 401, "forbidden": 403, "gone": 404, "down": 503}


@dataclass
class FakeForge:
    """`trouble`: of REFUSES, "hangs", "hangs up" or "nonsense"; at requests whose address holds `trouble_at`."""

    address: str = ""
    trouble: str = ""
    trouble_at: str = ""
    comments: list[dict[str, Any]] = field(default_factory=list)
    releases: list[dict[str, Any]] = field(default_factory=list)  # of GitHub, the newest first
    assets: dict[str, bytes] = field(default_factory=dict)
    packages: list[dict[str, Any]] = field(default_factory=list)  # of GitLab, the newest first
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)  # method, path, headers

    def add_comment(self, kind: str, author: str, text: str) -> int:
        number = len(self.comments) + 1
        who = {"user": {"login": author}} if kind == "github" else {"author": {"username": author}}
        self.comments.append({"id": number, "body": text, **who})
        return number

    @property
    def texts(self) -> list[str]:
        return [each["body"] for each in self.comments]

    @contextmanager
    def in_trouble(self, trouble: str, at: str = "") -> Iterator[None]:
        self.trouble, self.trouble_at = trouble, at
        try:
            yield
        finally:
            self.trouble = self.trouble_at = ""

    def environment(self, kind: str) -> dict[str, str]:
        """What forge.py reads."""
        repository = "owner/name" if kind == "github" else "group/name"
        found = {"EXPORTER_FORGE": kind, "EXPORTER_API": f"{self.address}/{kind}", "EXPORTER_REPOSITORY": repository}
        return found | {
            "EXPORTER_TOKEN": TOKEN,
            "EXPORTER_TAG": "v1",
            "CI_JOB_TOKEN": JOB_TOKEN,
            "EXPORTER_REQUEST": "7",
        }

    def github_context(self, tag: str = "") -> dict[str, str]:
        """What GitHub knows of a run: of pull request 7, or of a tag."""
        request = {"github.event.pull_request.number": "7", "github.event.pull_request.head.sha": "c0ffee"}
        return {
            "github.api_url": f"{self.address}/github",
            "github.server_url": "https://forge.example",
            "github.repository": "owner/name",
            "github.run_id": "12",
            "github.sha": "5ea1ed",
            "github.ref_name": tag,
            "steps.python.outputs.python-path": "python3",
            **(dict.fromkeys(request, "") if tag else request),
        }

    def gitlab_variables(self, tag: str = "") -> dict[str, str]:
        """What GitLab knows of a pipeline: of merge request 7, or of a tag; and a token from the project's settings."""
        known = {
            "CI_API_V4_URL": f"{self.address}/gitlab",
            "CI_PROJECT_ID": "group/name",
            "CI_COMMIT_SHA": "c0ffee",
            "CI_PIPELINE_URL": "https://forge.example/group/name/-/pipelines/12",
            "CI_JOB_TOKEN": JOB_TOKEN,
            "EXPORTER_TOKEN": TOKEN,
        }
        return known | ({"CI_COMMIT_TAG": tag} if tag else {"CI_MERGE_REQUEST_IID": "7"})


@contextmanager
def fake_forge() -> Iterator[FakeForge]:
    forge = FakeForge()

    class Handler(_Handler):
        state = forge

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    forge.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield forge
    finally:
        forge.trouble = ""
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    state: ClassVar[FakeForge]

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PATCH(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        path = unquote(urlsplit(self.path).path)
        self.state.seen.append((self.command, path, {key.lower(): value for key, value in self.headers.items()}))
        if self.state.trouble and self.state.trouble_at in path:
            self._trouble(self.state.trouble)
            return
        kind, _, rest = path.removeprefix("/").partition("/")
        if kind == "elsewhere":
            self._send(200, self.state.assets[rest])
        elif not self._allowed(kind, rest):
            self._json(401, {"message": "Unauthorized"})
        else:
            (self._github if kind == "github" else self._gitlab)(f"/{rest}", body)

    def _trouble(self, trouble: str) -> None:
        if trouble == "hangs":
            while self.state.trouble:
                time.sleep(0.02)
        elif trouble == "nonsense":
            self._send(200, b"<html>Welcome</html>")
        elif trouble in REFUSES:
            self._json(REFUSES[trouble], {"message": f"no, {TOKEN}"})  # else: hangs up

    def _allowed(self, kind: str, path: str) -> bool:
        if kind == "github":
            return self.headers.get("Authorization") == f"Bearer {TOKEN}"
        by_job = self.headers.get("JOB-TOKEN") == JOB_TOKEN and "notes" not in path
        return by_job or self.headers.get("PRIVATE-TOKEN") == TOKEN

    def _github(self, path: str, body: bytes) -> None:
        repo, state = "/repos/owner/name", self.state
        if path == "/user":
            self._json(403, {"message": "Resource not accessible by integration"})
        elif path == f"{repo}/issues/7/comments":
            self._comments("github", body)
        elif path.startswith(f"{repo}/issues/comments/"):
            self._update(path, body)
        elif path == f"{repo}/releases" and self.command == "GET":
            self._page(state.releases)
        elif path == f"{repo}/releases":
            upload = f"{state.address}/github/upload/{len(state.releases)}{{?name,label}}"
            state.releases.insert(0, {**json.loads(body), "draft": False, "assets": [], "upload_url": upload})
            self._json(201, state.releases[0])
        elif path.startswith("/upload/"):
            release = state.releases[len(state.releases) - 1 - int(path.rpartition("/")[2])]
            self._add_asset(release["assets"], parse_qs(urlsplit(self.path).query)["name"][0], body)
        elif path.startswith(f"{repo}/releases/assets/"):
            self.send_response(302)
            # Another host, as GitHub's downloads are: a name of loopback that is not the forge's own.
            elsewhere = state.address.replace("127.0.0.1", "localhost")
            self.send_header("Location", f"{elsewhere}/elsewhere/{path.rpartition('/')[2]}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._json(404, {"message": "Not Found"})

    def _add_asset(self, assets: list[dict[str, Any]], name: str, body: bytes) -> None:
        if any(each["name"] == name for each in assets):
            self._json(422, {"errors": [{"code": "already_exists"}]})
            return
        number = str(len(self.state.assets))
        self.state.assets[number] = body
        assets.append({"id": number, "name": name})
        self._json(201, {})

    def _gitlab(self, path: str, body: bytes) -> None:
        project, state = "/projects/group/name", self.state
        if path == "/user":
            self._json(200, {"username": ME["gitlab"]})
        elif path == f"{project}/merge_requests/7/notes":
            self._comments("gitlab", body)
        elif path.startswith(f"{project}/merge_requests/7/notes/"):
            self._update(path, body)
        elif path == f"{project}/packages":
            self._page(state.packages)
        elif path.startswith(f"{project}/packages/generic/") and self.command == "PUT":
            name, version, _ = path.removeprefix(f"{project}/packages/generic/").split("/")
            state.packages.insert(0, {"name": name, "version": version})
            state.assets[path] = body
            self._json(201, {"message": "201 Created"})
        elif path in state.assets:
            self._send(200, state.assets[path])
        else:
            self._json(404, {"message": "404 Not Found"})

    def _comments(self, kind: str, body: bytes) -> None:
        if self.command == "GET":
            self._page(self.state.comments)
        else:
            number = self.state.add_comment(kind, ME[kind], json.loads(body)["body"])
            self._json(201, self.state.comments[number - 1])

    def _update(self, path: str, body: bytes) -> None:
        assert self.command == ("PATCH" if "/repos/" in path else "PUT")
        self.state.comments[int(path.rpartition("/")[2]) - 1]["body"] = json.loads(body)["body"]
        self._json(200, {})

    def _page(self, entries: list[dict[str, Any]]) -> None:
        page = int(parse_qs(urlsplit(self.path).query)["page"][0])
        more = f'<{self.state.address}{self.path}>; rel="next"' if len(entries) > page * PAGE else ""
        self._json(200, entries[(page - 1) * PAGE : page * PAGE], {"Link": more} if more else {})

    def _json(self, code: int, value: object, headers: dict[str, str] | None = None) -> None:
        self._send(code, json.dumps(value).encode(), headers)

    def _send(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
