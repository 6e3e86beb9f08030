"""Trainings from a recipe: what they learn from, what they leave behind, and how they go on after a kill."""

import json
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.data.images import write_png
from exporter.errors import CheckpointError, DataError, RecipeError
from exporter.progress import Silent
from exporter.recipes.train import load_train_recipe
from exporter.runs.train import train
from exporter.sources import closure
from tests.conftest import REPO, picture, save_network
from tests.data.test_layouts import make_gopro
from tests.edited_sources import EditedSources
from tests.recipes.recipe_folder import write_train_recipe
from tests.stages.chain import Lines

SHORT = ["training.steps=3", "training.batch=2", "training.crop_px=64", "data.pool=null", "training.tensorboard=false"]


@pytest.fixture
def recipe(tmp_path: Path, photo_folder: Path) -> Path:
    return write_train_recipe(tmp_path, photo_folder)


def test_a_finished_run_is_not_repeated_and_its_card_tells_all(recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    card = train(load_train_recipe(recipe), folder, tmp_path, Silent())
    written = (folder / "weights.safetensors").stat().st_mtime_ns
    watched = load_train_recipe(recipe, {"training.checkpoint_every": "7"})
    assert train(watched, folder, tmp_path, Silent()) == card
    assert (folder / "weights.safetensors").stat().st_mtime_ns == written
    assert card["steps"] == 3
    assert card["data"]["photographs"] == 4
    assert card["validation"] is None
    assert card["recipe"]["training"]["crop_px"] == 32
    assert card["environment"]["torch"]
    assert str(tmp_path) not in json.dumps(card)
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_of_other_code_is_said_to_be_one(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, said = tmp_path / "run", Lines()
    train(load_train_recipe(recipe, {}), folder, tmp_path, said)
    monkeypatch.setattr(closure, "_here", EditedSources({"exporter/training/losses.py"}))
    train(load_train_recipe(recipe, {}), folder, tmp_path, said)
    told = f"{folder} was trained by other code: code changed: exporter/training/losses.py; delete it to train again"
    assert told in said.said
    (folder / "card.json").unlink()
    (folder / "training.pt").touch()
    with pytest.raises(RecipeError, match="holds half a run of other code: code changed: exporter/training/losses.py"):
        train(load_train_recipe(recipe, {}), folder, tmp_path, said)


@pytest.mark.parametrize("module", ["exporter.generators.network_file.write_network", "exporter.training.cost.cost_of"])
def test_a_run_killed_before_its_weights_are_kept_has_its_training_still(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    def dies(*_: object) -> None:
        raise Killed

    folder, said = tmp_path / "run", Lines()
    words = {"training.steps": "5", "training.checkpoint_every": "4"}
    with monkeypatch.context() as patch:
        patch.setattr(module, dies)
        with pytest.raises(Killed):
            train(load_train_recipe(recipe, words), folder, tmp_path, said)
    card = train(load_train_recipe(recipe, words), folder, tmp_path, said)
    assert f"{card['name']}: going on from step 4 of 5" in said.said
    assert not (folder / "training.pt").exists()


def test_a_checkpoint_that_a_killed_run_left_beside_its_card_goes(recipe: Path, tmp_path: Path) -> None:
    card = train(load_train_recipe(recipe), tmp_path / "run", tmp_path, Silent())
    (tmp_path / "run" / "training.pt").touch()
    assert train(load_train_recipe(recipe), tmp_path / "run", tmp_path, Silent()) == card
    assert not (tmp_path / "run" / "training.pt").exists()


DAMAGED_CARDS = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"weights": {"sha256": 7}}',
    b'{"weights": []}',
]


@pytest.mark.parametrize("content", [*DAMAGED_CARDS, None], ids=lambda content: str(content)[:12])
def test_a_damaged_card_of_whole_weights_trains_nothing_again(
    recipe: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    """None: it is JSON still, and another word."""
    words = ["train", f"recipe={recipe}", "--build", str(tmp_path / "build")]
    assert main(words) == 0
    (card,) = (tmp_path / "build").glob("train/*/card.json")
    weights = card.with_name("weights.safetensors").read_bytes()
    whole = card.read_bytes()
    card.write_bytes(whole.replace(b'"steps": 3', b'"steps": 9') if content is None else content)
    capfd.readouterr()
    assert main(words) == 2
    said = capfd.readouterr().err
    assert f"{card} is damaged\n  hint: restore it, or delete it to train again" in said
    assert "Traceback" not in said
    assert card.with_name("weights.safetensors").read_bytes() == weights
    card.unlink()
    assert main(words) == 0  # as the hint says
    assert card.with_name("weights.safetensors").read_bytes() == weights


def test_weights_can_be_gone_on_from(recipe: Path, tmp_path: Path) -> None:
    train(load_train_recipe(recipe), tmp_path / "one", tmp_path, Silent())
    words = {"model.init": str(tmp_path / "one" / "weights.safetensors"), "training.learning_rate": "1e-12"}
    train(load_train_recipe(recipe, words), tmp_path / "two", tmp_path, Silent())
    from exporter.generators.network_file import read_network

    one, two = (read_network(tmp_path / run / "weights.safetensors").state_dict() for run in ("one", "two"))
    assert all(one[key].allclose(two[key], atol=1e-6) for key in one if key.endswith("weight"))


class Killed(Exception): ...


def test_a_killed_run_goes_on_to_the_same_file(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes, also when it goes on with checkpoints at other steps."""
    from exporter.training.loop import Fit

    words = {"training.steps": "7", "training.checkpoint_every": "3", "training.adversarial": "0.01"}
    train(load_train_recipe(recipe, words), tmp_path / "whole", tmp_path, Silent())
    step = Fit._step

    def dies_at_step_5(self: Fit, number: int, batch: object) -> dict[str, float]:
        if number == 5:
            raise Killed
        return step(self, number, batch)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Fit, "_step", dies_at_step_5)
        with pytest.raises(Killed):
            train(load_train_recipe(recipe, words), tmp_path / "killed", tmp_path, Silent())
    assert not (tmp_path / "killed" / "card.json").exists()
    train(
        load_train_recipe(recipe, words | {"training.checkpoint_every": "2"}), tmp_path / "killed", tmp_path, Silent()
    )
    files = [(tmp_path / run / "weights.safetensors").read_bytes() for run in ("whole", "killed")]
    assert files[0] == files[1]


def test_a_public_set_is_learned_from_and_judged_by_its_own_split(recipe: Path, tmp_path: Path) -> None:
    folder = make_gopro(tmp_path / "GOPRO_Large")
    words = {"data.training": str(folder), "data.evaluation": str(folder), "data.variant": "blur_gamma"}
    sizes = {"data.height": "48", "data.width": "64"}
    card = train(load_train_recipe(recipe, words | sizes), tmp_path / "run", tmp_path, Silent())
    assert (card["data"]["photographs"], card["validation"]["pairs"]) == (2, 1)
    assert card["validation"]["set"] == "GoPro blur_gamma"


def test_photographs_and_pairs_can_be_mixed(recipe: Path, tmp_path: Path, pair_folder: Path) -> None:
    words = {"data.training": f"[photos, photos, {pair_folder}]"}
    card = train(load_train_recipe(recipe, words), tmp_path / "run", tmp_path, Silent())
    assert card["data"]["photographs"] == 4 + 4 + 3
    assert len(card["recipe"]["data"]["training"]) == 3


def test_learning_from_what_is_judged_is_refused(recipe: Path, tmp_path: Path, pair_folder: Path) -> None:
    for leaking in (pair_folder / "sharp", pair_folder):
        words = {"data.training": f"[photos, {leaking}]", "data.evaluation": str(pair_folder)}
        with pytest.raises(DataError, match="is learned from and shows what"):
            train(load_train_recipe(recipe, words), tmp_path / "run", tmp_path, Silent())


def test_an_encoder_is_only_for_deblurgan(recipe: Path, tmp_path: Path, student_file: Path) -> None:
    words = {"model.encoder": str(student_file)}
    with pytest.raises(RecipeError, match="mobilenetv3_student has no MobileNetV2 encoder"):
        train(load_train_recipe(recipe, words), tmp_path / "one", tmp_path, Silent())
    words |= {"model.arch": "deblurgan_v2_mobilenet", "model.kwargs": "{norm_mode: running}"}
    with pytest.raises(CheckpointError, match="encoder tensors"):
        train(load_train_recipe(recipe, words), tmp_path / "two", tmp_path, Silent())


def test_a_pool_is_drawn_and_learned_from(recipe: Path, tmp_path: Path) -> None:
    words = {"data.pool.pairs": "3", "data.pool.size_px": "48", "data.min_sharpness": "50"}
    card = train(load_train_recipe(recipe, words), tmp_path / "run", tmp_path / "pools", Silent())
    assert card["recipe"]["data"]["pool"]["pairs"] == 3
    (pairs,) = (tmp_path / "pools").rglob("*.pairs.safetensors")
    assert 2 * 3 * 48 * 48 * 3 < pairs.stat().st_size < 2 * 3 * 48 * 48 * 3 + 300


def test_tiles_are_blurred_where_they_lie_and_learned_from(recipe: Path, tmp_path: Path) -> None:
    words = {"data.tiles": "{count: 3, size_px: 72, kernels: 4}", "data.blur.max_length_px": "8"}
    card = train(load_train_recipe(recipe, words), tmp_path / "run", tmp_path / "pools", Silent())
    assert card["recipe"]["data"]["tiles"] == {"count": 3, "size_px": 72, "kernels": 4}
    assert not (tmp_path / "pools").exists()  # nothing is drawn beforehand


def test_a_labelled_pool_is_made_once_for_all_runs_with_its_teacher(
    recipe: Path, tmp_path: Path, narrow_teacher: Path
) -> None:
    pools = tmp_path / "pools"
    words = {"data.pool": "{pairs: 3, size_px: 64, labelled: true}", "teacher": str(narrow_teacher)}
    train(load_train_recipe(recipe, words), tmp_path / "one", pools, Silent())
    (teacher_output,) = pools.rglob("*.teacher_output.*.safetensors")
    assert 3 * 64 * 64 * 3 * 2 < teacher_output.stat().st_size < 3 * 64 * 64 * 3 * 2 + 200
    written = {path: path.stat().st_mtime_ns for path in pools.rglob("*.*")}
    card = train(load_train_recipe(recipe, words | {"training.steps": "4"}), tmp_path / "two", pools, Silent())
    assert {path: path.stat().st_mtime_ns for path in pools.rglob("*.*")} == written
    assert card["recipe"]["data"]["pool"]["labelled"] is True
    assert "teacher" in json.loads((tmp_path / "two" / "history.jsonl").read_text().splitlines()[-1])


def test_a_teacher_that_cannot_take_the_tiles_is_refused(recipe: Path, tmp_path: Path, student_file: Path) -> None:
    words = {"data.pool": "{pairs: 1, size_px: 40, labelled: true}", "teacher": str(student_file)}
    with pytest.raises(RecipeError, match=r"data\.pool\.size_px: 40 is not a multiple of 16, as mobilenetv3_student"):
        train(load_train_recipe(recipe, words), tmp_path / "run", tmp_path / "pools", Silent())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "train_deblurgan_v2.yaml",
            ["model.init=null", "model.kwargs={norm_mode: running, num_filters: 16, num_filters_fpn: 32}"],
        ),
        ("train_student.yaml", ["model.init=null", "model.kwargs.preset=s", "teacher=TEACHER"]),
    ],
)
def test_the_shipped_recipes_learn(
    name: str,
    words: list[str],
    tmp_path: Path,
    pair_folder: Path,
    narrow_teacher: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(REPO)
    words = [word.replace("TEACHER", str(narrow_teacher)) for word in words]
    given = [*words, *SHORT, f"data.evaluation={pair_folder}", "data.height=64", "data.width=64"]
    assert main(["train", f"recipe=recipes/{name}", *given, "--build", str(tmp_path), "--json"]) == 0
    card = json.loads(capfd.readouterr().out)
    folder = next((tmp_path / "train").iterdir())
    assert {"weights.safetensors", "card.json", "curves.png", "history.jsonl"} <= {p.name for p in folder.iterdir()}
    assert card["validation"]["pairs"] == 3
    assert card["validation"]["psnr_db"] > 10
    from exporter.generators.network_file import read_description

    assert read_description(folder / "weights.safetensors").arch == card["recipe"]["model"]["arch"]


ENLARGING = {
    "model.arch": "srvgg",
    "model.kwargs": "{num_feat: 6, num_conv: 1, upscale: 2, act_type: relu}",
    "data.protocol": "bicubic",
}


def test_an_enlarging_network_learns_from_small_pictures_and_is_judged_on_luma(recipe: Path, tmp_path: Path) -> None:
    for seed in range(2):
        write_png(tmp_path / "held_out" / f"{seed}.png", picture(500 + seed, 64, 64))
    words = ENLARGING | {"data.evaluation": "held_out", "data.height": "32", "data.width": "32"}
    card = train(load_train_recipe(recipe, words), tmp_path / "run", tmp_path, Silent())
    assert card["validation"]["baseline"] == "bicubic enlargement"
    assert "BT.601" in card["validation"]["protocol"]
    assert card["validation"]["pairs"] == 2
    assert card["recipe"]["data"]["protocol"] == "bicubic"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"data.protocol": "bicubic"}, "data.protocol: the network gives pictures of the size it takes"),
        (ENLARGING | {"data.tiles": "{count: 2, size_px: 200}"}, "data.tiles: blurs on the training device"),
        (ENLARGING | {"teacher": "other.safetensors"}, "teacher: it enlarges 1 times, srvgg 2 times"),
        (ENLARGING | {"training.crop_px": "96"}, "a training crop of 96 px is 192 px of it"),
    ],
)
def test_what_makes_no_sense_of_an_enlarging_network(
    recipe: Path, tmp_path: Path, words: dict[str, str], says: str
) -> None:
    save_network(tmp_path / "other.safetensors", "mobilenetv3_student", {"preset": "s"})
    with pytest.raises((RecipeError, DataError), match=says):
        train(load_train_recipe(recipe, words), tmp_path / "run", tmp_path, Silent())


DENOISING = {
    "model.arch": "dncnn",
    "model.kwargs": "{in_nc: 3, nc: 4, nb: 3, fold: 2}",
    "data.noise": "{max_sigma: 30, judged_sigma: 15}",
}


@pytest.mark.parametrize(("colour", "channels"), [(None, 3), ("grey", 1)])
def test_a_denoiser_learns_from_noise_and_is_judged_on_noise(
    recipe: Path, tmp_path: Path, pair_folder: Path, colour: str | None, channels: int
) -> None:
    words = DENOISING | {"data.evaluation": str(pair_folder), "data.height": "64", "data.width": "64"}
    if colour:
        words |= {"data.colour": colour, "model.kwargs": f"{{in_nc: {channels}, nc: 4, nb: 3, fold: 2}}"}
    card = train(load_train_recipe(recipe, words), tmp_path / "run", tmp_path, Silent())
    assert "sigma 15 of 255" in card["validation"]["noise"]
    assert 23 < card["validation"]["psnr_db"] - card["validation"]["gain_db"] < 27  # 24.6 dB before values are cut
    assert card["recipe"]["data"]["noise"]["max_sigma"] == 30


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"data.pool": "{pairs: 2, size_px: 64}"}, "noise is drawn anew at every step: leave pool and tiles out"),
        ({"data.noise": "{min_sigma: 40, max_sigma: 30}"}, "min_sigma 40 is above max_sigma 30"),
        ({"data.noise": "null", "data.colour": "grey"}, "colour grey is for denoisers"),
        (
            {"data.colour": "grey", "training.adversarial": "0.1"},
            "training.adversarial compares RGB pictures, data.colour is grey",
        ),
        (
            {"model.arch": "srvgg", "model.kwargs": "{num_feat: 6, num_conv: 1, upscale: 2, act_type: relu}"},
            "data.noise: a network that enlarges does not learn from noise",
        ),
        ({"data.colour": "grey"}, r"model.arch: dncnn cannot run at 32×32"),
    ],
)
def test_what_makes_no_sense_of_a_denoiser(recipe: Path, tmp_path: Path, words: dict[str, str], says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        train(load_train_recipe(recipe, DENOISING | words), tmp_path / "run", tmp_path, Silent())


def test_a_recipe_without_noise_says_nothing_of_it(recipe: Path) -> None:
    assert not {"noise", "colour"} & set(load_train_recipe(recipe).resolved()["data"])
