"""Takes the photo of a plant: pot and soil, the plant on it, and what lamp and camera did that day.

Legend: arrays are float32 [3, H, W] in [0, 1] until `take_photo` rounds to uint8 [height, width, 3].
"""

import functools
import math

import numpy as np
from PIL import Image

from components.sample_dataset.leaf_paint import LIGHT, paint_leaf
from components.sample_dataset.leaf_shapes import smoothstep
from components.sample_dataset.plan import BARE_SOIL, NOISE, PHOTO_STREAM, PLANT_STREAM, Photo, Series, random_generator
from components.sample_dataset.plants import MOST_LEAVES, grow_plant, leaves_at
from components.sample_dataset.settings import SampleDatasetSettings

MARGIN = 0.03  # photo heights that the camera may move by


def take_photo(photo: Photo, settings: SampleDatasetSettings) -> np.ndarray:
    """Returns the photo, uint8 [height, width, 3]; it depends on the plan and the seed alone."""
    rng = random_generator(settings.seed, PHOTO_STREAM, *photo.series.key, photo.day)
    if photo.content == NOISE:
        return rng.integers(0, 256, (settings.height, settings.width, 3), dtype=np.uint8)
    height, width = settings.height, settings.width
    margin = math.ceil(MARGIN * height)
    canvas = pot_with_soil(photo.series, settings.seed, height + 2 * margin, width + 2 * margin, height).copy()
    canvas *= np.float32(rng.uniform(0.92, 1.06))  # watered or dry
    sway = rng.normal(0, 0.03, MOST_LEAVES)
    if photo.content != BARE_SOIL:
        plant = grow_plant(photo.series, settings.seed)
        stem = (canvas.shape[2] / 2 + plant.centre[0] * height, canvas.shape[1] / 2 + plant.centre[1] * height)
        for leaf in leaves_at(plant, photo.series.age(photo.day), sway):
            paint_leaf(canvas, leaf, plant, stem, float(height))
    top, left = (margin + round(margin * shift) for shift in rng.uniform(-0.7, 0.7, 2))
    seen = canvas[:, top : top + height, left : left + width]
    return develop(seen, rng)


def develop(seen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Applies the day's lamp (gain, colour temperature), the lens (vignette) and the sensor (grain)."""
    gain, warmth, vignette = rng.uniform(0.9, 1.1), rng.uniform(-0.05, 0.05), rng.uniform(0.05, 0.2)
    _, height, width = seen.shape
    y, x = np.linspace(-0.75, 0.75, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)
    light = np.float32(gain) * (1 - np.float32(vignette) * (x * x + y * y))
    grain = rng.standard_normal((height, width), dtype=np.float32) * np.float32(1.6)
    result = np.empty((height, width, 3), np.uint8)
    for channel, balance in enumerate((1 + warmth, 1.0, 1 - warmth)):
        result[..., channel] = np.clip(seen[channel] * light * np.float32(255 * balance) + grain + 0.5, 0, 255)
    return result


@functools.lru_cache(maxsize=1)  # photos of a series follow each other
def pot_with_soil(series: Series, seed: int, height: int, width: int, unit: int) -> np.ndarray:
    """Returns the empty pot on the bench, [3, height, width]; the same on every photo of a series."""
    rng = random_generator(seed, PLANT_STREAM, *series.key, 1)
    ground = texture(rng, height, width)
    bench = rng.uniform(0.55, 0.68) * np.array((1, rng.uniform(0.98, 1.01), rng.uniform(0.94, 1.0)))
    soil = np.array((0.27, 0.20, 0.15)) * rng.uniform(0.85, 1.15) * np.array((1, rng.uniform(0.95, 1.05), rng.uniform(0.9, 1.1)))
    rim = np.array((0.62, 0.34, 0.22)) if rng.random() < 0.35 else np.full(3, rng.uniform(0.10, 0.2))
    power, radius = (8.0, 0.40) if rng.random() < 0.4 else (2.0, 0.43)
    if series.shifted:
        bench, rim, power, radius = np.array((0.50, 0.53, 0.57)), np.array((0.36, 0.40, 0.46)), 8.0, 0.41
    x = (np.arange(width, dtype=np.float32) - width / 2 - rng.normal(0, 0.008) * unit) / unit
    y = (np.arange(height, dtype=np.float32) - height / 2 - rng.normal(0, 0.008) * unit)[:, None] / unit
    pixel = 1 / unit
    distance = pot_distance(x, y, power)
    cast = smoothstep(pot_distance(x - 0.03, y - 0.034, power), radius + 0.10, radius)
    inside = smoothstep(distance, radius + pixel, radius - pixel)
    rim_cover = smoothstep(distance, radius + 0.035 + pixel, radius + 0.035 - pixel)
    hollow = 0.55 + 0.45 * smoothstep(pot_distance(x - 0.022, y - 0.025, power), radius, radius - 0.07)
    towards_light = -(x * LIGHT[0] + y * LIGHT[1]) / np.maximum(np.hypot(x, y), 1e-3)
    bulge = smoothstep(np.abs(distance - radius - 0.0175), 0.0175, 0.004)
    rim_light = 0.8 + 0.35 * bulge - 0.25 * towards_light * np.sign(distance - radius - 0.0175) * (1 - bulge)
    lumps = 1 + 0.42 * np.clip(ground, -1.6, 2.2)
    canvas = np.empty((3, height, width), np.float32)
    for channel in range(3):
        table = bench[channel] * (1 - 0.55 * cast) * (1 + 0.012 * ground)
        edge = rim[channel] * rim_light
        earth = soil[channel] * lumps * hollow
        canvas[channel] = table + rim_cover * (edge - table)
        canvas[channel] += inside * (earth - canvas[channel])
    scatter_perlite(canvas, rng, unit, radius)
    return canvas


def pot_distance(x: np.ndarray, y: np.ndarray, power: float) -> np.ndarray:
    """Returns the distance from the pot's middle in which a round (power 2) or square (power 8) pot has one radius."""
    return np.hypot(x, y) if power == 2 else (x**power + y**power) ** np.float32(1 / power)


def texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Returns lit crumbs of soil, about standard normal: octaves of noise, the same picture at every size."""
    relief = np.zeros((height, width), np.float32)
    cells = 12
    while cells < max(height / 1.5, 13):  # one octave at least
        grid = rng.standard_normal((cells, cells * 4 // 3), dtype=np.float32)
        octave = np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))
        relief += octave * np.float32(1 / cells**0.45)
        cells *= 2
    down, right = np.gradient(relief)
    lit = relief / relief.std() * 0.5 - (right + down) / (right + down).std() * 0.6
    return lit.astype(np.float32)


def scatter_perlite(canvas: np.ndarray, rng: np.random.Generator, unit: int, radius: float) -> None:
    """Sprinkles the white grains that potting soil has."""
    _, height, width = canvas.shape
    for x, y, size, white in rng.uniform((-1, -1, 0.003, 0.5), (1, 1, 0.008, 0.85), (70, 4)):
        if math.hypot(x, y) > 0.95:
            continue
        column, row, grain = width / 2 + x * radius * unit, height / 2 + y * radius * unit, max(0.7, size * unit)
        top, left, side = int(row - 2 * grain), int(column - 2 * grain), math.ceil(4 * grain) + 1
        r, c = np.ogrid[top : top + side, left : left + side]
        from_middle = np.hypot(r - row, 1.2 * (c - column)) / grain
        view = canvas[:, top : top + side, left : left + side]
        view *= 1 - 0.4 * smoothstep(np.hypot(r - row - 0.5 * grain, c - column - 0.5 * grain) / grain, 1.5, 0.7)
        view += smoothstep(from_middle, 1.1, 0.8) * (white * (1.15 - 0.25 * from_middle) - view)
