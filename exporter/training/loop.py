"""The one training loop: what distill, prune-recovery and teacher training share.

Same options, seed, data and number of threads: same weights, also when the run was killed and resumed; batches
depend on the step alone and the checkpoint holds everything else. Another number of threads rounds sums differently.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from exporter.data.training import Batch
from exporter.errors import StageError
from exporter.progress import Progress
from exporter.training.adversarial import Adversary
from exporter.training.average import MovingAverage
from exporter.training.losses import Projection, Tap, picture_loss
from exporter.training.options import FitOptions


class PairSource(Protocol):
    """Where batches come from: the same for the same (seed, step)."""

    def batch(self, seed: int, step: int, batch: int, size: int) -> Batch: ...


@dataclass
class Fit:
    """One training run of `network` (N, 3, H, W) 0..1 → same, optionally taught by `teacher`.

    `folder` keeps `training.pt` (removed on success) and `history.jsonl` (one line per 20 steps).
    `validate` maps the averaged network to named figures, e.g. {"psnr_db": 30.1}.
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

    def run(self) -> nn.Module:
        """Train to the end and return the averaged network in eval mode. Raises StageError on NaN."""
        torch.manual_seed(self.seed)
        self._prepare()
        first = self._resume()
        with self.progress.task(self.name, self.options.steps) as task:
            task.advance(first)
            for step, batch in self._batches(first):
                terms = self._step(step, batch)
                self._after(step, terms)
                task.advance(1, f"loss {sum(terms.values()):.4f}")
        (self.folder / "training.pt").unlink(missing_ok=True)
        return self.average.network

    def _prepare(self) -> None:
        options = self.options
        self.network = self.network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.average = MovingAverage(self.network, options.ema_decay)
        self.adversary = Adversary(options.learning_rate) if options.adversarial else None
        self.projection: Projection | None = None
        self._taps: list[Tap] = []
        if self.teacher is not None:
            self.teacher = self.teacher.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
            if options.feature or options.perceptual:
                self._attach_taps()
        trained = [*self.network.parameters(), *(self.projection.parameters() if self.projection else [])]
        self.optimiser = torch.optim.AdamW(trained, options.learning_rate, weight_decay=options.weight_decay)

    def _attach_taps(self) -> None:
        assert self.teacher is not None
        student, teacher = bottleneck_of(self.network), bottleneck_of(self.teacher)
        if student is None or teacher is None:
            raise StageError(f"{self.name}: feature and perceptual terms need a bottleneck() on student and teacher")
        self._taps = [Tap(student), Tap(teacher)]
        with torch.no_grad():
            probe = torch.zeros(1, 3, self.options.crop_px, self.options.crop_px)
            self.network.eval()(probe)
            self.teacher(probe)
        self.network.train()
        self.projection = Projection(self._taps[0].value.shape[1], self._taps[1].value.shape[1])

    def _batches(self, first: int) -> Iterator[tuple[int, Batch]]:
        """Batches drawn one step ahead in a thread: OpenCV and NumPy release the interpreter."""
        with ThreadPoolExecutor(1) as pool:

            def draw(step: int) -> Future[Batch]:
                return pool.submit(self.pairs.batch, self.seed, step, self.options.batch, self.options.crop_px)

            ahead = draw(first)
            for step in range(first, self.options.steps):
                batch = ahead.result()
                if step + 1 < self.options.steps:
                    ahead = draw(step + 1)
                yield step, batch

    def _step(self, step: int, batch: Batch) -> dict[str, float]:
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.options, step)
        blurred, sharp = (torch.from_numpy(side).to(memory_format=torch.channels_last) for side in batch)
        terms = self._loss_terms(blurred, sharp)
        self.optimiser.zero_grad()
        total = torch.stack(list(terms.values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip_norm)
        if not math.isfinite(float(norm)):
            raise StageError(
                f"{self.name}: gradient is {float(norm)} at step {step}",
                hint="lower learning_rate, or look for NaN in the weights and images",
            )
        self.optimiser.step()
        self.average.update(self.network, step)
        return {name: float(term.detach()) for name, term in terms.items()}

    def _loss_terms(self, blurred: Tensor, sharp: Tensor) -> dict[str, Tensor]:
        options = self.options
        with self._autocast():
            restored = self.network(blurred).float()
            student_features = self._taps[0].value if self._taps else None
            taught = self._ask_teacher(blurred) if self._needs_teacher() else None
        terms = picture_loss(options, restored, sharp, taught)
        if options.feature and self.projection is not None and student_features is not None:
            terms["feature"] = options.feature * self.projection(student_features.float(), self._taps[1].value.float())
        if options.perceptual and self.teacher is not None:
            terms["perceptual"] = options.perceptual * self._perceptual(restored, sharp)
        if self.adversary is not None:
            self.adversary.learn(restored, sharp)
            terms["adversarial"] = options.adversarial * self.adversary.generator_loss(restored, sharp)
        return terms

    def _needs_teacher(self) -> bool:
        return self.teacher is not None and bool(self.options.teacher or self.options.feature)

    @torch.no_grad()
    def _ask_teacher(self, blurred: Tensor) -> Tensor:
        assert self.teacher is not None
        picture: Tensor = self.teacher(blurred).float()
        return picture

    def _perceptual(self, restored: Tensor, sharp: Tensor) -> Tensor:
        assert self.teacher is not None
        self.teacher.requires_grad_(False)
        self.teacher(sharp)
        wanted = self._taps[1].value.detach()
        self.teacher(restored)
        return (self._taps[1].value - wanted).abs().mean()

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast("cpu", torch.bfloat16, enabled=self.options.precision == "bf16")

    def _after(self, step: int, terms: dict[str, float]) -> None:
        done, options = step + 1, self.options
        line: dict[str, float] = {}
        if done % 20 == 0 or done == options.steps:
            line = {"step": done, "time_s": round(time.time(), 1), **terms}
        if self.validate is not None and options.validate_every and done % options.validate_every == 0:
            line = {"step": done, **terms, **self.validate(self.average.network)}
            self.progress.say(f"{self.name} {done}/{options.steps}: {line}")
        if line:
            with (self.folder / "history.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
        if done % options.checkpoint_every == 0 and done < options.steps:
            self._save(done)

    def _save(self, done: int) -> None:
        state = {
            "step": done,
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "projection": self.projection.state_dict() if self.projection else {},
            "adversary": self.adversary.state_dict() if self.adversary else {},
        }
        partial = self.folder / "training.pt.partial"
        torch.save(state, partial)
        partial.replace(self.folder / "training.pt")

    def _resume(self) -> int:
        """The step to go on from; 0 without a usable checkpoint."""
        file = self.folder / "training.pt"
        if not file.exists():
            (self.folder / "history.jsonl").unlink(missing_ok=True)
            return 0
        state = torch.load(file, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.projection:
            self.projection.load_state_dict(state["projection"])
        if self.adversary:
            self.adversary.load_state_dict(state["adversary"])
        step = int(state["step"])
        self._forget_history_after(step)
        self.progress.say(f"{self.name}: going on from step {step} of {self.options.steps}")
        return step

    def _forget_history_after(self, step: int) -> None:
        file = self.folder / "history.jsonl"
        if file.exists():
            kept = [line for line in file.read_text().splitlines() if json.loads(line)["step"] <= step]
            file.write_text("".join(line + "\n" for line in kept))


def learning_rate(options: FitOptions, step: int) -> float:
    """Linear warm-up, then half a cosine down to 1 % of the peak."""
    if step < options.warmup_steps:
        return options.learning_rate * (step + 1) / options.warmup_steps
    done = (step - options.warmup_steps) / max(1, options.steps - options.warmup_steps)
    return options.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def bottleneck_of(network: nn.Module) -> nn.Module | None:
    """The layer a network offers for feature distillation, looking through range wrappers."""
    for module in network.modules():
        offer = getattr(module, "bottleneck", None)
        if callable(offer):
            layer: nn.Module = offer()
            return layer
    return None
