"""The page's own files and the engine's, as addresses: the package's `web` folder and @litertjs/core's wasm folder."""

from __future__ import annotations

from pathlib import Path

WEB = Path(__file__).with_name("web")
ENGINE_FOLDER = "litert"
# Of @litertjs/core 2.5.3, by digest: with threads, without, for browsers without relaxed SIMD, and for WebGPU.
ENGINE_FILES = {
    "litert_wasm_threaded_internal.js": "92fe7a720c6deedaa1194c011c79a005ea4f6fc98f533b661cf7900760ab4849",
    "litert_wasm_threaded_internal.wasm": "b5e54eca10f043497edf9a02186332707cae260c550d7ea22b2cae55669596cf",
    "litert_wasm_internal.js": "68efb69f770e3f76aff36a377de629ca496c131b86ac0f0f4b592a1543a898eb",
    "litert_wasm_internal.wasm": "7280cf4471774867e385e6c3cd53e2b45e2975b80fea338fff4ef359b0865614",
    "litert_wasm_compat_internal.js": "4d8f894b7883654fd6e8439730aa41e79ceaab7d19184fc4f1f0b0f1a2a2c8a5",
    "litert_wasm_compat_internal.wasm": "5255c8ad06eabdbd2522cdebf6b22fc10faf74625c23a49b9e072570cd1fa41c",
    "litert_wasm_jspi_internal.js": "e685a3ed86f447c1feb8f5414319539c5e94d1cfc0eb49c3c5e6a788a6f5541b",
    "litert_wasm_jspi_internal.wasm": "a103e14db26cdbda9ba1a93633e59f3bf604d082fa7ab0c30ca730838e3faa69",
}


def page_files(under: str = "/") -> dict[str, Path]:
    """Address to file of the page's own code, below `under`."""
    return {f"{under}{file.name}": file for file in sorted(WEB.iterdir())}


def engine_files(folder: Path, under: str = "/") -> dict[str, Path]:
    """Address to file of the engine, which lies in `folder`."""
    return {f"{under}{ENGINE_FOLDER}/{name}": folder / name for name in ENGINE_FILES}
