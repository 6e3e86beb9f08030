"""The one training loop: what distill, prune-recovery and teacher training share.

Same options, seed, data and number of threads: same weights, also when the run was killed and resumed; batches
depend on the step alone and the checkpoint holds everything else. Another number of threads rounds sums differently.

A step reads nothing back, so that a GPU never waits for Python: losses are looked at when a line of history is due, and
a gradient that was not finite is remembered on the device until then, or until weights would be kept.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from exporter.data.training import Batch
from exporter.errors import StageError
from exporter.figures import fixed
from exporter.progress import Progress
from exporter.training.adversarial import Adversary
from exporter.training.average import MovingAverage
from exporter.training.checkpoint import read_checkpoint, save_checkpoint
from exporter.training.device import autocast, training_device
from exporter.training.history import History
from exporter.training.losses import Projection, Tap, bottleneck_of, picture_loss
from exporter.training.muon import Muon
from exporter.training.options import FitOptions
from exporter.training.perceptual import EncoderFeatures
from exporter.training.processes import joined
from exporter.training.schedule import learning_rate

HISTORY_EVERY = 20  # steps
Sides = Batch | tuple[Tensor, ...]
SMALLEST_SCALE = 1.0  # of an fp16 loss: below it, what is not finite is no overflow


def _optimiser(trained: list[nn.Parameter], options: FitOptions) -> torch.optim.Optimizer:
    if options.optimiser == "muon":
        return Muon(trained, options.learning_rate, options.weight_decay)
    return torch.optim.AdamW(trained, options.learning_rate, weight_decay=options.weight_decay, fused=True)


class PairSource(Protocol):
    """Where batches come from: the same for the same (seed, step). `share` picks some of the `batch` pairs.

    Arrays of the host, or tensors that lie on the training device already.
    """

    def batch(self, seed: int, step: int, batch: int, size: int, share: slice = ...) -> Sides: ...


@dataclass
class Fit:
    """One training run of `network` (N, 3, H, W) 0..1 → same, optionally distilled from `teacher`.

    Where batches carry the teacher's picture (exporter.training.labels) it is not asked for one; the feature term, and
    the perceptual one without `features`, need its inner layers and ask it all the same.

    `folder` keeps `training.pt`, `history.jsonl` (one line per 20 steps) and `curves.png`. Whoever keeps the weights
    removes `training.pt` after that: until then a run that is killed has nothing else.
    `validate` maps the averaged network to named figures, e.g. {"psnr_db": 30.1}; `features` serves the perceptual
    term when there is no teacher. Inside a process group all processes call `run` with the same arguments; only
    the first writes.
    """

    network: nn.Module
    teacher: nn.Module | None
    pairs: PairSource
    options: FitOptions
    seed: int
    folder: Path
    progress: Progress
    name: str = "train"
    validate: Callable[[nn.Module], dict[str, float]] | None = None
    features: EncoderFeatures | None = None
    trained: bool = False  # the network has weights worth keeping: it is fine-tuned

    def run(self) -> nn.Module:
        """Train to the end and return the averaged network in eval mode on the CPU. Raises StageError on NaN."""
        torch.manual_seed(self.seed)
        self._prepare()
        first = self._resume()
        history = History(self.folder, self.name, self.options.tensorboard) if self.processes.first else None
        if history:
            history.begin(first)
        self._started_s, self._note, self._gain = time.monotonic(), "", ""
        with self.progress.task(self.name, self.options.steps) as task:
            task.advance(first)
            for step, batch in self._batches(first):
                terms = self._step(step, batch)
                if self._is_due(step + 1, HISTORY_EVERY, self.options.checkpoint_every, self.options.validate_every):
                    self._after(step, self._read(terms), history)
                task.advance(1, self._note)
        del self._forward  # a distributed wrapper must be gone before its process group is
        if history:
            history.close()
        if self.teacher is not None:
            self.teacher.to("cpu")
        return self.average.network.to("cpu")

    @property
    def elapsed_s(self) -> float:
        """Time spent training, all sittings together."""
        return self._before_s + time.monotonic() - self._started_s

    def _prepare(self) -> None:
        options = self.options
        self.processes, self.device = joined(), training_device(options.device)
        self._check_options()
        self.network = self._placed(self.network).train()
        self.average = MovingAverage(self.network, options.ema_decay, self.trained)
        self.adversary = Adversary(options.learning_rate, self.device, self.processes) if options.adversarial else None
        self.projection: Projection | None = None
        self._taps: list[Tap] = []
        if self.teacher is not None:
            self.teacher = self._placed(self.teacher).eval()
            if options.feature or (options.perceptual and self.features is None):
                self._attach_taps()
        if self.features is not None:
            self.features.to(self.device)
        trained = [*self.network.parameters(), *(self.projection.parameters() if self.projection else [])]
        self.optimiser = _optimiser(trained, options)
        self._broken = torch.full((), -1, device=self.device)  # the first step whose gradient was not finite
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=options.precision == "fp16")
        self._forward = self.processes.together(self.network, self.device)

    def _check_options(self) -> None:
        options, count = self.options, self.processes.count
        if options.batch % count:
            raise StageError(f"{self.name}: batch: {options.batch} cannot be shared equally by {count} processes")
        if options.perceptual and self.teacher is None and self.features is None:
            raise StageError(
                f"{self.name}: perceptual: {options.perceptual:g} needs features to compare",
                hint="name a teacher, or an ImageNet encoder (model.encoder in a training recipe)",
            )

    def _placed(self, network: nn.Module) -> nn.Module:
        placed: nn.Module = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return placed

    def _attach_taps(self) -> None:
        assert self.teacher is not None
        student, teacher = bottleneck_of(self.network), bottleneck_of(self.teacher)
        if student is None or teacher is None:
            raise StageError(f"{self.name}: feature and perceptual terms need a bottleneck() on student and teacher")
        self._taps = [Tap(student), Tap(teacher)]
        with torch.no_grad():
            probe = torch.zeros(1, 3, self.options.crop_px, self.options.crop_px, device=self.device)
            self.network.eval()(probe)
            self.teacher(probe)
        self.network.train()
        self.projection = Projection(self._taps[0].value.shape[1], self._taps[1].value.shape[1]).to(self.device)

    def _batches(self, first: int) -> Iterator[tuple[int, Sides]]:
        """Batches in order, drawn ahead in threads: OpenCV and NumPy release the interpreter."""
        options, share = self.options, self.processes.share
        with ThreadPoolExecutor(options.workers) as pool:

            def draw(step: int) -> Future[Sides]:
                return pool.submit(self.pairs.batch, self.seed, step, options.batch, options.crop_px, share)

            ahead = deque(draw(step) for step in range(first, min(first + options.workers, options.steps)))
            for step in range(first, options.steps):
                batch = ahead.popleft().result()
                if step + options.workers < options.steps:
                    ahead.append(draw(step + options.workers))
                yield step, batch

    def _step(self, step: int, batch: Sides) -> dict[str, Tensor]:
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.options, step) * group.get("share", 1.0)
        terms = self._loss_terms(*map(self._uploaded, batch))
        self.optimiser.zero_grad()
        total = torch.stack(list(terms.values())).sum()
        self.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        if self.projection is not None:
            self.processes.average_gradients(self.projection.parameters())
        self.scaler.unscale_(self.optimiser)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip_norm)
        if not self._overflowed():  # fp16 alone reads its scale
            self._broken = torch.where((self._broken < 0) & ~norm.isfinite(), step, self._broken)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.average.update(self.network, step)
        return {name: term.detach() for name, term in terms.items()}

    def _is_due(self, done: int, *every: int) -> bool:
        """Whether, after `done` steps, something comes that is done `every` so many (0: never), and in the end."""
        return done == self.options.steps or any(period and done % period == 0 for period in every)

    def _read(self, terms: dict[str, Tensor]) -> dict[str, float]:
        """The terms as numbers, means over all processes. Raises StageError when a gradient was not finite."""
        *values, broken = torch.stack([*terms.values(), self._broken]).tolist()
        if broken >= 0:
            raise StageError(
                f"{self.name}: gradient is not finite at step {int(broken)}",
                hint="lower learning_rate, or look for NaN in the weights and images",
            )
        return self.processes.mean(dict(zip(terms, values, strict=True)), self.device)

    def _uploaded(self, pictures: NDArray[Any] | Tensor) -> Tensor:
        """On a GPU the copy runs while the processor goes on: that needs pinned memory. Tiles are there already."""
        if isinstance(pictures, Tensor):
            return pictures
        side = torch.from_numpy(pictures)
        side = side.pin_memory() if self.device.type == "cuda" else side
        return side.to(self.device, memory_format=torch.channels_last, non_blocking=True)

    def _overflowed(self) -> bool:
        """fp16 gradients may overflow: the scaler then leaves the step out and halves its scale."""
        return self.scaler.is_enabled() and self.scaler.get_scale() > SMALLEST_SCALE

    def _loss_terms(self, blurred: Tensor, sharp: Tensor, label: Tensor | None = None) -> dict[str, Tensor]:
        options = self.options
        with autocast(options, self.device):
            restored = self._forward(blurred).float()
            student_features = self._taps[0].value if self._taps else None
            teacher_output = self._teacher_output(blurred, label)
        terms = picture_loss(options, restored, sharp, teacher_output)
        if options.feature and self.projection is not None and student_features is not None:
            terms["feature"] = options.feature * self.projection(student_features.float(), self._taps[1].value.float())
        if options.perceptual:
            terms["perceptual"] = options.perceptual * self._perceptual(restored, sharp)
        if self.adversary is not None:
            self.adversary.learn(restored, sharp)
            terms["adversarial"] = options.adversarial * self.adversary.generator_loss(restored, sharp)
        return terms

    @torch.no_grad()
    def _teacher_output(self, blurred: Tensor, label: Tensor | None) -> Tensor | None:
        """The teacher's picture, asked for unless there is a label. Asking leaves its features in the tap."""
        wanted = self.options.feature or (self.options.teacher and label is None)
        if self.teacher is None or not wanted:
            return label
        picture: Tensor = self.teacher(blurred).float()
        return picture if label is None else label

    def _perceptual(self, restored: Tensor, sharp: Tensor) -> Tensor:
        if self.features is not None:
            return self.features.distance(restored, sharp)
        assert self.teacher is not None
        self.teacher.requires_grad_(False)
        self.teacher(sharp)
        wanted = self._taps[1].value.detach()
        self.teacher(restored)
        return (self._taps[1].value - wanted).abs().mean()

    def _after(self, step: int, terms: dict[str, float], history: History | None) -> None:
        """What is due after `step`: figures, curves, a checkpoint; the first process alone has a `history`."""
        if history is None:
            return
        done, options, measured = step + 1, self.options, {}
        if self.validate is not None and options.validate_every and self._is_due(done, options.validate_every):
            measured = self.validate(self.average.network)
            shown = ", ".join(f"{key} {value:.3f}" for key, value in measured.items())
            self.progress.say(f"{self.name} {done}/{options.steps}: {shown}")
            self._gain = f", gain {fixed(measured['gain_db'], 2, sign=True)} dB" if "gain_db" in measured else ""
        self._note = f"loss {sum(terms.values()):.4f}{self._gain}"
        if measured or self._is_due(done, HISTORY_EVERY):
            rate, elapsed_s = learning_rate(options, step), round(self.elapsed_s, 1)
            history.write({"step": done, "elapsed_s": elapsed_s, "learning_rate": rate, **terms, **measured})
        if measured:
            history.draw()
        if done % options.checkpoint_every == 0 and done < options.steps:
            self._save(done)

    def _save(self, done: int) -> None:
        kept = {name: part.state_dict() if part is not None else {} for name, part in self._parts().items()}
        save_checkpoint(self.folder, {"step": done, "elapsed_s": self.elapsed_s, **kept})

    def _parts(self) -> dict[str, Any]:
        """What a checkpoint holds, by its name there."""
        return {
            "network": self.network,
            "average": self.average.network,
            "optimiser": self.optimiser,
            "scaler": self.scaler,
            "projection": self.projection,
            "adversary": self.adversary,
        }

    def _resume(self) -> int:
        """The step to go on from; 0 without a usable checkpoint."""
        self._before_s = 0.0
        state = read_checkpoint(self.folder, self.device, self.progress)
        if state is None:
            return 0
        for name, part in self._parts().items():
            if part is not None:
                part.load_state_dict(state[name])
        step = int(state["step"])
        self._before_s = float(state["elapsed_s"])
        self.progress.say(f"{self.name}: going on from step {step} of {self.options.steps}")
        return step
