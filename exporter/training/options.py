"""The recipe options that every training stage shares. Imports no torch: recipes are read without it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_STEPS = 1_000_000_000
CHECKPOINT = "training.pt"  # in the folder of a run until its weights are kept


class FitOptions(BaseModel):
    """How long and how to train. Loss weights of 0 switch a term off (and its cost)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    steps: int = Field(default=200, ge=1, le=MOST_STEPS)
    """How long to train, in steps. Raise it while quality still rises; each costs the same time."""
    batch: int = Field(default=8, ge=1, le=65536)
    """Crops in a step. Lower it where memory runs out, raise it where the loss jumps."""
    crop_px: int = Field(default=128, ge=32, le=16384, multiple_of=32)
    """Side of the crops that are learnt from. Raise it where blur or structure is larger than a crop."""
    learning_rate: float = Field(default=2e-4, gt=0, le=10)
    """Step size of the optimiser. Lower it for weights that are good already, or where the loss jumps."""
    optimiser: Literal["adamw", "muon"] = Field(default="adamw", exclude_if=lambda name: name == "adamw")
    """How a gradient becomes a step. muon, at a rate of about 0.02, teaches plain stacks of convolutions faster."""
    warmup_steps: int = Field(default=20, ge=0, le=MOST_STEPS)
    """Steps until the learning rate is whole. Raise it for large batches or transformers."""
    weight_decay: float = Field(default=1e-4, ge=0, le=10)
    """Pull of the weights to zero, as AdamW has it. Raise it where training pictures are few."""
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    """How slowly the averaged weights, which are kept, follow. Lower it for trainings of some hundred steps."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Length to which a step's gradient is cut. Lower it where the loss jumps."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Numbers of the training; weights stay fp32, fp16 scales the loss. bf16 or fp16 is faster on GPUs."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """What it is trained on. Name one where auto takes the wrong one."""
    workers: int = Field(default=1, ge=1, le=1024)
    """Threads that draw batches ahead. Raise it where a GPU waits for pictures."""

    pixel: float = Field(default=1.0, ge=0)
    """Weight of the Charbonnier distance to the sharp photograph. 0 to learn from the teacher alone."""
    decibel: float = Field(default=0.0, ge=0)
    """Weight of the mean over images of 10·log10(MSE), where every image counts alike. Raise it, to 0.01 or so, where
    PSNR counts."""
    teacher: float = Field(default=0.5, ge=0)
    """Weight of the L1 distance to the teacher's picture. Lower it where the student should surpass the teacher."""
    frequency: float = Field(default=0.05, ge=0)
    """Weight of the L1 distance between spectra. Raise it where fine texture is lost."""
    feature: float = Field(default=0.0, ge=0)
    """Weight of the distance of a projected bottleneck to the teacher's. Raise it for a small student of a like
    network."""
    perceptual: float = Field(default=0.0, ge=0)
    """Weight of the L1 distance in features of the teacher or an ImageNet encoder. Raise it where looks count more than
    dB."""
    adversarial: float = Field(default=0.0, ge=0)
    """Weight of a patch discriminator's opinion, relativistic least squares. Raise it where looks count more than dB.
    """

    checkpoint_every: int = Field(default=100, ge=1, le=MOST_STEPS)
    """Steps between states that a stopped training goes on from. Lower it where steps are slow."""
    validate_every: int = Field(default=0, ge=0, le=MOST_STEPS)
    """Steps between validations; 0 means never. Raise it above 0 to see dB while it trains."""
    tensorboard: bool = False
    """Write events for TensorBoard beside history.jsonl and curves.png. Turn it on to watch a training."""
