"""Files to and from signed addresses, over HTTP on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from exporter.errors import EngineError
from exporter.farms import transfer
from exporter.farms.transfer import Transfer

SIGNED = "?X-Amz-Signature=SECRET"


class Bucket(BaseHTTPRequestHandler):
    """/CODES/NAME answers with these codes one after the other, the last for ever."""

    kept: dict[str, bytes] = {}
    asked: dict[str, int] = {}

    def do_PUT(self) -> None:
        self.kept[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self._send(b"")

    def do_GET(self) -> None:
        self._send(b"content")

    def _send(self, content: bytes) -> None:
        codes = self.path.split("/")[1].split(",")
        turn = self.asked[self.path] = self.asked.get(self.path, -1) + 1
        self.send_response(int(codes[min(turn, len(codes) - 1)]))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(transfer, "BACKOFF_S", 0)
    Bucket.kept, Bucket.asked = {}, {}
    with ThreadingHTTPServer(("127.0.0.1", 0), Bucket) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_service_that_is_busy_is_asked_again(address: str, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"weights")
    Transfer("The farm").put(f"{address}/503,500,200/model{SIGNED}", tmp_path / "model")
    assert list(Bucket.kept.values()) == [b"weights"] and list(Bucket.asked.values()) == [2]
    assert Transfer("The farm").get(f"{address}/429,200/back{SIGNED}") == b"content"


@pytest.mark.parametrize(
    ("path", "said"), [("/403/back", "answers 403 to a file's GET"), ("/503/back", "does not give a file: MaxRetry")]
)
def test_what_does_not_come_is_said_without_the_address(path: str, said: str, address: str) -> None:
    with pytest.raises(EngineError, match=said) as error:
        Transfer("The farm").get(f"{address}{path}{SIGNED}")
    assert "SECRET" not in str(error.value) and "127.0.0.1" not in str(error.value)


def test_a_file_that_is_too_large_is_not_taken(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "LARGEST_BYTES", 3)
    with pytest.raises(EngineError, match="gives a file of more than"):
        Transfer("The farm").get(f"{address}/200/back{SIGNED}")
