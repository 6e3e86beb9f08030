"""Draws the demo app's screens from its own layouts, words and colours: `python -m tools.app_screens`, no phone.

A drawing, not a photograph: HTML in the headless Chromium of `exporter runtimes --install litert_web`, in the
sizes that Android's dp and sp stand for. What a screen shows in a state (SHEETS) is said as the app's Java says it.
"""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path
from xml.etree import ElementTree

from PIL import Image

from exporter.browser.chromium import Chromium
from exporter.engines.litert_web import LiteRtWebEngine

REPO = Path(__file__).resolve().parents[1]
RES = REPO / "android-demo/app/src/main/res"
OUT = REPO / "docs/pictures"
PICTURE = REPO / "recipes/results/before_after.jpg"  # blurred · restored · sharp
SIDE, SECOND = 256, 262  # px of a picture in it, and where the second begins, across and down
LARGE_FONT = 1.3  # as in PhotoActivity
ANDROID = "{http://schemas.android.com/apk/res/android}"
WIDTH, HEIGHT = 300, 600  # of a screen, dp
COLOURS = "--back:#000;--text:#fff;--button:#5a595b;--accent:#80cbc4"  # Theme.Material's, on our black
STYLE = f"""body{{margin:0;background:#777;display:flex;gap:16px;padding:16px;{COLOURS};width:max-content}}
figure{{margin:0}} figcaption{{font:14px sans-serif;color:#fff;padding-bottom:6px}}
.screen{{width:{WIDTH}px;height:{HEIGHT}px;background:var(--back);color:var(--text);font-family:Roboto,sans-serif}}
.LinearLayout{{display:flex;min-height:0}} .vertical{{flex-direction:column}} .stretch{{flex:1 1 0;min-width:0}}
.screen>.LinearLayout{{height:100%}}
.Button{{background:var(--button);margin:6px 4px;padding:8px;border-radius:2px;text-align:center;display:flex;
align-items:center;justify-content:center;text-transform:uppercase;min-height:32px;overflow-wrap:anywhere}}
.TextView{{white-space:pre-line}} .bar{{height:4px;background:#444;margin:8px 16px}} .bar i{{display:block;height:100%;
background:var(--accent)}} .picture{{min-height:0;display:flex;align-items:center;justify-content:center}}
.pair{{position:relative;width:100%;aspect-ratio:1}} .pair img{{position:absolute;width:100%;height:100%}} 
.pair hr{{position:absolute;left:50%;height:100%;margin:0;border:0;border-left:2px solid #fff}}
.pair b{{position:absolute;bottom:8px;font-weight:400;text-shadow:0 0 4px #000}}"""

State = dict[str, str | None]  # id → its text, or what a picture shows; None: not there
Screen = tuple[str, str, float, State]  # caption, layout, size of the person's font, what differs from the layout
GONE: State = {"save": None, "share": None, "cancel": None}
RESTORED = "CPU int8 · … s"  # nothing was measured for a drawing
SHEETS: dict[str, tuple[Screen, ...]] = {
    "app_photo.png": (
        ("Nothing chosen", "photo", 1, GONE),
        (
            "At work",
            "photo",
            1,
            {
                "compare": "before",
                "status": "@restoring",
                "progress": "40",
                "choose": None,
                "save": None,
                "share": None,
            },
        ),
        ("Restored", "photo", 1, {"compare": "both", "status": RESTORED, "share": None, "cancel": None}),
        ("Saved", "photo", 1, {"compare": "both", "status": "@saved", "cancel": None}),
    ),
    "app_otherwise.png": (
        (
            "Live",
            "live",
            1,
            {"picture": "after", "status": "mobile_deblur 0.1.0\nCPU int8 · … ms · sharpness … · … fps"},
        ),
        ("No camera permitted", "live", 1, {"status": "@no_camera"}),
        ("No photograph", "photo", 1, GONE | {"status": "@no_photograph"}),
        ("Font twice as large", "photo", 2, {"compare": "both", "status": "@saved", "cancel": None}),
    ),
}


def main() -> None:
    OUT.mkdir(exist_ok=True)
    engine = LiteRtWebEngine().web
    with Chromium(engine.program, ("--disable-gpu",), engine.env) as browser:
        for name, screens in SHEETS.items():
            figures = "".join(map(_figure, screens))
            page = f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{figures}"
            address = "data:text/html;base64," + base64.b64encode(page.encode()).decode()
            browser.call("Page.navigate", url=address)
            browser.evaluate("new Promise(done => document.readyState == 'complete' ? done() : onload = done)")
            width, height = len(screens) * (WIDTH + 16) + 16, HEIGHT + 60
            clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
            shot = browser.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"]
            picture = Image.open(io.BytesIO(base64.b64decode(shot))).convert("RGB")
            picture.quantize(128, dither=Image.Dither.NONE).save(OUT / name, optimize=True)


def _figure(screen: Screen) -> str:
    caption, layout, font, state = screen
    root = ElementTree.parse(RES / f"layout/{layout}.xml").getroot()
    return f"<figure><figcaption>{caption}</figcaption><div class=screen>{_view(root, font, state)}</div></figure>"


def _view(view: ElementTree.Element, font: float, state: State) -> str:
    kind = view.tag.rpartition(".")[2]
    name = view.get(f"{ANDROID}id", "").rpartition("/")[2]
    shown = state.get(name, "" if view.get(f"{ANDROID}visibility") != "gone" else "" if name in _BUTTONS else None)
    if shown is None:
        return ""
    stacked = name == "buttons" and font > LARGE_FONT
    classes = [kind, "vertical" if stacked else view.get(f"{ANDROID}orientation", "")]
    classes += ["stretch"] if view.get(f"{ANDROID}layout_weight") else []
    size = float(view.get(f"{ANDROID}textSize", "14sp").removesuffix("sp")) * font
    padding = view.get(f"{ANDROID}padding", "0dp").removesuffix("dp")
    style = f"font-size:{size:g}px" + (f";padding:{padding}px" if kind == "TextView" else "")
    if kind == "LinearLayout":
        inside = "".join(_view(child, font, state) for child in view)
    elif kind == "ProgressBar":
        return f"<div class=bar><i style='width:{shown}%'></i></div>"
    elif kind in ("ImageView", "CompareView"):
        classes.append("picture")
        inside = _picture(shown, 14 * font) if shown or kind == "CompareView" else ""
    else:
        inside = escape(_said(shown or view.get(f"{ANDROID}text", "")))
    return f"<div class='{' '.join(filter(None, classes))}' style='{style}'>{inside}</div>"


_BUTTONS = ("save", "share", "cancel")  # gone in the layout, shown unless a state says that they are not there


def _said(text: str) -> str:
    """The words of strings.xml that `@string/NAME` or `@NAME` stands for; other text as it is."""
    if not text.startswith("@"):
        return text
    strings = ElementTree.parse(RES / "values/strings.xml").getroot()
    name = text.rpartition("/")[2].removeprefix("@")
    return next(one.text or "" for one in strings if one.get("name") == name).replace("\\'", "'")


def _picture(shown: str, font_px: float) -> str:
    if not shown:
        return f"<span style='font-size:{font_px}px'>{_said('@compare_nothing')}</span>"
    whole = Image.open(PICTURE)
    blurred, restored = (_data(whole.crop((left, SECOND, left + SIDE, SECOND + SIDE))) for left in (0, SECOND))
    if shown != "both":
        return f"<div class=pair><img src={blurred if shown == 'before' else restored}></div>"
    words = f"<b style='left:8px;font-size:{font_px}px'>{_said('@before')}</b>"
    words += f"<b style='right:8px;font-size:{font_px}px'>{_said('@after')}</b>"
    cut = "style='clip-path:inset(0 0 0 50%)'"
    return f"<div class=pair><img src={blurred}><img src={restored} {cut}><hr>{words}</div>"


def _data(picture: Image.Image) -> str:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


if __name__ == "__main__":
    main()
