"""When to give a trial up: on rungs that cost less than what follows, and only where there is no doubt.

A trial that can no longer keep every promise is of no use, whatever else it is. What is asked, from cheap to dear:

Nor is one whose network is worse, beyond doubt, than that of a kept trial with the same layers and the same rounding.

1. before anything is trained: how large the file is and how long a call takes, which weights do not change. The stages
   run with one training step and no tuning; a promise has to be missed by a tenth, because tuning may change operators.
2. the float network, on a few pictures, before it is converted and quantised, against promises and against such trials.
3. the file, on a few pictures, before all: its size, its operators and the engine's answer will not change; a worst
   picture can only get worse; a mean has to be off by twice the half width of its 95 % interval over these pictures.

Optuna's own pruners compare one objective over steps of training; here figures come from stages, and there may be four.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from exporter.artifact import Artifact, Format
from exporter.data.evaluation import EvaluationSet, Pair
from exporter.data.judgement import Images
from exporter.data.metrics import ci95
from exporter.data.spread import evenly_spread
from exporter.errors import EngineError
from exporter.judge.budget import judge
from exporter.judge.verdicts import Status
from exporter.measure.accuracy_per_stage import float_reference
from exporter.measure.evaluation import Renderings
from exporter.measure.measurements import STAGE_RUNTIMES
from exporter.measure.quality import psnr_each_db
from exporter.measure.targets import measure_target
from exporter.quantization.settings import TunableInt8Settings
from exporter.recipes.export import Recipe
from exporter.recipes.plan import Chain
from exporter.recipes.promises import Budget
from exporter.recipes.space import TIME, Objective
from exporter.runs.build import Steps
from exporter.runs.export import pledges
from exporter.runtimes import runtime
from exporter.search.results import Trial
from exporter.stages import Stage
from exporter.training.options import FitOptions

FEW = 8  # pictures
DOUBT = 2.0  # half widths of a mean's 95 % interval
MARGIN = 1.1  # how many times over its limit a figure of the untrained file has to be
# What more pictures cannot mend: figures of the file itself, and those of its worst picture.
FINAL = frozenset(
    {
        "min_parity_db", "max_worst_loss_db", "max_size_mb", "min_int8_mac_share", "min_int16_mac_share",
        "max_float_islands", "max_transposes", "max_rank", "min_accelerated_share", "forbid_fallback", "forbid_errors",
    }
)  # fmt: skip


# Of how to train, what has to fit the pictures and the machine.
NEEDED = ("batch", "crop_px", "device", "precision", "workers")
LUCK_DB = 0.05  # by which rounding may better a picture
QUALITY = frozenset({"gain_db", "psnr_db"})
# What layers and rounding decide, whatever the weights are.
OF_LAYERS = frozenset({TIME, "size_mb", "int8_mac_share", "int16_mac_share", "float_islands", "transposes", "rank"})


class Hopeless(Exception):
    """The trial cannot keep its promises any more; `reasons` say which, and what was seen."""

    def __init__(self, reasons: Sequence[str], violation: float) -> None:
        super().__init__("; ".join(reasons))
        self.reasons, self.violation = tuple(reasons), violation


def untrained(recipe: Recipe) -> Recipe | None:
    """`recipe` with one step of each training and no tuning; None where nothing is trained."""
    stages = tuple(map(_briefly, recipe.stages))
    targets = {
        name: target.model_copy(update={"stages": tuple(map(_briefly, target.stages))})
        for name, target in recipe.targets.items()
    }
    if not any(isinstance(stage, FitOptions) for _, stage in recipe.placed_stages()):
        return None
    return recipe.model_copy(update={"stages": stages, "targets": targets})


def _briefly(stage: Stage) -> Stage:
    """With all that decides nothing but weights as ever, so that trials of the same layers are one."""
    if isinstance(stage, FitOptions):
        usual = {name: field.default for name, field in FitOptions.model_fields.items() if name not in NEEDED}
        usual |= {"warm_start": None} if "warm_start" in type(stage).model_fields else {}
        return stage.model_copy(update=usual | {"steps": 1, "warmup_steps": 0})
    return stage.model_copy(update={"tune": False}) if isinstance(stage, TunableInt8Settings) else stage


@dataclass(frozen=True, slots=True)
class Rungs:
    """Looks behind the stages of one trial, as `build` asks it to. `recipe` is the trial's; `alike`: kept trials with
    the same layers and the same rounding."""

    recipe: Recipe
    threads: int
    objectives: tuple[Objective, ...] = ()
    alike: tuple[Trial, ...] = ()

    def look(self, chain: Chain, steps: Steps, images: Images) -> None:
        """Raises Hopeless."""
        if len(images.evaluation) <= FEW:
            return  # all pictures are as few
        left, last = chain.stages[len(steps) :], steps[-1][1]
        if not left:
            self._look_at_file(chain, steps, _few(images.evaluation))
        elif last.format is Format.TORCH and left[0].gives is not Format.TORCH and last.input.clip == 1:
            self._look_at_network(chain, last, _few(images.evaluation), images.evaluation.sha256)

    def _look_at_network(self, chain: Chain, network: Artifact, few: Renderings, pictures: str) -> None:
        budget, rivals = self.recipe.budget_of(chain.target), self._rivals(chain.target, pictures)
        if budget.min_gain_db is None and budget.min_psnr_db is None and not rivals:
            return
        psnr_db = psnr_each_db(few.of(network, runtime(STAGE_RUNTIMES[Format.TORCH])), few.evaluation)
        _give_up(_means(budget, chain.target, few.evaluation, psnr_db, "the float network"))
        for rival in rivals:
            each_db = rival.psnr_each_db[chain.target]
            behind_db = psnr_db - np.array([each_db[place] for place in evenly_spread(len(each_db), FEW)])
            if float(np.mean(behind_db)) + DOUBT * ci95(behind_db.tolist()) + LUCK_DB < 0:
                name = f"trial {rival.number}" if rival.number else "the recipe's own"
                said = f"the float network is {-np.mean(behind_db):.2f} dB behind the file of {name}"
                raise Hopeless([f"{chain.target}: {said}, which has the same layers, on {FEW} pictures"], 0.0)

    def _rivals(self, target: str, pictures: str) -> list[Trial]:
        """Those that are better in all objectives if their picture is; none where objectives ask for something else."""
        for objective in self.objectives:
            is_quality = objective.figure in QUALITY and objective.way == "maximize" and objective.target == target
            if not is_quality and objective.figure not in OF_LAYERS:
                return []
        return [trial for trial in self.alike if trial.pictures == pictures and target in trial.psnr_each_db]

    def _look_at_file(self, chain: Chain, steps: Steps, few: Renderings) -> None:
        torch_cpu, engine, file = runtime(STAGE_RUNTIMES[Format.TORCH]), runtime(chain.runtime), steps[-1][1]
        reference = float_reference(steps)
        result = measure_target(chain.target, engine, file, reference, torch_cpu, few, threads=self.threads)
        own = {chain.target: replace(pledges(self.recipe)[chain.target], also_on=(), versions=())}
        missed = [
            (verdict.sentence, abs((verdict.value or 0) - verdict.limit) / max(abs(verdict.limit), 1e-9))
            for verdict in judge(own, {chain.target: result})
            if verdict.status is Status.MISSED and verdict.promise in FINAL
        ]
        try:
            made, expected = few.of(file, engine), few.of(reference, torch_cpu)
        except EngineError:
            made = expected = ()
        if made:
            psnr_db, float_db = psnr_each_db(made, few.evaluation), psnr_each_db(expected, few.evaluation)
            budget = self.recipe.budget_of(chain.target)
            missed += _means(budget, chain.target, few.evaluation, psnr_db, "the file", float_db)
        _give_up(missed)


Misses = Iterator[tuple[str, float]]


def _give_up(missed: Misses | list[tuple[str, float]]) -> None:
    found = list(missed)
    if found:
        raise Hopeless([sentence for sentence, _ in found], sum(min(share, 1.0) for _, share in found))


def _few(evaluation: EvaluationSet) -> Renderings:
    places = evenly_spread(len(evaluation), FEW)
    return Renderings((pair for i, pair in enumerate(evaluation) if i in places), 1)


def _means(
    budget: Budget,
    target: str,
    pairs: Sequence[Pair],
    psnr_db: np.ndarray[tuple[int], np.dtype[np.float64]],
    what: str,
    float_db: np.ndarray[tuple[int], np.dtype[np.float64]] | None = None,
) -> Misses:
    """Promised means that even the good end of their interval over `pairs` misses, doubled for want of pictures."""
    before_db = np.array([pair.before_db for pair in pairs])
    asked = [("gain", budget.min_gain_db, psnr_db - before_db), ("PSNR", budget.min_psnr_db, psnr_db)]
    if float_db is not None and budget.max_loss_db is not None:
        asked.append(("change against the float network", -budget.max_loss_db, psnr_db - float_db))
    for name, limit_db, each_db in asked:
        hope_db = float(np.mean(each_db)) + DOUBT * ci95(each_db.tolist())
        if limit_db is not None and hope_db < limit_db:
            said = f"{target}: mean {name} of {what} is {np.mean(each_db):.3g} dB on {len(pairs)} pictures"
            yield f"{said}, promised {limit_db:g} dB", (limit_db - hope_db) / max(abs(limit_db), 1e-9)


Timed = Callable[[str, Artifact], float | None]


def look_at_untrained(recipe: Recipe, files: dict[str, Artifact], call_ms: Timed) -> None:
    """Size and time of `files`, by target, whose weights have not been trained. Raises Hopeless."""
    missed = []
    for target, file in files.items():
        budget, size_mb = recipe.budget_of(target), file.size_bytes / 1e6
        if budget.max_size_mb is not None and size_mb > MARGIN * budget.max_size_mb:
            said = f"{target}: untrained, the file is {size_mb:.3g} MB, promised at most {budget.max_size_mb:g} MB"
            missed.append((said, size_mb / budget.max_size_mb - 1))
        took_ms = call_ms(target, file) if budget.max_latency_ms is not None else None
        if took_ms is not None and budget.max_latency_ms and took_ms > MARGIN * budget.max_latency_ms:
            said = f"{target}: untrained, a call takes {took_ms:.3g} ms, promised at most {budget.max_latency_ms:g} ms"
            missed.append((said, took_ms / budget.max_latency_ms - 1))
    _give_up(missed)
