"""Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.convert.rows.common import Row, numbers


def spectrum(x: Tensor, change: Callable[[Tensor], Tensor], norm: str = "backward") -> Tensor:
    return torch.fft.irfft2(change(torch.fft.rfft2(x, norm=norm)), s=x.shape[2:], norm=norm)


def by_parts(f: Tensor) -> Tensor:
    """As DeepRFT and LaMa: real and imaginary parts through one layer."""
    both = F.relu(torch.cat([f.real, f.imag], 1))
    return torch.complex(*both.chunk(2, 1))


def patches(x: Tensor) -> Tensor:
    """As FFTformer: products of the spectra of small blocks."""
    cut = x.view(1, 8, x.shape[2] // 8, 8, x.shape[3] // 8, 8).permute(0, 1, 2, 4, 3, 5)
    made = torch.fft.irfft2(torch.fft.rfft2(cut) * torch.fft.rfft2(cut.flip(1)), s=(8, 8))
    return made.permute(0, 1, 2, 4, 3, 5).reshape(x.shape)


SPECTRA: dict[str, Row] = {
    "scaled": lambda x: spectrum(x, lambda f: f * 0.5),
    "orthonormal": lambda x: spectrum(x, lambda f: f * 0.5, "ortho"),
    "real and imaginary": lambda x: spectrum(x, by_parts, "ortho"),
    "weights": lambda x: spectrum(
        x, lambda f: f * torch.view_as_complex(numbers(8, x.shape[2], x.shape[3] // 2 + 1, 2))
    ),
    "two pictures": lambda x: spectrum(x, lambda f: f * torch.fft.rfft2(x.flip(1))) / 20,
    "conjugate": lambda x: spectrum(x, lambda f: f * f.conj()) / 20,
    "magnitude": lambda x: spectrum(x, lambda f: torch.complex(f.abs(), f.imag)),
    "magnitude and phase": lambda x: spectrum(x, lambda f: torch.polar(f.abs() * 0.9, f.angle())),
    "whole spectrum": lambda x: torch.fft.ifft2(torch.fft.fft2(x) * 0.7).real,
    "shifted": lambda x: torch.fft.ifft2(torch.fft.ifftshift(torch.fft.fftshift(torch.fft.fft2(x)) * 0.7)).real,
    "of patches": patches,
    "of rows": lambda x: torch.fft.irfft(torch.fft.rfft(x, dim=-1) * 0.5, n=x.shape[-1], dim=-1),
    "stacked parts": lambda x: spectrum(x, lambda f: torch.view_as_complex(torch.view_as_real(f).relu())),
}
