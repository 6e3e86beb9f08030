"""The demo's APK from Debian's parts, its other flavours against stubs, and the runtime card's snippets, compiled."""

from __future__ import annotations

import re
import shutil
import struct
import zipfile
from pathlib import Path

import pytest
from build_apk import FLAVOURS, build_apk, check_apk, compile_flavour, dex, resources

from exporter.bundle import sign_bundle
from exporter.bundle.card import runtime_card
from exporter.bundle.manifest import Manifest, Model, Sized, read_manifest
from exporter.bundle.sums import SIGNATURE
from exporter.errors import BundleError, EngineError
from exporter.signing.keys import new_key_pair
from tests.android.conftest import DEMO
from tools.toolchains.apk import ApkToolchain
from tools.toolchains.kotlin import KotlinToolchain


def quiet(line: str) -> None:
    """Nobody listens to the build."""


@pytest.fixture(scope="module")
def built(android: ApkToolchain, bundle: Path, tmp_path_factory) -> Path:
    path: Path = tmp_path_factory.mktemp("apk") / "demo.apk"
    build_apk(android, DEMO, bundle, path, say=quiet)
    return path


@pytest.mark.slow
def test_the_apk_holds_the_bundle_and_the_code(
    android: ApkToolchain, bundle: Path, built: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(built) as entries:
        names = set(entries.namelist())
        assert {f"assets/bundle/{file}" for file in ("manifest.json", "golden/golden.json")} <= names
        (tmp_path / "classes.dex").write_bytes(entries.read("classes.dex"))
    dumped = android.native("dexdump", tmp_path / "classes.dex")
    for name in ("BenchActivity", "LiveActivity", "PhotoActivity", "Camera2Frames", "core/Tiler"):
        assert f"Lio/github/exporter/deblur/{name};" in dumped
    for absent in ("com/google/ai/edge", "org/tensorflow", "androidx"):
        assert f"L{absent}" not in dumped, "stubs are never packaged"
    assert [path.name for path in built.parent.iterdir()] == ["demo.apk"], "neither a key nor half an APK is left"


@pytest.mark.slow
@pytest.mark.extra("signing")
def test_a_trusted_key_and_the_signature_go_along(android: ApkToolchain, bundle: Path, tmp_path: Path) -> None:
    signed = Path(shutil.copytree(bundle, tmp_path / "bundle"))
    private, public = new_key_pair(tmp_path / "phone", "ecdsa-p256")
    sign_bundle(signed, [private])
    resources(android, DEMO, signed, tmp_path / "work", trusted=public)
    with zipfile.ZipFile(tmp_path / "work" / "unaligned.apk") as entries:
        assert entries.read("assets/trusted_keys.pem") == public.read_bytes()
        assert entries.read(f"assets/bundle/{SIGNATURE}") == (signed / SIGNATURE).read_bytes()
    (source,) = (DEMO / "app").rglob("Bundles.java")
    assert '"trusted_keys.pem"' in source.read_text(), "as the app calls it"


@pytest.mark.slow
@pytest.mark.parametrize("words", [("-0", "tflite"), ("-0", ".tflite")])
def test_a_compressed_model_is_caught(android: ApkToolchain, bundle: Path, tmp_path: Path, words) -> None:
    """Both are taken by aapt2 without a word, and both deflate name.int8.tflite."""
    resources(android, DEMO, bundle, tmp_path, words)
    with pytest.raises(BundleError, match=r"\.tflite is compressed in unaligned\.apk"):
        check_apk(android, tmp_path / "unaligned.apk", bundle)
    resources(android, DEMO, bundle, tmp_path)
    _put_beside_four(tmp_path / "unaligned.apk")
    with pytest.raises(EngineError, match="zipalign failed"):  # stored now, but not aligned
        check_apk(android, tmp_path / "unaligned.apk", bundle)


def _put_beside_four(apk: Path) -> None:
    """Write the archive anew so that no entry begins at a multiple of four; by chance all that are stored may."""
    with zipfile.ZipFile(apk) as old:
        entries = [(info, old.read(info)) for info in old.infolist()]
    with zipfile.ZipFile(apk, "w") as new:
        for info, content in entries:
            moved = zipfile.ZipInfo(info.filename, info.date_time)
            moved.compress_type = info.compress_type
            begins = new.start_dir + zipfile.sizeFileHeader + len(info.filename.encode())
            moved.extra = b"" if begins % 4 else struct.pack("<HHB", 0x4558, 1, 0)  # an id of nobody's, one byte
            new.writestr(moved, content)


@pytest.mark.slow
def test_another_model_and_a_broken_signature_are_caught(
    android: ApkToolchain, bundle: Path, built: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(bundle, tmp_path / "bundle"))
    model = other / "models" / "mobile_deblur.int8.tflite"
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.write_bytes(data)
    with pytest.raises(BundleError, match=r"mobile_deblur\.int8\.tflite in demo\.apk is not the bundle's"):
        check_apk(android, built, other)
    data = bytearray(built.read_bytes())
    with zipfile.ZipFile(built) as entries:
        data[entries.getinfo("classes.dex").header_offset + 1000] ^= 1
    changed = tmp_path / "demo.apk"
    changed.write_bytes(data)
    with pytest.raises(EngineError, match="DOES NOT VERIFY"):
        check_apk(android, changed, bundle)


@pytest.mark.slow
@pytest.mark.parametrize("flavour", sorted(FLAVOURS.keys() - {"bare"}))
def test_the_flavours_with_engines_compile_and_dex(
    android: ApkToolchain, bundle: Path, tmp_path: Path, flavour
) -> None:
    resources(android, DEMO, bundle, tmp_path)
    dex(android, compile_flavour(android, DEMO, flavour, tmp_path), tmp_path / "classes.dex")
    assert (tmp_path / "classes.dex").stat().st_size > 30_000


def test_versions_are_said_alike() -> None:
    """What an engine calls itself in a result is what Gradle takes."""
    catalog = (DEMO / "gradle" / "libs.versions.toml").read_text()
    for flavour, key in (("app/src/litert", "litert"), ("legacy/src", "litertLegacy")):
        (source,) = (DEMO / flavour).rglob("Engines.java")
        (version,) = re.findall(r'VERSION = "([\d.]+)"', source.read_text())
        assert f'{key} = "{version}"' in catalog


def snippet(card: str, language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", card, re.DOTALL)
    return found


@pytest.fixture(scope="module")
def stubs(android: ApkToolchain, tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("stubs")
    android.javac(sorted((DEMO / "stubs").rglob("*.java")), folder, classpath=(), android=True)
    return folder


@pytest.mark.slow
def test_the_cards_java_compiles(android: ApkToolchain, bundle: Path, stubs: Path, tmp_path: Path) -> None:
    source = tmp_path / "Restored.java"
    source.write_text(snippet((bundle / "README.md").read_text(), "java"))
    handed_out = sorted((bundle / "code/java").rglob("*.java"))
    android.javac([source, *handed_out], tmp_path / "classes", classpath=[stubs], android=True)
    source.write_text(source.read_text().replace("setNumThreads", "setThreads"))
    with pytest.raises(EngineError, match="setThreads"):
        android.javac([source, *handed_out], tmp_path / "classes", classpath=[stubs], android=True)


def of_two_sizes(manifest: Manifest) -> Manifest:
    """As if its files held two sizes; the second's ends are the first's, which a card does not look at."""

    def with_sizes(model: Model) -> Model:
        names = ("64x64", "96x128")
        ends = {"input": model.input, "output": model.output, "tiling": manifest.tiling, "worst_parity_db": 40.0}
        return model.model_copy(update={"signatures": tuple(Sized.model_construct(name=n, **ends) for n in names)})

    return manifest.model_copy(update={"models": tuple(map(with_sizes, manifest.models))})


@pytest.mark.slow
def test_the_cards_kotlin_compiles(
    android: ApkToolchain, bundle: Path, stubs: Path, classes: Path, tmp_path: Path
) -> None:
    manifest = read_manifest(bundle)
    int8_only = manifest.model_copy(update={"models": tuple(m for m in manifest.models if m.precision == "int8")})
    sources = [tmp_path / "Float.kt", tmp_path / "Int8.kt", tmp_path / "Sizes.kt"]
    sources[0].write_text(snippet((bundle / "README.md").read_text(), "kotlin"))
    sources[1].write_text("package int8\n" + snippet(runtime_card(int8_only, bundle, ()), "kotlin"))
    section = runtime_card(of_two_sizes(manifest), bundle, ()).split("## Which size for which picture")[1]
    sources[2].write_text(snippet(section.split("## Tensors")[0], "kotlin"))
    assert "fun restoreAt" in sources[2].read_text()
    kotlin = KotlinToolchain()
    kotlin.install(quiet)
    kotlin.compile(sources, tmp_path / "classes", [stubs, classes, android.android_jar])
    sources[1].write_text(sources[1].read_text().replace("readInt8", "readBytes"))
    with pytest.raises(EngineError, match="readBytes"):
        kotlin.compile(sources, tmp_path / "classes", [stubs, classes, android.android_jar])
