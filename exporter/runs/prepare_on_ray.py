"""`exporter prepare --on ray`: the same shards as a Ray Data pipeline, drawn on processors and labelled on GPUs.

Ray starts workers on its nodes, hands them shards and repeats those of a node that is lost; what a shard is, and when
it is whole, is said by the same code as without Ray. Every node needs this package and the same folders.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.cache.shards import make_missing, record_of
from exporter.errors import ExportError, LostWorker, MissingTool
from exporter.failures import causes, in_one_line
from exporter.processes.place import Place
from exporter.progress import Progress, Silent
from exporter.recipes.train import TrainRecipe, load_train_recipe
from exporter.runs.pairs import teacher_of
from exporter.runs.prepare import Prepared, device_of, plan_of, prepared

if TYPE_CHECKING:
    from exporter.data.pool import PoolPlan

ID = "id"
HALF = 0.5  # of a processor for each of the two that a shard goes through
Batch = dict[str, Any]  # a column a word, as Ray Data has them; one row each


@dataclass(frozen=True, slots=True)
class Job:
    """The command's words, from which a worker on another node finds the same plan."""

    recipe: str
    overrides: dict[str, str]
    pools: Path
    folder: Path  # where it was given

    def read(self) -> TrainRecipe:
        os.chdir(self.folder)
        return load_train_recipe(self.recipe, self.overrides)


class Drawer:
    """Draws shards by number, one after the other."""

    def __init__(self, job: Job) -> None:
        recipe = job.read()
        assert recipe.data.pool is not None  # the driver has looked
        self._plan, self._threads = plan_of(recipe, job.pools, Silent()), recipe.data.pool.workers

    def __call__(self, batch: Batch) -> Batch:
        plan, number = self._plan, int(batch[ID][0])
        return _said(batch, "drawn", plan.files()[number], lambda _, new: plan.draw(number, new, self._threads))


class Asker:
    """Labels shards by number."""

    def __init__(self, job: Job) -> None:
        from exporter.training.labels import asking

        recipe = job.read()
        self._plan = plan_of(recipe, job.pools, Silent())
        self._open = ExitStack()  # as long as this worker lives
        self._labels = self._open.enter_context(asking(*teacher_of(recipe), device_of(recipe, Place())))

    def __call__(self, batch: Batch) -> Batch:
        shard = self._plan.shards[int(batch[ID][0])]
        labels, pools = self._labels, self._plan.folder
        return _said(batch, "labelled", labels.file(shard, pools), lambda _, new: labels.make(shard, pools, new))


def _said(batch: Batch, column: str, file: Path, make: Callable[[int, Path], Any]) -> Batch:
    import numpy as np

    return batch | {column: np.array([make_missing("", [file], make, Place(), Silent())])}


def prepare_on_ray(job: Job, workers: int, progress: Progress) -> Prepared:
    """As `prepare`, on the cluster that RAY_ADDRESS names, or on one of this machine; so many `workers` of each kind.

    Raises MissingTool without Ray, LostWorker when Ray gave up or shards are missing in the end.
    """
    ray = _ray()
    recipe = job.read()
    plan = plan_of(recipe, job.pools, progress)
    assert recipe.data.pool is not None  # there is a plan
    address = os.environ.get("RAY_ADDRESS") or "local"  # else Ray joins whatever cluster somebody left on this machine
    ray.init(address, ignore_reinit_error=True, log_to_driver=False, logging_level="ERROR")
    counted = {"drawn": 0, "labelled": 0}
    try:
        gpus = int(ray.cluster_resources().get("GPU", 0)) if recipe.training.device != "cpu" else 0
        with progress.task("shards on Ray", len(plan.shards)) as task:
            for row in _pipeline(job, len(plan.shards), recipe.data.pool.labelled, workers, gpus).iter_rows():
                counted = {name: count + int(row.get(name, 0)) for name, count in counted.items()}
                task.advance()
    except ray.exceptions.RayError as error:
        raise _plainly(error) from error
    finally:
        ray.shutdown()
    files = plan.files() + (_labels(recipe, plan) if recipe.data.pool.labelled else [])
    if missing := [file for file in files if not record_of(file).exists()]:
        raise LostWorker(f"{len(missing)} of {len(files)} files were not made", hint="run the same command again")
    labelled = counted["labelled"] if recipe.data.pool.labelled else None
    return prepared(plan, files, counted["drawn"], labelled, f"Ray, {gpus} GPUs" if gpus else "Ray, CPUs")


def _pipeline(job: Job, shards: int, labelled: bool, workers: int, gpus: int) -> Any:
    """A row a shard: drawn on processors, then labelled on GPUs, where the cluster has any."""
    import ray

    # Both kinds of workers are there at once: a cluster that cannot hold all of them would wait forever.
    most = max(1, min(workers, shards, int(ray.cluster_resources().get("CPU", 1))))
    words: dict[str, Any] = {"fn_constructor_args": (job,), "batch_size": 1, "num_cpus": HALF}
    # Not ray.data.range: its reading asks for a processor, which the workers may all have taken, and all wait forever.
    rows = ray.data.from_items([{ID: shard} for shard in range(shards)], override_num_blocks=shards)
    rows = rows.map_batches(Drawer, concurrency=most, **words)
    if not labelled:
        return rows
    if gpus:
        return rows.map_batches(Asker, concurrency=min(most, gpus), num_gpus=1, **words)
    return rows.map_batches(Asker, concurrency=most, **words)


def _labels(recipe: TrainRecipe, plan: PoolPlan) -> list[Path]:
    import torch

    from exporter.training.labels import asking

    with asking(*teacher_of(recipe), torch.device("cpu")) as labels:
        return [labels.file(shard, plan.folder) for shard in plan.shards]


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        sentence = f"this needs {error.name or 'ray'}, which is not installed"
        raise MissingTool(sentence, hint="pip install 'exporter[ray]'") from None
    return ray


def _plainly(error: Exception) -> ExportError:
    """What a worker said, in Ray's wrappings; else what Ray said."""
    within = [getattr(each, "cause", None) for each in causes(error)]  # Ray's name for what a worker raised
    told = [*causes(error), *(each for each in within if isinstance(each, Exception))]
    known = next((each for each in told if isinstance(each, ExportError)), None)
    return known or LostWorker(f"Ray gave up: {in_one_line(told[-1])}", hint="run the same command again")
