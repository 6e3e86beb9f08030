"""Requests to a forge: a time limit, some tries, and tokens that go to nobody else."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

TIMEOUT_S = float(os.environ.get("EXPORTER_FORGE_TIMEOUT_S", "20"))
TRIES = 3
PAUSE_S = 1.0  # before the second try, twice that before the third
MOST_PAGES = 100
LARGEST_ANSWER_BYTES = 64 << 20
SECRETS = ("authorization", "private-token", "job-token")  # headers, for the forge's own host alone


class ForgeFailed(Exception):
    """The forge is down, refuses, or answers what cannot be read; `code`: of its answer, 0 without one."""

    def __init__(self, problem: str, code: int = 0) -> None:
        super().__init__(problem)
        self.code = code


class _Redirects(HTTPRedirectHandler):
    """Downloads lie on other hosts, which get no token; nothing else is sent elsewhere."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if req.get_method() != "GET":
            return None  # urllib raises the redirection as an error
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        if new is not None and urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            for name in [name for name in new.headers if name.lower() in SECRETS]:
                new.remove_header(name)
        return new


class Api:
    """Requests below one address, with the headers that say who asks."""

    def __init__(self, address: str, headers: Mapping[str, str]) -> None:
        self._address, self._headers = address.rstrip("/"), dict(headers)
        self._opener = build_opener(_Redirects)

    def call(self, method: str, path: str, value: object = None) -> Any:
        """The answer's JSON. Raises ForgeFailed."""
        body = None if value is None else json.dumps(value).encode()
        return self._answer(method, path, body, {"Content-Type": "application/json"})[0]

    def pages(self, path: str, **query: object) -> Iterator[dict[str, Any]]:
        """The entries of a list, page by page as long as the forge says that there is a next one."""
        for page in range(1, MOST_PAGES + 1):
            words = urlencode({**query, "per_page": 100, "page": page})
            entries, links = self._answer("GET", f"{path}?{words}", None, {})
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                raise ForgeFailed(f"GET {path} was answered with something that is no list")
            yield from entries
            if 'rel="next"' not in links:
                return

    def upload(self, method: str, path: str, file: Path) -> None:
        """`path` may be a whole address."""
        self._answer(method, path, file.read_bytes(), {"Content-Type": "application/gzip"})

    def download(self, path: str, target: Path) -> None:
        _, _, content = self._send("GET", path, None, {"Accept": "application/octet-stream"}, largest_bytes=None)
        target.write_bytes(content)

    def _answer(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[Any, str]:
        _, links, content = self._send(method, path, body, headers, LARGEST_ANSWER_BYTES)
        try:
            return json.loads(content or b"null"), links
        except ValueError:
            raise ForgeFailed(f"{method} {_shown(path)} was answered with something that is no JSON") from None

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], largest_bytes: int | None
    ) -> tuple[int, str, bytes]:
        url = path if path.startswith(("https://", "http://")) else self._address + path
        said, code = "", 0
        # What was created twice would be there twice, so a POST is tried once.
        for number in range(1 if method == "POST" else TRIES):
            time.sleep(PAUSE_S * number)
            request = Request(url, body, {**self._headers, **headers}, method=method)
            try:
                with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                    content = answer.read() if largest_bytes is None else answer.read(largest_bytes)
                    return answer.status, answer.headers.get("Link") or "", content
            except HTTPError as error:
                said = f"was answered with {error.code} {str(error.reason)[:60]}"
                code = error.code
                error.close()
                if code < 500 and code != 429:
                    break
            except (OSError, HTTPException, ValueError) as error:  # ValueError: an address that is none
                reason = getattr(error, "reason", None) or error
                said, code = f"got no answer: {str(reason)[:120] or type(error).__name__}", 0
        raise ForgeFailed(f"{method} {_shown(path)} {said}", code)


def _shown(path: str) -> str:
    return urlsplit(path).path[:160]
