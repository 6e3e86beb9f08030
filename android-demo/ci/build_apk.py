"""The demo as an APK, without Gradle and Google's SDK: `python android-demo/ci/build_apk.py BUNDLE OUT.apk [PUB]`.

It is built from Debian's parts, and one that would not do on a phone is refused. In place of a bundle it takes the
library that `exporter pack BUNDLE --as aar --folder bundle` made of one, as an app does that depends on it.

With a public key the app takes no bundle that it has not signed, and this one is checked before it is built in.

The APK is the flavour `bare`: everything but the engine and CameraX, which are AARs of Google's. The flavours with them
compile against stubs, which are never packaged.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from check_bundle import CODE
from check_bundle import main as check_bundle
from library import ASSETS, Library

from exporter.artifact import sha256_of
from exporter.bundle.sums import SIGNATURE, SUMS
from exporter.bundle.verify import verify_signature
from exporter.errors import BundleError, ExportError
from exporter.files.atomic import write_atomically
from exporter.files.contained import contained
from tools.toolchains.apk import ApkToolchain, run_tool

DEMO = Path(__file__).resolve().parents[1]
Flavour = Literal["bare", "litert", "legacy"]
FLAVOURS: dict[Flavour, tuple[str, ...]] = {
    "bare": ("bare/src",),
    "litert": ("app/src/camerax", "app/src/litert"),
    "legacy": ("app/src/camerax", "legacy/src"),
}
PACKAGE, VERSION = "io.github.exporter.deblur", "0.1.0"
MIN_SDK, TARGET_SDK = 24, 34
# Not `-0 tflite`, which aapt2 takes without a word and then deflates the model, and not `-0 .tflite` either: a name's
# ending counts from its first dot, and name.int8.tflite is deflated.
STORED = ("--no-compress-regex", r"\.tflite$")
TRUSTED_KEYS = "trusted_keys.pem"  # as Bundles.java calls it
_PASSWORD = "android"  # of a key that lives for one build
_EPOCH = (2020, 1, 1, 0, 0, 0)


def main(bundle: str, apk: str, key: str | None = None) -> int:
    try:
        trusted = Path(key) if key else None
        tools = ApkToolchain()
        tools.install(_say)
        if trusted and (code := _unsigned(Path(bundle), trusted)):
            return code
        build_apk(tools, DEMO, Path(bundle), Path(apk), trusted=trusted, say=_say)
    except ExportError as error:
        _say(str(error))
        return error.exit_code
    _say(f"{apk}: {Path(apk).stat().st_size / 1e6:.1f} MB, flavour bare: camera, tiles and protocol, no engine")
    return 0


def _unsigned(bundle: Path, key: Path) -> int:
    """0 when `key` signed it; of a library only the app's own Java can tell, as not all that was signed is in it."""
    if bundle.suffix != ".aar":
        verify_signature(bundle, key)
        return 0
    with tempfile.TemporaryDirectory(prefix="exporter-aar-") as scratch:
        return check_bundle(str(Library(bundle, Path(scratch)).bundle), str(key))


def build_apk(
    tools: ApkToolchain,
    demo: Path,
    bundle: Path,
    apk: Path,
    *,
    stored: Sequence[str] = STORED,
    trusted: Path | None = None,
    say: Callable[[str], None],
) -> None:
    """Write `apk`, signed with a key that is made for it and thrown away: `bundle` among the assets of android-demo/.

    `bundle`: its folder, or a library that holds it. `stored`: aapt2's words for what it leaves uncompressed.
    `trusted`: the public keys, PEM, of which one has to have signed the bundles that the app takes. Raises EngineError
    when a tool fails, BundleError when the APK does not hold what it must; then there is no APK.
    """
    with tempfile.TemporaryDirectory(prefix="exporter-apk-") as scratch:
        work, jars = Path(scratch), []
        if bundle.suffix == ".aar":
            library = Library(bundle, work / "library")
            library.check(tools, MIN_SDK)
            bundle, jars = library.bundle, [library.jar]
        resources(tools, demo, bundle, work, stored, trusted)
        say("compiling")
        classes = compile_flavour(tools, demo, "bare", work, jars)
        dex(tools, classes, work / "classes.dex", jars)
        _add(work / "unaligned.apk", work / "classes.dex")
        tools.native("zipalign", "-f", "-p", "4", work / "unaligned.apk", work / "aligned.apk")
        say("signing")
        _sign(tools, work)
        check_apk(tools, work / "signed.apk", bundle)
        with write_atomically(apk) as new:
            shutil.copyfile(work / "signed.apk", new)


def check_apk(tools: ApkToolchain, apk: Path, bundle: Path) -> None:
    """Models stored, aligned, unchanged; signatures v2 and v3; SDK levels. Raises BundleError saying what is not."""
    with zipfile.ZipFile(apk) as entries:
        for file in _models(bundle):
            entry = entries.getinfo(f"{ASSETS}/{file}")
            if entry.compress_type != zipfile.ZIP_STORED:
                raise BundleError(f"{file} is compressed in {apk.name}, so that a phone cannot map it")
            with tempfile.TemporaryDirectory() as scratch:
                if sha256_of(Path(entries.extract(entry, scratch))) != sha256_of(bundle / file):
                    raise BundleError(f"{file} in {apk.name} is not the bundle's")
    tools.native("zipalign", "-c", "-p", "4", apk)
    verified = tools.java("-jar", tools.jar("apksigner.jar"), "verify", "-v", apk)
    for scheme in ("v2", "v3"):
        if f"Verified using {scheme} scheme (APK Signature Scheme {scheme}): true" not in verified:
            raise BundleError(f"{apk.name} carries no signature of scheme {scheme}")
    badging = tools.native("aapt", "dump", "badging", apk)
    lines = badging.splitlines()
    if not lines or not lines[0].startswith(f"package: name='{PACKAGE}' "):
        raise BundleError(f"{apk.name} is not the package {PACKAGE}")
    for line in (f"sdkVersion:'{MIN_SDK}'", f"targetSdkVersion:'{TARGET_SDK}'"):
        if line not in lines:
            raise BundleError(f"{apk.name} does not say {line}")


def compile_flavour(tools: ApkToolchain, demo: Path, flavour: Flavour, work: Path, jars: Sequence[Path] = ()) -> Path:
    """Classes of CODE, core/, app/ and `flavour` against Android's API 23; `work` holds what `resources` made."""
    stubs, classes = work / "stubs", work / flavour
    if flavour != "bare":
        tools.javac(_java(demo / "stubs"), stubs, classpath=(), android=True)
    folders = [
        CODE,
        demo / "core",
        demo / "app/src/main",
        work / "generated",
        *(demo / path for path in FLAVOURS[flavour]),
    ]
    sources = [path for folder in folders for path in _java(folder)]
    tools.javac(sources, classes, classpath=[*([stubs] if flavour != "bare" else []), *jars], android=True)
    return classes


def resources(
    tools: ApkToolchain,
    demo: Path,
    bundle: Path,
    work: Path,
    stored: Sequence[str] = STORED,
    trusted: Path | None = None,
) -> None:
    """The APK without code, `work`/unaligned.apk, and R.java in `work`/generated."""
    assets = work / "assets" / "bundle"
    (assets / "models").mkdir(parents=True, exist_ok=True)
    shutil.copytree(bundle / "golden", assets / "golden", dirs_exist_ok=True)
    shutil.copyfile(bundle / "manifest.json", assets / "manifest.json")
    for file in _models(bundle):
        shutil.copyfile(bundle / file, assets / file)
    if (bundle / SIGNATURE).is_file():
        shutil.copyfile(bundle / SIGNATURE, assets / SIGNATURE)
    if trusted:
        shutil.copyfile(trusted, work / "assets" / TRUSTED_KEYS)
    main = demo / "app/src/main"
    # Gradle wants the package elsewhere and refuses it here; aapt2 wants it here.
    manifest = (main / "AndroidManifest.xml").read_text().replace("<manifest ", f'<manifest package="{PACKAGE}" ', 1)
    (work / "AndroidManifest.xml").write_text(manifest)
    tools.native("aapt2", "compile", "--dir", main / "res", "-o", work / "resources.zip")
    linked: list[str | Path] = ["link", "-o", work / "unaligned.apk", "-I", tools.framework_res]
    linked += ["--manifest", work / "AndroidManifest.xml", "--java", work / "generated", "-A", work / "assets"]
    linked += ["--version-code", "1", "--version-name", VERSION]
    linked += [*stored, "--min-sdk-version", str(MIN_SDK), "--target-sdk-version", str(TARGET_SDK)]
    tools.native("aapt2", *linked, work / "resources.zip")


def dex(tools: ApkToolchain, classes: Path, dexed: Path, jars: Sequence[Path] = ()) -> None:
    """Android's bytecode of all classes in a folder and in `jars`."""
    program = ("-cp", tools.jar("com.android.dx.jar"), "com.android.dx.command.Main")
    tools.java(*program, "--dex", f"--min-sdk-version={MIN_SDK}", f"--output={dexed}", classes, *jars)


def _models(bundle: Path) -> list[str]:
    """The manifest's .tflite files, of a library those that went along. Raises BundleError for one not below it."""
    manifest: dict[str, Any] = json.loads((bundle / "manifest.json").read_text())
    named = [model["file"] for model in manifest["models"] if model["format"] == "tflite"]
    if not (bundle / SUMS).is_file():
        named = [file for file in named if (bundle / file).is_file()]
    for file in named:
        contained(bundle, file, named_in="manifest.json", error=BundleError)
    return named


def _java(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.java"))


def _add(apk: Path, dexed: Path) -> None:
    with zipfile.ZipFile(apk, "a") as entries:
        entry = zipfile.ZipInfo(dexed.name, _EPOCH)
        entries.writestr(entry, dexed.read_bytes(), zipfile.ZIP_DEFLATED)


def _sign(tools: ApkToolchain, work: Path) -> None:
    keystore = work / "demo.jks"
    key = ["-genkeypair", "-alias", "demo", "-keyalg", "RSA", "-validity", "10000", "-dname", "CN=demo"]
    password = ["-storepass", _PASSWORD, "-keypass", _PASSWORD]
    run_tool([tools.jdk_tool("keytool"), *key, *password, "-keystore", keystore])
    words: list[str | Path] = ["sign", "--ks", keystore, "--ks-pass", f"pass:{_PASSWORD}"]
    tools.java("-jar", tools.jar("apksigner.jar"), *words, "--out", work / "signed.apk", work / "aligned.apk")


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
