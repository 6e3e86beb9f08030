"""Which phones are asked, and how several are worked on at once. A script stands in for adb, as in test_adb.py."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from exporter.android.adb import Adb
from exporter.android.several import choose_devices, side_by_side, why_gone
from exporter.errors import EngineError, MissingTool, RecipeError

STAND_IN = """#!/bin/sh
if [ "$1" = devices ]; then printf 'List of devices attached\\n%b' "LISTED"; exit 0; fi
case "$4" in *boot_id*) mark=$(printf '%s' "$4" | sed -n 's/.* \\(exporter-end-[0-9a-f]*\\) .*/\\1/p')
  printf '%s\\n%s 0\\n' "$(echo $2 | sed 's/.*-//')" "$mark" ;;
esac
"""


@pytest.fixture
def listing(tmp_path: Path):
    """`listing(text)`: an adb that lists that; a phone's boot id is what stands behind the last dash of its serial."""

    def make(text: str) -> Adb:
        script = tmp_path / "adb"
        script.write_text(STAND_IN.replace("LISTED", text))
        script.chmod(0o755)
        return Adb(str(script))

    return make


def test_all_are_those_that_adb_lists_and_none_is_left_out(listing):
    asked = choose_devices(listing("a-1\\tdevice\\nb-2\\tunauthorized\\nc-3\\toffline\\n"), None)
    assert [one.serial for one in asked] == ["a-1", "b-2", "c-3"] and asked[0].gone == ""
    assert asked[1].gone == "b-2 is unauthorized (allow this computer on its screen)"
    assert asked[2].gone == "c-3 is offline"


def test_one_phone_under_two_serials_is_one(listing):
    asked = choose_devices(listing("emulator-7\\tdevice\\nlan-7\\tdevice\\nusb-8\\tdevice\\n"), None)
    assert [one.serial for one in asked] == ["lan-7", "usb-8"]


def test_a_serial_that_nobody_has_is_answered_with_the_nearest(listing):
    adb = listing("R5CT1234\\tdevice\\nPIXEL8\\tdevice\\n")
    assert [one.serial for one in choose_devices(adb, ["PIXEL8", "R5CT1234", "PIXEL8"])] == ["PIXEL8", "R5CT1234"]
    with pytest.raises(RecipeError, match="no phone has the serial 'PIXEL9'; did you mean 'PIXEL8'"):
        choose_devices(adb, ["R5CT1234", "PIXEL9"])
    with pytest.raises(RecipeError, match="adb devices lists none"):
        choose_devices(listing(""), ["PIXEL8"])
    with pytest.raises(MissingTool, match="no phone is connected"):
        choose_devices(listing(""), None)


def test_why_a_phone_is_gone(listing):
    (here,) = choose_devices(listing("a-1\\tdevice\\n"), None)
    assert why_gone(here.device) == ""
    listing("a-1\\toffline\\n")
    assert why_gone(here.device) == "a-1 is offline"
    listing("")
    assert why_gone(here.device) == "a-1 is not connected any more"


def test_phones_are_worked_on_at_the_same_time(listing):
    asked = choose_devices(listing("a-1\\tdevice\\nb-2\\tdevice\\n"), None)
    both = threading.Barrier(2, timeout=20)  # breaks unless two wait at it together
    assert side_by_side(asked, lambda one: (both.wait() >= 0, one.serial)) == [(True, "a-1"), (True, "b-2")]


def test_when_one_worker_fails_for_good_the_other_is_called_off(listing):
    asked = choose_devices(listing("a-1\\tdevice\\nb-2\\tdevice\\n"), None)
    ended: list[str] = []

    def work(one) -> None:
        if one.serial == "a-1":
            raise ZeroDivisionError
        try:
            one.device.adb.pause(60)
        except EngineError as error:
            ended.append(str(error))

    with pytest.raises(ZeroDivisionError):
        side_by_side(asked, work)
    assert ended == ["the work was called off"]
