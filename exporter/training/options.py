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
    batch: int = Field(default=8, ge=1, le=65536)
    crop_px: int = Field(default=128, ge=32, le=16384, multiple_of=32)
    learning_rate: float = Field(default=2e-4, gt=0, le=10)
    warmup_steps: int = Field(default=20, ge=0, le=MOST_STEPS)
    weight_decay: float = Field(default=1e-4, ge=0, le=10)
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    clip_norm: float = Field(default=1.0, gt=0)
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"  # autocast, weights stay fp32; fp16 scales the loss
    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: int = Field(default=1, ge=1, le=1024)  # threads that draw batches ahead

    pixel: float = Field(default=1.0, ge=0)  # Charbonnier to the sharp photograph
    decibel: float = Field(default=0.0, ge=0)  # mean over images of 10·log10(MSE): every image counts alike
    teacher: float = Field(default=0.5, ge=0)  # L1 to the teacher's picture
    frequency: float = Field(default=0.05, ge=0)  # L1 between spectra
    feature: float = Field(default=0.0, ge=0)  # projected bottleneck to the teacher's
    perceptual: float = Field(default=0.0, ge=0)  # L1 in features of the teacher, or of an ImageNet encoder
    adversarial: float = Field(default=0.0, ge=0)  # relativistic least squares, patch discriminator

    checkpoint_every: int = Field(default=100, ge=1, le=MOST_STEPS)  # steps
    validate_every: int = Field(default=0, ge=0, le=MOST_STEPS)  # steps; 0: never
    tensorboard: bool = False  # events beside history.jsonl and curves.png
