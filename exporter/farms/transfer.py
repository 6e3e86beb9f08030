"""Files to and from an address that a farm has signed. Such an address is a key: no sentence and no log repeats it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from exporter.errors import EngineError

TRIES = 5
BACKOFF_S = 1.0  # doubled from try to try
TIMEOUT_S = 120.0
LARGEST_BYTES = 256 << 20
_AGAIN = (408, 429, 500, 502, 503, 504)


class Transfer:
    """`service`: whose it is, for the sentence about one that fails."""

    def __init__(self, service: str) -> None:
        self._service = service

    def put(self, url: str, file: Path) -> None:
        """Raises EngineError."""
        content = file.read_bytes()
        self._answer("PUT", url, body=content, headers={"Content-Type": "application/octet-stream"})

    def get(self, url: str) -> bytes:
        """Raises EngineError, also for a file of more than LARGEST_BYTES."""
        return self._answer("GET", url)

    def _answer(self, method: str, url: str, **words: Any) -> bytes:
        import urllib3  # boto3 brings it

        again = urllib3.Retry(TRIES, backoff_factor=BACKOFF_S, status_forcelist=_AGAIN, allowed_methods=("GET", "PUT"))
        with urllib3.PoolManager(retries=again, timeout=TIMEOUT_S) as pool:
            try:
                answer = pool.request(method, url, preload_content=False, **words)
                content: bytes = answer.read(LARGEST_BYTES + 1)
            except urllib3.exceptions.HTTPError as error:
                what = "take" if method == "PUT" else "give"
                raise EngineError(f"{self._service} does not {what} a file: {type(error).__name__}") from None
        if not 200 <= answer.status < 300:
            raise EngineError(f"{self._service} answers {answer.status} to a file's {method}")
        if len(content) > LARGEST_BYTES:
            raise EngineError(f"{self._service} gives a file of more than {LARGEST_BYTES >> 20} MB")
        return content
