"""Writing a bundle: the same bytes twice, the former one kept when anything fails, names that stay in the folder."""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.bundle import reproducible_files, verify_bundle, write_bundle
from exporter.errors import BundleError, DiskFull, RecipeError
from exporter.files import atomic
from exporter.judge.outcome import Outcome
from exporter.judge.verdicts import Status
from tests.bundle.conftest import Finished, tree
from tests.small_disk import mounted


def test_two_writes_differ_in_the_report_alone(finished: Finished, pristine: Path, tmp_path: Path) -> None:
    outcome, golden = finished
    slower = tuple(
        replace(t, latency=replace(t.latency, samples_ms=tuple(2 * ms for ms in t.latency.samples_ms)))
        for t in outcome.targets
    )
    again = replace(outcome, targets=slower, stage_seconds={"prune": 1.0})
    other = write_bundle(again, golden, tmp_path, multiple=4)
    assert reproducible_files(other) == reproducible_files(pristine)
    assert "models/mobile_deblur.int8.tflite" in reproducible_files(other)
    differing = {file for file, data in tree(other).items() if data != tree(pristine)[file]}
    lists_of_digests = {"SHA256SUMS", "sbom.cdx.json", "provenance.intoto.json"}
    assert differing == {"report/index.html", "report/report.json", *lists_of_digests}


@pytest.mark.parametrize("where", ["stamp", "golden", "report"])
def test_a_full_disk_leaves_the_former_bundle_and_no_trace(
    finished: Finished, bundle: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    outcome, golden = finished
    before = tree(bundle)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    name = {
        "stamp": "exporter.bundle.write.shutil.copyfile",
        "golden": "exporter.bundle.golden._save",
        "report": "exporter.bundle.write.write_report",
    }[where]
    monkeypatch.setattr(name, full)
    with pytest.raises(DiskFull, match="mobile_deblur-1.0.0"):
        write_bundle(outcome, golden, bundle.parent)
    assert tree(bundle) == before
    assert [path.name for path in bundle.parent.iterdir()] == [bundle.name]


def test_a_failed_last_step_puts_the_former_bundle_back(
    finished: Finished, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(bundle)
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.parent.name == atomic.NEW:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(*finished, bundle.parent)
    assert tree(bundle) == before
    assert [path.name for path in bundle.parent.iterdir()] == [bundle.name]


def test_a_disk_that_is_really_full(finished: Finished, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=300k") as disk:
        with pytest.raises(DiskFull, match="mobile_deblur-1.0.0"):
            write_bundle(*finished, disk)
        assert list(disk.iterdir()) == []


WRITE = """
import pickle, sys
from pathlib import Path
from exporter.bundle import write_bundle
outcome, golden = pickle.loads(Path(sys.argv[1]).read_bytes())
write_bundle(outcome, golden, Path(sys.argv[2]), multiple=4)
"""


@pytest.mark.slow
@pytest.mark.extra("old-runtime")
def test_two_processes_write_one_bundle(finished: Finished, tmp_path: Path) -> None:
    (tmp_path / "finished").write_bytes(pickle.dumps(finished))
    words = [sys.executable, "-c", WRITE, tmp_path / "finished", tmp_path / "dist"]
    both = [subprocess.Popen(words) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    (made,) = (tmp_path / "dist").iterdir()
    assert verify_bundle(made).exit_code == 0


def _with_status(outcome: Outcome, promise: str, status: Status) -> Outcome:
    """The first promise of that kind went so."""
    index = next(i for i, verdict in enumerate(outcome.verdicts) if verdict.promise == promise)
    changed = replace(outcome.verdicts[index], status=status, sentence="<b>it is</b> 1.234 | no more")
    return replace(outcome, verdicts=(*outcome.verdicts[:index], changed, *outcome.verdicts[index + 1 :]))


def test_a_missed_run_lies_apart_and_says_so_first(finished: Finished, tmp_path: Path) -> None:
    outcome, golden = finished
    missed = write_bundle(_with_status(outcome, "max_loss_db", Status.MISSED), golden, tmp_path, multiple=4)
    assert missed.name == "mobile_deblur-1.0.0.missed"
    top = (missed / "README.md").read_text().splitlines()[:5]
    assert top[2].startswith(
        f"> **This is not what was promised: 1 missed, 1 not measured of {len(outcome.verdicts)}.**"
    )
    assert top[3] == "> - missed: &lt;b>it is&lt;/b> 1.234 \\| no more"
    assert "on litert_arm was not measured" in top[4]


def test_a_good_run_replaces_what_a_missed_one_left_and_not_the_other_way_round(
    finished: Finished, bundle: Path
) -> None:
    outcome, golden = finished
    before, dist = tree(bundle), bundle.parent
    missed = write_bundle(_with_status(outcome, "max_loss_db", Status.MISSED), golden, dist, multiple=4)
    assert tree(bundle) == before and missed.is_dir()
    unmeasured = _with_status(outcome, "max_loss_db", Status.NOT_MEASURED)
    assert write_bundle(unmeasured, golden, dist, multiple=4) == bundle, "nothing was missed"
    assert [path.name for path in dist.iterdir()] == [bundle.name]
    assert f"> **{len(outcome.verdicts) - 2} kept, 2 not measured.**" in (bundle / "README.md").read_text()


def test_the_card_of_a_missed_time_holds_no_time(finished: Finished, tmp_path: Path) -> None:
    outcome, golden = finished
    late = replace(outcome.verdicts[0], promise="max_latency_ms", limit=5.0, value=7.31, sentence="it is 7.31 ms")
    late = replace(late, status=Status.MISSED)
    card = (write_bundle(replace(outcome, verdicts=(late,)), golden, tmp_path) / "README.md").read_text()
    assert "takes longer than the promised 5 ms" in card and "7.31" not in card and "other work" not in card
    noisy = replace(outcome, verdicts=(replace(late, noisy=True),))
    card = (write_bundle(noisy, golden, tmp_path) / "README.md").read_text()
    assert "longer than the promised 5 ms; it was timed on a machine that did other work, too" in card


def test_files_that_would_share_a_name_carry_their_targets(finished: Finished, tmp_path: Path) -> None:
    outcome, golden = finished
    fp32, fp16 = outcome.targets[:2]
    alike = replace(fp16, artifact=replace(fp16.artifact, precision="fp32"))
    made = write_bundle(replace(outcome, targets=(fp32, alike)), golden, tmp_path)
    names = {path.name for path in (made / "models").iterdir()}
    assert names == {"mobile_deblur.tflite_fp32.fp32.tflite", "mobile_deblur.tflite_fp16.fp32.tflite"}


def test_names_that_leave_the_folder_are_refused(finished: Finished, tmp_path: Path) -> None:
    outcome, golden = finished
    for name in ("../escape", "a/b", "", "a b"):
        with pytest.raises(RecipeError, match="cannot name a folder"):
            write_bundle(replace(outcome, name=name), golden, tmp_path)
    with pytest.raises(BundleError, match="nothing to ship"):
        write_bundle(replace(outcome, targets=()), golden, tmp_path)
    assert list(tmp_path.iterdir()) == []
