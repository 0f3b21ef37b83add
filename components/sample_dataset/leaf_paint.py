"""Paints a leaf and its shadow on a canvas.

Legend: p along the leaf (0 stem, 1 tip) and q across it, both in leaf lengths; arrays are float32 [h, w], the canvas and
colours [3, h, w] in [0, 1].
"""

import dataclasses
import math

import numpy as np

from components.sample_dataset.leaf_shapes import HALF_WIDTHS, SHAPES, Shape, smoothstep
from components.sample_dataset.plants import Leaf, Plant

BAND = 1 << 16  # pixels painted at a time, few enough for the cache
LIGHT = (-0.48, -0.55, 0.68)  # direction to the lamp: left, up, towards the camera; length about 1
SHADOW = (0.66, 0.75)  # right and down, away from the lamp; length 1


@dataclasses.dataclass(frozen=True)
class Palette:
    """Colours of one kind of leaf, young and old."""

    young: tuple[float, float, float]
    old: tuple[float, float, float]
    rib: tuple[float, float, float]
    gloss: float


PALETTES = {
    "BC": Palette((0.40, 0.62, 0.22), (0.13, 0.34, 0.15), (0.86, 0.91, 0.78), 0.16),
    "LT": Palette((0.66, 0.79, 0.38), (0.43, 0.63, 0.25), (0.84, 0.89, 0.66), 0.05),
    "cotyledon": Palette((0.50, 0.72, 0.28), (0.62, 0.68, 0.30), (0.66, 0.80, 0.46), 0.08),
}
RED = np.array((0.36, 0.10, 0.13), np.float32)


def paint_leaf(canvas: np.ndarray, leaf: Leaf, plant: Plant, stem: tuple[float, float], unit: float) -> None:
    """Paints one leaf and its shadow over `canvas`, float32 [3, H, W].

    Args:
        stem: (x, y) of the plant's middle in pixels.
        unit: pixels per photo height.
    """
    length = leaf.length * unit
    if length < 0.8:  # less than a pixel
        return
    reach = (0.008 + 0.055 * leaf.length * (0.5 + leaf.upright)) * unit  # how far its shadow falls
    box = leaf_box(canvas.shape[1:], leaf, stem, length, reach)
    if box is None:
        return
    rows, columns = box
    width = columns.stop - columns.start
    right, down = (round(reach * part) for part in SHADOW)
    shadow = np.zeros((rows.stop - rows.start + down, width + right), np.float32)  # where it falls; filled ahead of the bands
    soft = max(reach, 1) / length
    step = max(16, BAND // width)
    for top in range(rows.start, rows.stop, step):
        bottom = min(top + step, rows.stop)
        shape, p = leaf_form(leaf, stem, length, slice(top - 1, bottom + 1), columns)  # and neighbours, for the slope
        inside = shape.inside[1:-1]
        first, last = top - rows.start, bottom - rows.start
        shadow[first + down : last + down, right:] = smoothstep(inside, -soft, 0.5 * soft)
        view = canvas[:, top:bottom, columns]
        view *= 1 - 0.55 * shadow[first:last, :width]
        cover = smoothstep(inside, -0.5 / length, 0.5 / length)
        view += cover * (leaf_colour(leaf, plant, shape, p, length)[:, 1:-1] - view)


def leaf_form(leaf: Leaf, stem: tuple[float, float], length: float, rows: slice, columns: slice) -> tuple[Shape, np.ndarray]:
    """Returns the leaf's form at the pixels of `rows` and `columns`, and their p; `stem` and `length` are in pixels."""
    y, x = np.ogrid[rows, columns]
    x, y = ((x - stem[0]) / length).astype(np.float32), ((y - stem[1]) / length).astype(np.float32)
    cos, sin = math.cos(leaf.angle), math.sin(leaf.angle)
    p = x * cos + y * sin
    q = y * cos - x * sin - leaf.bend * p * p
    return SHAPES[leaf.kind](leaf, p, q, 1 / length), p


def leaf_colour(leaf: Leaf, plant: Plant, shape: Shape, p: np.ndarray, length: float) -> np.ndarray:
    """Returns the lit colour [3, h, w] of a leaf."""
    palette = PALETTES[leaf.kind]
    down, right = (slope * length for slope in np.gradient(shape.height))
    right = right + 0.10 * math.cos(leaf.angle) * (1 - 2 * leaf.upright)  # the leaf as a whole leans outwards, later down
    down = down + 0.10 * math.sin(leaf.angle) * (1 - 2 * leaf.upright)
    steep = np.sqrt(1 + right * right + down * down)
    facing = (LIGHT[2] - right * LIGHT[0] - down * LIGHT[1]) / steep
    shade = (0.50 + 0.72 * np.clip(facing, 0, 1)) * (0.62 + 0.38 * smoothstep(p, 0.0, 0.45 - 0.2 * leaf.youth))
    gloss = palette.gloss * np.clip((facing - 0.86) / 0.14, 0, 1) ** 2
    blade = mix(palette.old, palette.young, leaf.youth) * np.array(plant.tint, np.float32)
    colour = np.empty((3, *p.shape), np.float32)
    redness = plant.red * (0.08 + 0.67 * smoothstep(shape.edge, 0.72, 1.0)) * (1 - 0.5 * leaf.youth)
    for channel in range(3):
        tissue = blade[channel] * (1 + 0.10 * shape.edge) + redness * (RED[channel] - blade[channel])
        colour[channel] = (tissue + shape.rib * (palette.rib[channel] - tissue)) * shade + gloss
    return colour


def leaf_box(
    size: tuple[int, ...], leaf: Leaf, stem: tuple[float, float], length: float, pad: float
) -> tuple[slice, slice] | None:
    """Returns the rows and columns that hold the leaf and its shadow, or None where it lies outside."""
    cos, sin = math.cos(leaf.angle), math.sin(leaf.angle)
    half = HALF_WIDTHS[leaf.kind]
    corners = [(p, q + leaf.bend * p * p) for p in (-0.05, 0.5, 1.08) for q in (-half, half)]
    xs = [stem[0] + length * (p * cos - q * sin) for p, q in corners]
    ys = [stem[1] + length * (p * sin + q * cos) for p, q in corners]
    top, bottom = max(0, int(min(ys) - pad)), min(size[0], int(max(ys) + 2 * pad) + 2)
    left, right = max(0, int(min(xs) - pad)), min(size[1], int(max(xs) + 2 * pad) + 2)
    return (slice(top, bottom), slice(left, right)) if bottom - top > 1 and right - left > 1 else None


def mix(first: tuple[float, float, float], second: tuple[float, float, float], share: float) -> np.ndarray:
    """Returns the colour `share` of the way from the first to the second."""
    return np.asarray(first, np.float32) * np.float32(1 - share) + np.asarray(second, np.float32) * np.float32(share)
