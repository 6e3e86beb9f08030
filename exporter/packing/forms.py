"""The three forms, as trees of files: an Android library, a Gradle module for Google Play, plain assets."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Collection, Mapping
from typing import Literal

from exporter.packing.archive import add
from exporter.packing.contents import Tree

Delivery = Literal["install-time", "fast-follow", "on-demand"]

# Without a target of its own a library counts as one for Android 1, and the app that takes it asks for permissions.
_LIBRARY = """<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="{package}">
    <uses-sdk android:minSdkVersion="21" android:targetSdkVersion="21" />
</manifest>
"""
_AAR_METADATA = """aarFormatVersion=1.0
aarMetadataVersion=1.0
minCompileSdk=1
minCompileSdkExtension=0
minAndroidGradlePluginVersion=1.0.0
coreLibraryDesugaringEnabled=false
"""
_MODULE = """plugins {{
    id("com.android.ai-pack")
}}

aiPack {{
    packName = "{pack}"
    dynamicDelivery {{
        deliveryType = "{delivery}"
    }}
}}
"""
_GUIDE = """# {title}: an AI pack for Google Play

Copy `{pack}/` beside `app/`, then name it in the project:

    // settings.gradle.kts
    include(":{pack}")

    // build.gradle.kts of the project; the version of com.android.application, 8.8 or newer
    plugins {{ id("com.android.ai-pack") version "8.10.0" apply false }}

    // app/build.gradle.kts
    android {{ assetPacks += listOf(":{pack}") }}

Its files on the device: {reading}
"""
_INSTALLED = 'assets of the app, such as `assets.open("{folder}/manifest.json")`.\n'
_FETCHED = """below `AiPackManager.getPackLocation("{pack}").assetsPath()`, in the folder `{folder}`.

    // app/build.gradle.kts
    dependencies {{ implementation("com.google.android.play:ai-delivery:0.1.1-alpha01") }}
"""
_GROUPED = """
The folders `models#group_…` go to some devices alone: {groups}; `other` is everybody else. On the device the folder is
called `models`. The groups are those of the app's own `device_targeting_configuration.xml`, the same for all its packs:

    // gradle.properties
    android.experimental.enableDeviceTargetingConfigApi=true

    // app/build.gradle.kts, plugin 8.10 or newer
    android {{ bundle {{
        deviceTargetingConfig = file("device_targeting_configuration.xml")
        deviceGroup {{ enableSplit = true; defaultGroup = "other" }}
    }} }}
"""


def library(app: Tree, folder: str, package: str) -> Tree:
    """An AAR without code: its assets are those of the app that depends on it."""
    return {
        "AndroidManifest.xml": _LIBRARY.format(package=package).encode(),
        "META-INF/com/android/build/gradle/aar-metadata.properties": _AAR_METADATA.encode(),
        "R.txt": b"",
        "classes.jar": _empty_jar(),
        **assets(app, folder, "assets/"),
    }


def assets(app: Tree, folder: str, prefix: str = "") -> Tree:
    """Files to copy into an app's assets."""
    return {f"{prefix}{folder}/{name}": content for name, content in app.items()}


def ai_pack(
    app: Tree, folder: str, title: str, pack: str, delivery: Delivery, groups: Mapping[str, Collection[str]]
) -> Tree:
    """A Gradle module of the plugin com.android.ai-pack, and a page that says where its name has to stand.

    `groups`: device group → model files that go to its devices alone; `other` are all devices of no group. Empty: every
    device gets every file.
    """
    home = f"{pack}/src/main/assets/{folder}/"
    shared = {name: content for name, content in app.items() if not groups or not name.startswith("models/")}
    targeted = {
        f"models#group_{group}/{file.removeprefix('models/')}": app[file]
        for group, files in groups.items()
        for file in files
    }
    reading = (_INSTALLED if delivery == "install-time" else _FETCHED).format(pack=pack, folder=folder)
    guide = _GUIDE.format(title=title, pack=pack, reading=reading.rstrip("\n"))
    if groups:
        guide += _GROUPED.format(groups=", ".join(f"`{group}`" for group in groups if group != "other"))
    return {
        "README.md": guide.encode(),
        f"{pack}/build.gradle.kts": _MODULE.format(pack=pack, delivery=delivery).encode(),
        **{home + name: content for name, content in (shared | targeted).items()},
    }


def pack_name(name: str) -> str:
    """`name` as Google Play and Java take it: letters, digits and underscores, a letter first."""
    legal = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return legal if legal[:1].isalpha() else f"model_{legal}"


def _empty_jar() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as jar:
        add(jar, "META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\r\n\r\n")
    return buffer.getvalue()
