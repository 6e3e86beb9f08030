"""The optional GAN term: a patch discriminator trained beside the generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from exporter.training.processes import Processes


class PatchDiscriminator(nn.Sequential):
    """70×70-patch critic of pix2pix (Isola et al., 2017) at half width: (N, 3, H, W) to a map of scores."""

    def __init__(self, width: int = 32) -> None:
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for factor in (1, 2):
            layers += [
                nn.Conv2d(width * factor, width * factor * 2, 4, 2, 1, bias=False),
                nn.BatchNorm2d(width * factor * 2),
                nn.LeakyReLU(0.2),
            ]
        super().__init__(*layers, nn.Conv2d(width * 4, 1, 4, 1, 1))


def relativistic_loss(better: Tensor, worse: Tensor) -> Tensor:
    """Relativistic average least squares (DeblurGAN-v2, eq. 1): `better` should score above the mean of `worse`."""
    return ((better - worse.mean() - 1) ** 2).mean() + ((worse - better.mean() + 1) ** 2).mean()


class Adversary:
    """The discriminator with its own optimiser."""

    def __init__(self, learning_rate: float, device: torch.device, processes: Processes) -> None:
        self.network = PatchDiscriminator().to(device)
        self._processes = processes
        self.optimiser = torch.optim.Adam(self.network.parameters(), learning_rate, betas=(0.5, 0.999))

    def generator_loss(self, restored: Tensor, sharp: Tensor) -> Tensor:
        """What the generator pays for being told apart."""
        return relativistic_loss(self.network(restored * 2 - 1), self.network(sharp * 2 - 1).detach())

    def learn(self, restored: Tensor, sharp: Tensor) -> None:
        """One step of the discriminator."""
        self.optimiser.zero_grad()
        scores = self.network(sharp * 2 - 1), self.network(restored.detach() * 2 - 1)
        relativistic_loss(*scores).backward()  # type: ignore[no-untyped-call]
        self._processes.average_gradients(self.network.parameters())
        self.optimiser.step()

    def state_dict(self) -> dict[str, object]:
        return {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state: dict[str, dict[str, object]]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
