"""The forms of leaves: outline, relief and ribs, for each kind of leaf.

A form is a formula, so that a leaf looks the same at every photo size and its edge is one pixel wide.
Legend: p along the leaf (0 stem, 1 tip) and q across it, both in leaf lengths; arrays are float32 [h, w]; `pixel` is the
size of a pixel in leaf lengths.
"""

import dataclasses

import numpy as np

from components.sample_dataset.plants import Leaf


@dataclasses.dataclass(frozen=True)
class Shape:
    """Outline and relief of one leaf: inside > 0 (in leaf lengths), height (likewise), 0..1 paleness of ribs and petiole."""

    inside: np.ndarray
    height: np.ndarray
    rib: np.ndarray
    edge: np.ndarray  # 0 at the middle of the blade, 1 at its margin


def shape_bok_choy(leaf: Leaf, p: np.ndarray, q: np.ndarray, pixel: float) -> Shape:
    """A spoon: thick white petiole that narrows into the midrib, and a smooth egg-shaped blade at its end."""
    centre, long, wide = 0.68, 0.32, 0.265
    along = (p - centre) / long
    radius, theta = polar(along, q / (wide * (1 + 0.10 * along)))
    radius = radius / (1 + 0.018 * leaf.ruffle * (np.sin(5 * theta + leaf.phase) + 0.7 * np.sin(8 * theta - 2 * leaf.phase)))
    blade = outline(radius, np.hypot(p - centre, q))
    narrows = smoothstep(p, 0.34, 0.62)
    half = (0.052 + 0.06 * np.clip(1 - 2.2 * p, 0, 1) ** 2) * (1 - narrows) + 0.017 * narrows * np.clip((0.96 - p) / 0.4, 0, 1)
    petiole = np.minimum(half - np.abs(q), np.minimum(p + 0.02, 0.9 - p))
    ridge = np.sqrt(np.clip(1 - (q / np.maximum(half, 1e-3)) ** 2, 0, 1)) * half
    vein = side_veins(leaf, p, q, 6, wide, pixel) * smoothstep(blade, 0.0, 0.05) * smoothstep(p, 0.40, 0.48)
    cup = 0.10 * (1 - radius**2) + 0.006 * np.sin(21 * p + leaf.phase) * np.sin(24 * q + 2 * leaf.phase)
    height = np.maximum(cup + 0.007 * vein, 0) * (p > 0.3) + 0.8 * ridge
    pale = np.maximum(smoothstep(petiole, -0.7 * pixel, 0.006 + 0.7 * pixel), 0.34 * vein)
    return Shape(np.maximum(blade, petiole), height, pale, np.clip(radius, 0, 1))


def shape_lettuce(leaf: Leaf, p: np.ndarray, q: np.ndarray, pixel: float) -> Shape:
    """A broad fan, blistered between its veins, with a margin that ruffles more the older the leaf is."""
    centre, long, wide = 0.55, 0.46, 0.44
    along = (p - centre) / long
    radius, theta = polar(along, q / (wide * np.maximum(1 + 0.30 * along, 0.4)))
    ruffle = leaf.ruffle * (1 - 0.6 * leaf.youth)
    waves = np.sin(7 * theta + leaf.phase) + 0.8 * np.sin(13 * theta - 3 * leaf.phase + np.sin(5 * theta))
    frills = np.sin(24 * theta + 5 * leaf.phase + 2 * waves)
    radius = radius / (1 + 0.038 * ruffle * (waves + 0.7 * frills) * np.clip(along + 1.1, 0, 1))
    blade = outline(radius, np.hypot(p - centre, q))
    half = 0.050 * np.clip(1 - p, 0, 1) ** 1.6
    rib = smoothstep(half - np.abs(q), -0.7 * pixel, 0.014 + 0.7 * pixel)
    vein = side_veins(leaf, p, q, 5, wide, pixel)
    crumple = np.sin(17 * p + 2 * np.sin(8 * q + leaf.phase)) * np.sin(19 * q + 2 * np.sin(9 * p - leaf.phase))
    blister = np.sin(41 * p + 3 * np.sin(13 * q - leaf.phase)) * np.sin(37 * q + 3 * np.sin(15 * p + leaf.phase))
    margin = np.clip(radius, 0, 1.1) ** 4
    height = 0.07 * (1 - radius**2) + ruffle * (0.009 * crumple + 0.0035 * blister + margin * (0.024 * waves + 0.013 * frills))
    height -= 0.006 * vein + 0.01 * rib
    return Shape(blade, height, np.maximum(0.8 * rib, 0.30 * vein), np.clip(radius, 0, 1))


def shape_cotyledon(leaf: Leaf, p: np.ndarray, q: np.ndarray, pixel: float) -> Shape:
    """A small stalked oval."""
    radius, theta = polar((p - 0.66) / 0.34, q / 0.27)
    radius = radius / (1 + 0.03 * np.sin(3 * theta + leaf.phase))
    blade = outline(radius, np.hypot(p - 0.66, q))
    stalk = np.minimum(0.05 - np.abs(q), np.minimum(p + 0.02, 0.7 - p))
    rib = 0.5 * smoothstep(0.02 - np.abs(q), -pixel, 0.02)
    return Shape(np.maximum(blade, stalk), 0.10 * (1 - radius**2), rib, np.clip(radius, 0, 1))


SHAPES = {"BC": shape_bok_choy, "LT": shape_lettuce, "cotyledon": shape_cotyledon}
HALF_WIDTHS = {"BC": 0.32, "LT": 0.54, "cotyledon": 0.32}  # leaf lengths; no outline goes beyond


def polar(along: np.ndarray, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns radius and angle."""
    return np.maximum(np.hypot(along, across), 1e-3), np.arctan2(across, along)


def outline(radius: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Returns how far inside the outline `radius` = 1 a point is, measured along the ray from the blade's middle."""
    return distance / radius - distance


def side_veins(leaf: Leaf, p: np.ndarray, q: np.ndarray, count: int, wide: float, pixel: float) -> np.ndarray:
    """Returns 0..1 on thin veins that leave the midrib by turns left and right and curve to the tip; fainter below a pixel."""
    across = np.abs(q)
    wander = 0.012 * np.sin(14 * p + 9 * q + leaf.phase)
    phase = count * (p - 1.05 * across + 0.9 * across * across / wide * 0.5 + wander) + 0.25 * np.sign(q)
    distance = np.abs(phase - np.rint(phase)) / (count * 1.4)
    width = 0.006 * np.clip(1.1 - across / wide, 0.2, 1)
    joined = smoothstep(across, 0.0, 0.03)  # veins of one side end where those of the other begin
    return joined * np.minimum(1.0, 1.5 * width / (width + pixel)) * np.exp(-((distance / (width + 0.5 * pixel)) ** 2))


def smoothstep(x: np.ndarray, low: float | np.ndarray, high: float | np.ndarray) -> np.ndarray:
    """Returns 0 below `low`, 1 above `high`, and a cubic between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
