"""The whole probe on one page: load → every target's chain → judged beside PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from shutil import copyfile

from exporter.artifact import Artifact
from exporter.checkpoints.hub import fetch
from exporter.files.atomic import write_atomically
from exporter.probe.chains import Chains, Made
from exporter.probe.judged import THREADS, failed, judged
from exporter.probe.pictures import pictures_to_judge, pictures_to_learn
from exporter.probe.results import TARGETS, Probe, Row
from exporter.probe.steadiness import Steadiness
from exporter.probe.subject import SEED, load
from exporter.probe.wanted import Wanted
from exporter.progress import Progress
from exporter.runtimes import runtime
from exporter.stages.base import Workspace


def probe(
    wanted: Wanted,
    folder: Path,
    progress: Progress,
    quiet: Callable[[], AbstractContextManager[None]],
    keep: Path | None = None,
) -> Probe:
    """Try every target; `folder` is empty and the caller's to remove. `keep`: where to put the weights it ran with.

    Raises an ExportError for a network that cannot be imported, built, loaded or run.
    """

    def room(teacher: Artifact) -> Workspace:
        pictures = pictures_to_learn(teacher.input, teacher.output)
        return Workspace(folder, teacher, pictures, None, SEED, progress, quiet)

    if wanted.checkpoint:
        fetch([wanted.checkpoint], progress)
    progress.doing("the network is tried at several sizes")
    loaded = load(wanted, folder, room)
    subject, network = loaded.subject, loaded.artifact
    for remark in subject.remarks:
        progress.say(remark)
    pictures = list(pictures_to_judge(network.input, network.output))
    _same_numbers()
    with runtime("torch_cpu").open(network, THREADS) as session:
        expected = session.infer_all(pictures)
    chains = Chains(room(network), network, _same_numbers)
    steadiness = Steadiness(network, pictures, expected, THREADS)
    judge = partial(
        judged,
        pictures=pictures,
        expected=expected,
        steadiness=steadiness,
        has_random_weights=subject.checkpoint is None,
    )
    rows = {}
    for target in TARGETS:
        rows[target] = _row(target, chains, judge, progress)
        progress.say(f"{target}: {rows[target].status}")
    if keep is not None:
        with write_atomically(keep) as new:
            copyfile(loaded.checkpoint, new)
    return Probe(subject, loaded.wanted, rows)


def _row(target: str, chains: Chains, judge: Callable[[str, Made], Row], progress: Progress) -> Row:
    try:
        made = chains.make(target)
        progress.doing(f"{target} is run beside PyTorch")
        return judge(target, made)
    except Exception as error:  # of one target: the others go on
        return failed(error)


def _same_numbers() -> None:
    """A network that draws constants of its own when it is built is built again for every file."""
    import torch

    torch.manual_seed(SEED)
