"""A file of several sizes in the browser: each signature gives its own file's bits, each picture goes through the size
that fits it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exporter.artifact import Artifact, sha256_of
from exporter.browser.page import engine_files, page_files
from exporter.engines.litert_web import LiteRtWebEngine
from exporter.runtimes import runtime
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.several_sizes import Resize
from exporter.tiling.grid import Tiling
from exporter.tiling.restorer import Restorer, RestorerOfSizes
from tests.browser.visitor import visiting
from tests.conftest import picture
from tests.installed import put_together
from tests.stages.chain import run
from tests.stages.test_several_sizes import Enlarging, floats, joined_of

HALO_PX, MULTIPLE_PX, BLEND_PX = 8, 4, 6


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("joined")
    small, large = floats(folder / "floats", Enlarging)
    quantized = run(QuantizeTflite(), small, folder / "int8")
    resized = run(Resize.of(small, quantized), large, folder / "resized")
    return joined_of((quantized, resized), folder / "joined")


def tilings(joined: Artifact) -> dict[str, Tiling]:
    return {
        one.name: Tiling(one.input.height, one.input.width, HALO_PX, MULTIPLE_PX, BLEND_PX) for one in joined.signatures
    }


def manifest(joined: Artifact) -> bytes:
    """What the page reads of a manifest."""

    def tiles(tiling: Tiling) -> dict[str, object]:
        sides = [tiling.height, tiling.width]
        return {"tile_px": sides, "multiple_px": MULTIPLE_PX, "halo_px": HALO_PX, "blend_px": BLEND_PX}

    sized = [
        {"name": one.name, "input": one.input.as_json(), "output": one.output.as_json(), "tiling": tiles(tiling)}
        for one, tiling in zip(joined.signatures, tilings(joined).values(), strict=True)
    ]
    first = {key: sized[0][key] for key in ("input", "output")}
    model = {"file": "models/a.int8.tflite", "sha256": sha256_of(joined.path), "format": "tflite", "precision": "int8"}
    tree = {"name": "sizes", "version": "1", "description": "", "models": [model | first | {"signatures": sized}]}
    around = {"tiling": sized[0]["tiling"], "processing": {"denoise": 0, "only_blurred": False}}
    return json.dumps(tree | around).encode()


@pytest.mark.slow
def test_every_signature_and_every_picture(joined: Artifact, tmp_path: Path) -> None:
    engine = LiteRtWebEngine()
    put_together(engine)
    for signature in joined.signatures:
        image = picture(1, signature.input.height, signature.input.width)
        at_size = joined.at(signature)
        with runtime("litert_cpu").open(at_size, 1) as beside, runtime("litert_web").open(at_size, 2) as web:
            assert np.array_equal(beside.infer(image), web.infer(image))
    table = {"/": "/web/", "/web/": page_files()["/index.html"], "/manifest.json": manifest(joined)}
    table |= page_files("/web/") | engine_files(engine.files, "/web/") | {"/models/a.int8.tflite": joined.path}
    sides = [(one.input.height, one.input.width) for one in joined.signatures]
    with visiting(table) as visitor:
        visitor.arrive()
        for seed, (height, width) in enumerate((sides[0], sides[1], (sides[1][0] + 30, sides[1][1] + 71))):
            path = tmp_path / f"{seed}.png"
            pixels = (picture(seed, height, width) * 255).astype(np.uint8)
            Image.fromarray(pixels).save(path)
            visitor.drop(path)
            wanted, used = by_python(joined, pixels)
            assert np.array_equal(visitor.restored, wanted)
            fitting = "{1}×{0}".format(*used.split("x"))
            assert f"of {fitting} px" in visitor.text("status")


def by_python(joined: Artifact, pixels: np.ndarray) -> tuple[np.ndarray, str]:
    with ExitStack() as sessions:

        def open_at(name: str) -> Restorer:
            session = sessions.enter_context(runtime("litert_cpu").open(joined.named(name), 1))
            return Restorer(session, tilings(joined)[name])

        of_sizes = RestorerOfSizes(tilings(joined), open_at)
        (made,) = of_sizes.restore([pixels])
        (used,) = of_sizes.used
        return made, used
