"""A library that `exporter pack --as aar` made, taken apart as Gradle does for an app that depends on it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from xml.etree import ElementTree

from exporter.errors import BundleError
from tools.toolchains.apk import ApkToolchain

ASSETS = "assets/bundle"  # where the demo looks for its bundle
ANDROID = "{http://schemas.android.com/apk/res/android}"


class Library:
    """`bundle`: its bundle, as far as it was packed. `jar`: its classes, of which a packed bundle has none."""

    def __init__(self, aar: Path, folder: Path) -> None:
        """Unpacks `aar` into `folder`. Raises BundleError when it is none, or holds no bundle that the demo finds."""
        try:
            with zipfile.ZipFile(aar) as archive:
                archive.extractall(folder)
        except zipfile.BadZipFile as error:
            raise BundleError(f"{aar} is no library: {error}") from None
        self.bundle, self.jar = folder / ASSETS, folder / "classes.jar"
        self._manifest = folder / "AndroidManifest.xml"
        for path in (self._manifest, self.jar, self.bundle / "manifest.json"):
            if not path.is_file():
                hint = "exporter pack BUNDLE --as aar --folder bundle"
                raise BundleError(f"{aar} holds no {path.relative_to(folder)}", hint=hint)

    def check(self, tools: ApkToolchain, min_sdk: int) -> None:
        """Raises BundleError for one that an app of `min_sdk` cannot take, EngineError where aapt2 refuses it."""
        sdk = ElementTree.parse(self._manifest).getroot().find("uses-sdk")
        wanted = int(sdk.get(f"{ANDROID}minSdkVersion", "1")) if sdk is not None else 1
        if wanted > min_sdk:
            raise BundleError(f"the library wants Android API {wanted}, the app runs on {min_sdk}")
        apk = self._manifest.with_name("alone.apk")
        tools.native("aapt2", "link", "-o", apk, "-I", tools.framework_res, "--manifest", self._manifest)
