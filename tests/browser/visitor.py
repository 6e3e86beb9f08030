"""Somebody who uses the page of a bundle: a real browser, a real drop, what is then to be seen."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.browser.chromium import Chromium
from exporter.browser.server import Content, LoopbackServer
from exporter.engines.litert_web import LiteRtWebEngine

ENDED = "document.querySelector('.frame.done') || !document.getElementById('error').hidden"


class Visitor:
    def __init__(self, browser: Chromium, address: str) -> None:
        self.browser, self.address = browser, address

    def arrive(self, width: int = 1280, height: int = 900) -> None:
        self.browser.call("Network.enable")
        self.browser.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.browser.open(f"{self.address}/")
        self.browser.wait_for("'ready' in document.body.dataset || !document.getElementById('error').hidden")

    def drop(self, picture: Path, wait: bool = True) -> None:
        data = {"items": [], "files": [str(picture)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.browser.call("Input.dispatchDragEvent", type=kind, x=300, y=300, data=data)
        if wait:
            self.browser.wait_for(ENDED, timeout_s=120)

    def choose(self, picture: Path) -> None:
        root = self.browser.call("DOM.getDocument")["root"]["nodeId"]
        node = self.browser.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
        self.browser.call("DOM.setFileInputFiles", nodeId=node, files=[str(picture)])
        self.browser.wait_for(ENDED, timeout_s=120)

    def press(self, key: str) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            self.browser.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key])

    def select(self, name: str, value: str) -> None:
        """Another entry of a list; waits until the photograph is restored again."""
        self.browser.evaluate(
            f"(() => {{ const list = document.getElementById('{name}');"
            f" list.value = {value}; list.dispatchEvent(new Event('change', {{ bubbles: true }})); }})()"
        )
        self.browser.wait_for(ENDED, timeout_s=120)

    def text(self, name: str) -> str:
        return str(self.browser.evaluate(f"document.getElementById('{name}').textContent"))

    @property
    def complaint(self) -> str:
        """The sentence on the page; empty when there is none."""
        return str(
            self.browser.evaluate(
                "(({hidden, textContent}) => hidden ? '' : textContent)(document.getElementById('error'))"
            )
        )

    @property
    def restored(self) -> NDArray[np.uint8]:
        """The pixels of the picture that is shown, (H, W, 3)."""
        width, height, text = self.browser.evaluate(
            "(() => { const made = document.getElementById('after');"
            " const { data } = made.getContext('2d').getImageData(0, 0, made.width, made.height);"
            " return [made.width, made.height, new Uint8Array(data.buffer).toBase64()]; })()"
        )
        return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)[..., :3]

    @property
    def requests(self) -> set[str]:
        """Addresses that the page asked for since it was opened."""
        events: list[dict[str, Any]] = self.browser.events
        return {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}

    @property
    def violations(self) -> list[str]:
        """What the page's own rules forbade it."""
        return [said for said in self.browser.complaints if "Content Security Policy" in said]


KEYS = {"Tab": 9, "ArrowLeft": 37, "ArrowRight": 39}


@contextmanager
def visiting(table: dict[str, Content], *flags: str) -> Iterator[Visitor]:
    web = LiteRtWebEngine().web
    with LoopbackServer(table) as server, Chromium(web.program, ("--disable-gpu", *flags), web.env) as browser:
        yield Visitor(browser, server.address)
