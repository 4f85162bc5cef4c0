"""Augmentation of crops and pairs on whole batches of torch tensors, (N, C, H, W) in 0..1.

A batch at a time, because a crop at a time in Python costs more than the network.
"""

from __future__ import annotations

from typing import Any

from models.training.backend import load_torch

__all__ = ["augment_crops", "augment_pairs"]


def _uniform(count: int, low: float, high: float, generator: Any) -> Any:
    torch = load_torch()
    return torch.rand(count, generator=generator) * (high - low) + low


def _warp(pixels: Any, generator: Any, *, turn: float, zoom: float, move: float) -> Any:
    """Turn (radians), zoom and move each picture a little, by its own amount."""
    torch = load_torch()
    count = len(pixels)
    angle = _uniform(count, -turn, turn, generator)
    size_x = 1.0 + _uniform(count, -zoom, zoom, generator)
    size_y = 1.0 + _uniform(count, -zoom, zoom, generator)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = angle.cos() * size_x, -angle.sin() * size_y
    theta[:, 1, 0], theta[:, 1, 1] = angle.sin() * size_x, angle.cos() * size_y
    theta[:, :, 2] = torch.stack(
        [_uniform(count, -move, move, generator), _uniform(count, -move, move, generator)], dim=1
    )
    grid = torch.nn.functional.affine_grid(
        theta.to(pixels.device), list(pixels.shape), align_corners=False
    )
    return torch.nn.functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def _light(pixels: Any, generator: Any, *, gain: float, cast: float, offset: float) -> Any:
    """Brightness, colour cast and haze, each picture its own."""
    torch = load_torch()
    count, channels = pixels.shape[:2]
    common = 1.0 + _uniform(count, -gain, gain, generator)
    colour = 1.0 + (torch.rand(count, channels, generator=generator) - 0.5) * 2.0 * cast
    factor = (common[:, None] * colour)[:, :, None, None].to(pixels.device)
    haze = _uniform(count, -offset, offset, generator)[:, None, None, None].to(pixels.device)
    return pixels * factor + haze


def _noise(pixels: Any, generator: Any, most: float) -> Any:
    torch = load_torch()
    spread = _uniform(len(pixels), 0.0, most, generator)[:, None, None, None].to(pixels.device)
    noise = torch.randn(pixels.shape, generator=generator).to(pixels.device)
    return (pixels + noise * spread).clamp(0.0, 1.0)


def _coarser(pixels: Any, generator: Any) -> Any:
    """A third of the pictures lose resolution, as a crop of a far or small product has none."""
    torch = load_torch()
    side = int(pixels.shape[-1])
    lost = torch.rand(len(pixels), generator=generator) < 0.33
    if not bool(lost.any()):
        return pixels
    small = int(torch.randint(side // 3, side, (1,), generator=generator))
    resize = torch.nn.functional.interpolate
    rough = resize(pixels[lost], size=(small, small), mode="bilinear", antialias=True)
    pixels = pixels.clone()
    pixels[lost] = resize(rough, size=(side, side), mode="bilinear")
    return pixels


def _cover(pixels: Any, generator: Any) -> Any:
    """A third of the crops get a flat patch: a finger, an edge, a neighbour in front."""
    torch = load_torch()
    side = int(pixels.shape[-1])
    covered = torch.rand(len(pixels), generator=generator) < 0.33
    pixels = pixels.clone()
    for index in covered.nonzero()[:, 0].tolist():
        height, width = (
            int(torch.randint(side // 8, side // 2, (1,), generator=generator)) for _ in range(2)
        )
        top = int(torch.randint(0, side - height, (1,), generator=generator))
        left = int(torch.randint(0, side - width, (1,), generator=generator))
        colour = torch.rand(3, 1, 1, generator=generator).to(pixels.device)
        pixels[index, :, top : top + height, left : left + width] = colour
    return pixels


def augment_crops(pixels: Any, generator: Any) -> Any:
    """Crops (N, 3, H, W) as other cameras, light and hands would have shown them."""
    pixels = _warp(pixels, generator, turn=0.2, zoom=0.15, move=0.08)
    pixels = _coarser(_cover(pixels, generator), generator)
    pixels = _light(pixels, generator, gain=0.25, cast=0.08, offset=0.06)
    return _noise(pixels, generator, 0.04)


def augment_pairs(pixels: Any, generator: Any) -> Any:
    """Pairs (N, 6, H, W): moved, flipped and lit together, then shaken and lit a little apart."""
    torch = load_torch()
    pixels = _warp(pixels, generator, turn=0.15, zoom=0.12, move=0.1)
    flip = torch.rand(len(pixels), generator=generator) < 0.5
    pixels[flip] = pixels[flip].flip(3)
    pixels = _light(pixels, generator, gain=0.25, cast=0.1, offset=0.05)
    halves = []
    for half in (pixels[:, :3], pixels[:, 3:]):
        moved = _warp(half.contiguous(), generator, turn=0.01, zoom=0.01, move=0.03)
        lit = _light(moved, generator, gain=0.12, cast=0.04, offset=0.03)
        halves.append(_noise(lit, generator, 0.03))
    return torch.cat(halves, dim=1)
