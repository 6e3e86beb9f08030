"""Files for a browser on this machine alone: a table of what is served, on loopback, with headers that forbid the rest.

Only what the table names is served, whatever the address says; a request that was not meant for this address, as a page
elsewhere can make a browser send one (DNS rebinding), is refused by its Host.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from exporter.errors import RecipeError

LOOPBACK = "127.0.0.1"
Content = Path | str | bytes  # a file, another address, or what is answered
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
}
HEADERS = {
    # No inline script, nothing from elsewhere; WebAssembly may be compiled, JavaScript may not be made of text. A
    # restored picture is shown from memory: blob.
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    # Threads of WebAssembly share memory, which a page gets that lets nobody else in.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_PIECE = 1 << 20


class LoopbackServer:
    """Serves `table`, address path to content, on 127.0.0.1 until it is left; `port` 0 takes a free one.

    Raises RecipeError when the port is taken or may not be had.
    """

    def __init__(self, table: Mapping[str, Content], port: int = 0) -> None:
        try:
            self._server = ThreadingHTTPServer((LOOPBACK, port), partial(_Handler, table))
        except (OSError, OverflowError) as error:
            taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            why = "another program has it" if taken else getattr(error, "strerror", None) or "there is no such port"
            raise RecipeError(f"port {port} cannot be had: {why}", hint="--port 0 takes a free one") from None
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.address = f"http://{LOOPBACK}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="loopback server", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait(self) -> None:
        """Until the process is interrupted."""
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "exporter", ""
    timeout = 60  # a connection that says nothing

    def __init__(self, table: Mapping[str, Content], *args: object) -> None:
        self._table = table
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: whoever asks is the page."""

    def _answer(self, with_body: bool) -> None:
        if self.headers.get("Host") not in self._own_names():
            return self._refuse(403, "this server answers its own page alone")
        path = self.path.partition("?")[0].partition("#")[0]
        content = self._table.get(path)
        if content is None:
            return self._refuse(404, f"nothing is served at {path[:200]}")
        try:
            self._send(path, content, with_body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        return None

    def _own_names(self) -> tuple[str, str]:
        port = self.connection.getsockname()[1]
        return f"{LOOPBACK}:{port}", f"localhost:{port}"

    def _send(self, path: str, content: Content, with_body: bool) -> None:
        if isinstance(content, Path):
            try:
                file = content.open("rb")
            except OSError as error:
                return self._refuse(404, f"{path} cannot be read: {error.strerror}")
            with file:
                self._head(200, content.suffix or ".html", content.stat().st_size)
                while with_body and (piece := file.read(_PIECE)):
                    self.wfile.write(piece)
            return None
        if isinstance(content, str):
            self._head(302, ".html", 0, content)
            return None
        self._head(200, Path(path).suffix or ".html", len(content))
        if with_body:
            self.wfile.write(content)
        return None

    def _refuse(self, code: int, sentence: str) -> None:
        body = (sentence + "\n").encode()
        self._head(code, ".txt", len(body))
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, code: int, suffix: str, length: int, location: str = "") -> None:
        self.send_response(code)
        self.send_header("Content-Type", TYPES.get(suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(length))
        if location:
            self.send_header("Location", location)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
