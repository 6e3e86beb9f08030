"""The server on loopback: what it serves, to whom, and with which headers."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path

import pytest

from exporter.browser.server import LOOPBACK, LoopbackServer
from exporter.errors import RecipeError


def ask(server: LoopbackServer, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(LOOPBACK, server.port, timeout=10)
    connection.request(method, path, headers=headers)
    return connection.getresponse()


@pytest.fixture
def server(tmp_path: Path):
    (tmp_path / "page.html").write_text("<!doctype html>")
    (tmp_path / "secret.txt").write_text("not in the table")
    table = {
        "/page.html": tmp_path / "page.html",
        "/made.json": b"{}",
        "/here": "/page.html",
        "/gone.js": tmp_path / "gone.js",
    }
    with LoopbackServer(table) as server:
        yield server


def test_what_the_table_names_and_nothing_else(server: LoopbackServer) -> None:
    page = ask(server, "/page.html?query")
    assert (page.status, page.read()) == (200, b"<!doctype html>")
    assert ask(server, "/made.json").read() == b"{}"
    elsewhere = ask(server, "/here")
    assert (elsewhere.status, elsewhere.headers["Location"]) == (302, "/page.html")
    for path in ("/secret.txt", "/../secret.txt", "/%2e%2e/secret.txt", "/", "/gone.js"):
        assert ask(server, path).status == 404, path
    assert ask(server, "/page.html", "POST").status == 501


def test_a_request_meant_for_another_name_is_refused(server: LoopbackServer) -> None:
    for host in ("evil.example", f"evil.example:{server.port}", LOOPBACK, "localhost", f"{LOOPBACK}:{server.port + 1}"):
        assert ask(server, "/page.html", Host=host).status == 403, host
    assert ask(server, "/page.html", Host=f"localhost:{server.port}").status == 200


def test_every_answer_forbids_what_the_page_does_not_need(server: LoopbackServer) -> None:
    for path in ("/page.html", "/made.json", "/nothing"):
        answer = ask(server, path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy and "unsafe-inline" not in policy and "'unsafe-eval'" not in policy
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_head_has_no_body(server: LoopbackServer) -> None:
    answer = ask(server, "/page.html", "HEAD")
    assert answer.headers["Content-Length"] == "15" and answer.read() == b""


def test_nobody_else_reaches_it(server: LoopbackServer) -> None:
    other = socket.socket()
    other.settimeout(2)
    with other, pytest.raises(OSError):
        other.connect(("127.0.0.2", server.port))


def test_a_port_that_is_taken_is_one_sentence(server: LoopbackServer) -> None:
    with pytest.raises(RecipeError, match=f"port {server.port} cannot be had: another program has it"):
        LoopbackServer({}, server.port)
    with pytest.raises(RecipeError, match="port 70000 cannot be had"):
        LoopbackServer({}, 70000)
