"""Draws the sample's plants in another style: tall ones seen from the side, so that no finding fits one way of drawing.

Dates, growth rates and test pairs are the sample's own plan; nothing of its leaves, soil, light or camera is used.
"""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from components.sample_dataset.plan import BC, NOISE, PHOTO_STREAM, PLANT, PLANT_STREAM, Photo, random_generator
from components.sample_dataset.settings import SampleDatasetSettings

FINER = 2  # pixels drawn per pixel of the photo, along each side
TRAITS = 7  # of the keys of random generators: other numbers than the sample draws of the same plant
NODES = 30


def side_photo(photo: Photo, settings: SampleDatasetSettings) -> np.ndarray:
    """Returns the photo, uint8 [height, width, 3]; it depends on the plan and the seed alone."""
    rng = random_generator(settings.seed, PHOTO_STREAM, *photo.series.key, photo.day, TRAITS)
    height, width = settings.height, settings.width
    if photo.content == NOISE:
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    traits = random_generator(settings.seed, PLANT_STREAM, *photo.series.key, TRAITS)
    unit = height * FINER
    base = (width * FINER / 2 + unit * (traits.normal(0, 0.02) + rng.normal(0, 0.012)), unit * (0.86 + rng.normal(0, 0.008)))
    image = Image.new("RGB", (width * FINER, unit), wall(traits, shifted=photo.series.shifted))
    canvas = ImageDraw.Draw(image)
    draw_pot(canvas, base, unit, traits, shifted=photo.series.shifted)
    if photo.content == PLANT:
        draw_plant(canvas, base, unit, photo, traits, rng)
    small = image.filter(ImageFilter.GaussianBlur(FINER * rng.uniform(0.3, 0.8))).resize((width, height), Image.Resampling.BOX)
    lit = np.asarray(small, np.float32) * rng.uniform(0.88, 1.12, 3) + rng.normal(0, 3, (height, width, 1))
    return np.clip(lit, 0, 255).astype(np.uint8)


def wall(traits: np.random.Generator, *, shifted: bool) -> tuple[int, ...]:
    """Returns the colour behind a plant: of train plants and most test plants light and grey, of the shifted ones dark blue."""
    low, high = ((30, 40, 70), (45, 55, 95)) if shifted else ((180, 180, 170), (225, 220, 215))
    return tuple(traits.integers(low, high).tolist())


def draw_pot(
    canvas: ImageDraw.ImageDraw, base: tuple[float, float], unit: int, traits: np.random.Generator, *, shifted: bool
) -> None:
    """Draws a pot whose rim is at the plant's `base`; `unit` pixels are the photo's height."""
    colour = (235, 235, 240) if shifted else tuple(traits.integers((120, 60, 40), (175, 100, 75)).tolist())
    (x, y), wide, deep = base, unit * traits.uniform(0.13, 0.17), unit * 0.14
    canvas.polygon([(x - wide, y), (x + wide, y), (x + 0.8 * wide, y + deep), (x - 0.8 * wide, y + deep)], colour)
    canvas.ellipse((x - wide, y - 0.15 * wide, x + wide, y + 0.15 * wide), (60, 45, 35))


def draw_plant(
    canvas: ImageDraw.ImageDraw,
    base: tuple[float, float],
    unit: int,
    photo: Photo,
    traits: np.random.Generator,
    rng: np.random.Generator,
) -> None:
    """Draws a stem that lengthens with the plant's age, and a leaf at every node that it has reached."""
    age, narrow = photo.series.age(photo.day), photo.series.species == BC
    size, lean = traits.uniform(0.96, 1.04), traits.normal(0, 0.12) + rng.normal(0, 0.02)
    jitter = np.clip(traits.standard_normal((NODES, 3)), -2, 2)
    tall = 0.78 * size * unit * age / (age + 26)
    green = np.array(traits.integers((60, 120, 40), (85, 150, 60))) if narrow else np.array((120, 165, 60))
    if photo.series.shifted:
        green = np.array((150, 70, 110))
    top = (base[0] + tall * math.sin(lean), base[1] - tall * math.cos(lean))
    canvas.line([base, top], tuple((0.8 * green).astype(int).tolist()), max(2, round(unit * (0.006 + 0.0004 * age))))
    interval = 1.5 if narrow else 1.9
    for node in range(min(NODES, int(max(0.0, age - 1) / interval))):
        leaf_age = age - 1 - interval * node
        born, turn, stretch = jitter[node].tolist()
        share = (1 + interval * node) / (age + 2)  # of the stem, from its foot: younger leaves are further up
        foot = (base[0] + share * (top[0] - base[0]), base[1] + share * (top[1] - base[1]))
        length = unit * size * (0.17 + 0.004 * node) * (1 + 0.05 * stretch) / (1 + math.exp((5.5 + 0.3 * born - leaf_age) / 2))
        droop = math.radians(35 + 55 * min(1.0, leaf_age / 22) + 5 * turn) + rng.normal(0, 0.03)
        shade = tuple((green * (1.15 - 0.3 * min(1.0, leaf_age / 25))).astype(int).tolist())
        draw_leaf(canvas, foot, length, (-1) ** node * droop, 0.16 if narrow else 0.3, shade)


def draw_leaf(
    canvas: ImageDraw.ImageDraw, foot: tuple[float, float], length: float, turn: float, wide: float, colour: tuple[int, ...]
) -> None:
    """Draws a pointed leaf of `length` pixels and `wide` times that, `turn` radians off the vertical."""
    along = np.linspace(0, 1, 12)
    across = wide * np.sin(math.pi * along**0.8)
    p, q = np.concatenate([along, along[::-1]]) * length, np.concatenate([across, -across[::-1]]) * length / 2
    x, y = foot[0] + p * math.sin(turn) + q * math.cos(turn), foot[1] - p * math.cos(turn) + q * math.sin(turn)
    canvas.polygon(list(zip(x.tolist(), y.tolist(), strict=True)), colour)
