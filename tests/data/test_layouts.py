"""Public sets in tiny folders of their shape: layout detected, official split, both sides of every pair."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from exporter.data.evaluation import open_evaluation
from exporter.data.images import write_png
from exporter.data.layouts import detect_layout
from exporter.data.training import PairedSet, open_training
from exporter.errors import DataError
from tests.conftest import picture
from tests.data.drawn import drawn

HEIGHT, WIDTH = 48, 64


def write(path: Path, seed: int, dark: float = 1.0) -> None:
    """A picture of its own; `dark` tells a blurred file (0.5) from its sharp one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, picture(seed, HEIGHT, WIDTH) * dark)


def make_gopro(root: Path) -> Path:
    for split, sequence, frames in (("train", "GOPR0372_07_00", (47, 48)), ("test", "GOPR0384_11_00", (1,))):
        for frame in frames:
            for kind, dark in (("sharp", 1.0), ("blur", 0.5), ("blur_gamma", 0.25)):
                write(root / split / sequence / kind / f"{frame:06}.png", frame, dark)
    return root


def make_realblur(root: Path) -> Path:
    for variant, dark in (("J_ECC_IMCORR_centroid_itensity_ref", 0.5), ("R_BM3D_ECC_IMCORR", 0.25)):
        for scene, shots in ((1, (1, 2)), (50, (8,))):
            lines = []
            for shot in shots:
                below = f"RealBlur-{variant}/scene{scene:03}"
                names = f"{below}/gt/gt_{shot}.png", f"{below}/blur/blur_{shot}.png"
                write(root / names[0], shot)
                write(root / names[1], shot, dark)
                lines.append(" ".join(names))
            split = "train" if scene == 1 else "test"
            (root / f"RealBlur_{variant[0]}_{split}_list.txt").write_text("\n".join(lines) + "\n")
    return root


def make_rsblur(root: Path) -> Path:
    """The lists name the folder RSBlur itself."""
    lists = root / "datalist" / "RSBlur"
    lists.mkdir(parents=True)
    for split, scene, shots in (("train", 1, (1, 2)), ("test", 6, (302,)), ("val", 14, (422,))):
        lines = []
        for shot in shots:
            below = f"{scene:04}/{shot:06}"
            write(root / below / "gt" / "gt_sharp.png", shot)
            write(root / below / "real_blur" / "real_blur.png", shot, 0.5)
            lines.append(f"RSBlur/{below}/gt/gt_sharp.png RSBlur/{below}/real_blur/real_blur.png")
        (lists / f"RSBlur_real_{split}.txt").write_text("\n".join(lines))
    return root


MAKERS = {"GoPro": make_gopro, "RealBlur": make_realblur, "RSBlur": make_rsblur}


@pytest.mark.parametrize("name", MAKERS)
def test_a_public_set_is_recognised_and_split_as_its_authors_do(name: str, tmp_path: Path) -> None:
    folder = MAKERS[name](tmp_path / "set")
    layout = detect_layout(folder)
    assert layout is not None
    assert layout.name == name
    training = open_training(folder)
    assert isinstance(training, PairedSet)
    assert (len(training), len(training.files)) == (2, 4)
    evaluation = open_evaluation(folder, HEIGHT, WIDTH)
    assert len(evaluation) == 1
    assert not set(training.files) & set(evaluation.files)
    assert layout.protocol in evaluation.manifest.description
    (pair,) = evaluation
    assert np.abs(pair.blurred - pair.sharp * 0.5).max() < 0.01
    assert evaluation.sha256 != open_evaluation(folder, HEIGHT, HEIGHT).sha256


@pytest.mark.parametrize("name", MAKERS)
def test_batches_are_matching_crops(name: str, tmp_path: Path) -> None:
    training = open_training(MAKERS[name](tmp_path / "set"))
    blurred, sharp = training.batch(seed=1, step=2, batch=4, size=32)
    assert blurred.shape == sharp.shape == (4, 3, 32, 32)
    assert np.abs(blurred - sharp * 0.5).max() < 0.01
    again = training.batch(1, 2, 4, 32, slice(1, None, 2))
    assert np.array_equal(again[1], sharp[1::2])
    assert not np.array_equal(training.batch(1, 3, 4, 32)[1], sharp)
    pool = drawn(tmp_path / "pool", tmp_path / "set", 3, 40)
    blurred, sharp = pool.batch(0, 0, 2, 32)
    assert np.abs(blurred - sharp * 0.5).max() < 0.01


@pytest.mark.parametrize(("name", "variant"), [("GoPro", "blur_gamma"), ("RealBlur", "R")])
def test_a_variant_is_the_other_blur(name: str, variant: str, tmp_path: Path) -> None:
    folder = MAKERS[name](tmp_path / "set")
    (pair,) = open_evaluation(folder, HEIGHT, WIDTH, variant)
    assert np.abs(pair.blurred - pair.sharp * 0.25).max() < 0.01
    blurred, sharp = open_training(folder, variant=variant).batch(0, 0, 1, 32)
    assert np.abs(blurred - sharp * 0.25).max() < 0.01
    assert open_training(folder, variant=variant).sha256 != open_training(folder).sha256


def test_the_folder_of_one_gopro_split_is_that_split(tmp_path: Path) -> None:
    folder = make_gopro(tmp_path / "set")
    assert len(open_training(folder / "train")) == 2
    assert len(open_evaluation(folder / "test", HEIGHT, WIDTH)) == 1


def test_rsblur_is_found_from_its_parent(tmp_path: Path) -> None:
    make_rsblur(tmp_path / "RSBlur")
    (tmp_path / "RSBlur" / "datalist").rename(tmp_path / "datalist")
    assert len(open_training(tmp_path)) == 2


def remove_list(folder: Path) -> None:
    (folder / "RealBlur_J_train_list.txt").unlink()


def remove_picture(folder: Path) -> None:
    next(folder.glob("RealBlur-J_*/scene001/blur/blur_2.png")).unlink()


def garble_list(folder: Path) -> None:
    (folder / "RealBlur_J_train_list.txt").write_text("one\n")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (remove_list, r"has no RealBlur_J_train_list\.txt"),
        (remove_picture, r"blur_2\.png belongs to the train split of RealBlur, but is not there"),
        (garble_list, r"line 1 is not `sharp blurred`: 'one'"),
    ],
)
def test_an_incomplete_set_is_one_sentence(damage: Callable[[Path], None], says: str, tmp_path: Path) -> None:
    folder = make_realblur(tmp_path / "set")
    damage(folder)
    with pytest.raises(DataError, match=says):
        open_training(folder)


def test_an_unknown_variant_lists_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no variant 'K'[\s\S]*it has: J, R"):
        open_training(make_realblur(tmp_path / "set"), variant="K")


def test_a_plain_folder_is_no_public_set(photo_folder: Path, pair_folder: Path) -> None:
    assert detect_layout(photo_folder) is None
    assert detect_layout(pair_folder) is None


@pytest.mark.parametrize("name", ["/etc/passwd", "../../secret.png", "x/../../../secret.png"])
def test_a_list_names_pictures_of_its_own_set_alone(name: str, tmp_path: Path) -> None:
    folder = make_realblur(tmp_path / "set")
    (folder / "RealBlur_J_train_list.txt").write_text(f"{name} {name}\n")
    with pytest.raises(DataError, match="which leads out of its folder"):
        open_training(folder)
