"""The two small networks trained in plain torch: product embedding and change classifier.

Classes are made inside functions because their base class exists only where torch is installed.
Both are depthwise-separable CNNs (Howard et al., MobileNets, 2017): on one CPU thread their cost
is what a crop may cost.
"""

from __future__ import annotations

from typing import Any

from models.training.backend import load_torch

__all__ = ["EMBEDDING_SIZE", "build_change", "build_embedding", "count_parameters"]

EMBEDDING_SIZE = 128


def _stem(width: int, channels: int = 3) -> list[Any]:
    nn = load_torch().nn
    return [
        nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]


def _separable(width_in: int, width_out: int, stride: int = 1) -> list[Any]:
    nn = load_torch().nn
    return [
        nn.Conv2d(width_in, width_in, 3, stride, 1, groups=width_in, bias=False),
        nn.BatchNorm2d(width_in),
        nn.ReLU(),
        nn.Conv2d(width_in, width_out, 1, bias=False),
        nn.BatchNorm2d(width_out),
        nn.ReLU(),
    ]


def build_embedding() -> Any:
    """(N, 3, 96, 96) in 0..1 to unit vectors (N, EMBEDDING_SIZE).

    The last map (6 x 6) is weighed per place, not averaged: where on the front the brand and
    the stripe are is what tells flavours apart.
    """
    torch = load_torch()
    nn = torch.nn

    class Embedding(nn.Module):  # type: ignore[misc, name-defined]  # torch is loaded lazily
        """A depthwise CNN with a normalised output."""

        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                *_stem(24),
                *_separable(24, 32),
                *_separable(32, 48, 2),
                *_separable(48, 48),
                *_separable(48, 96, 2),
                *_separable(96, 96),
                *_separable(96, 160, 2),
                *_separable(160, 160),
                nn.Conv2d(160, 320, 1, bias=False),
                nn.BatchNorm2d(320),
                nn.ReLU(),
                nn.Conv2d(320, 320, 6, groups=320, bias=False),
                nn.BatchNorm2d(320),
                nn.Flatten(),
                nn.Linear(320, EMBEDDING_SIZE, bias=False),
                nn.BatchNorm1d(EMBEDDING_SIZE),
            )

        def forward(self, pixels: Any) -> Any:
            vectors = self.body(pixels * 2.0 - 1.0)
            norm = (vectors * vectors).sum(dim=1, keepdim=True).clamp(min=1e-24).sqrt()
            return vectors / norm

    return Embedding()


def build_change() -> Any:
    """(N, 6, 64, 64) before and after in 0..1 to logits (N, 3): pick, put_back, nothing.

    One network looks at the pair both ways round; "pick" of one way is "put_back" of the other,
    so swapping the pictures swaps the answer exactly.
    """
    torch = load_torch()
    nn = torch.nn

    class Change(nn.Module):  # type: ignore[misc, name-defined]  # torch is loaded lazily
        """A shared look at both pictures, then a joint look at what differs."""

        def __init__(self) -> None:
            super().__init__()
            self.look = nn.Sequential(*_stem(24), *_separable(24, 32), *_separable(32, 48, 2))
            self.joint = nn.Sequential(
                nn.Conv2d(144, 64, 1, bias=False),
                nn.BatchNorm2d(64),
                nn.ReLU(),
                *_separable(64, 96, 2),
                *_separable(96, 96),
                *_separable(96, 160, 2),
                *_separable(160, 160),
            )
            self.head = nn.Linear(320, 2)

        def _way(self, first: Any, second: Any) -> Any:
            joint = self.joint(torch.cat([first, second, first - second], dim=1))
            pooled = torch.cat([joint.mean(dim=(2, 3)), joint.amax(dim=(2, 3))], dim=1)
            return self.head(pooled)

        def forward(self, pixels: Any) -> Any:
            scaled = pixels * 2.0 - 1.0
            before, after = self.look(scaled[:, :3]), self.look(scaled[:, 3:])
            there, back = self._way(before, after), self._way(after, before)
            nothing = there[:, 1] + back[:, 1]
            return torch.stack([there[:, 0], back[:, 0], nothing], dim=1)

    return Change()


def count_parameters(network: Any) -> int:
    """Trainable numbers of a torch module."""
    return sum(int(weight.numel()) for weight in network.parameters())
