from __future__ import annotations

from pathlib import Path

import pytest

from exporter.engines import packages
from exporter.engines.folder import stamp_of
from exporter.engines.packages import debian_mirror, unpack_debs
from exporter.engines.wheels import unpack_wheels
from exporter.errors import EngineError


def test_the_mirror_is_one_of_debian() -> None:
    assert debian_mirror().endswith("/debian") and "://" in debian_mirror()


def test_without_a_network_one_sentence_names_the_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "debian_mirror", lambda: "http://127.0.0.1:9/debian")
    with pytest.raises(EngineError, match=r"cannot reach http://127.0.0.1:9/debian .*bookworm: .*offline\?"):
        unpack_debs(["hello"], tmp_path / "engine")
    assert not list(tmp_path.iterdir())


def test_a_machine_without_apt_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="apt-get is not here"):
        unpack_debs(["hello"], tmp_path / "engine")


def test_a_wheel_that_no_index_has(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"pip cannot get numpy==0\.0\.1"):
        unpack_wheels(["numpy==0.0.1"], tmp_path / "engine")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_package_is_unpacked_once_and_a_lost_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    engine = unpack_debs(["hello"], tmp_path / "engine", say=said.append)
    assert (engine / "usr/bin/hello").is_file() and set(stamp_of(engine)["versions"]) == {"hello"}
    monkeypatch.setattr(packages, "debian_mirror", lambda: "http://127.0.0.1:9/debian")  # not asked a second time
    assert unpack_debs(["hello"], tmp_path / "engine", say=said.append) == engine and len(said) == 2
    monkeypatch.undo()
    with pytest.raises(EngineError, match="Debian bookworm at .* does not serve the package no-such-engine"):
        unpack_debs(["no-such-engine"], tmp_path / "other")


@pytest.mark.slow
def test_another_architecture_brings_its_own_c_library(tmp_path: Path) -> None:
    engine = unpack_debs(["hello"], tmp_path / "engine", architecture="arm64", with_dependencies=True)
    assert (engine / "usr/bin/hello").read_bytes()[18:20] == b"\xb7\x00", "AArch64 in the ELF header"
    assert "libc6" in stamp_of(engine)["versions"]


def test_a_library_in_a_folder_of_its_own_is_found(tmp_path: Path) -> None:
    for place in ("lib/x/libc.so.6", "usr/lib/x/libpulse.so.0", "usr/lib/x/pulseaudio/libpulsecommon-16.1.so"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    (tmp_path / "usr/lib/locale").mkdir()
    folders = packages.library_path(tmp_path).split(":")
    assert folders == [str(tmp_path / folder) for folder in ("lib/x", "usr/lib/x", "usr/lib/x/pulseaudio")]
