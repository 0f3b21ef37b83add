"""Grows a plant: where each of its leaves lies at an age, how long it is, how old it is.

Lengths are in photo heights, ages in days of growth, angles in radians. Leaves follow each other at the golden angle; one
leaf grows along a logistic curve, and the rosette, whose later leaves are longer, grows until after day 46.
"""

import dataclasses
import math

import numpy as np

from components.sample_dataset.plan import BC, PLANT_STREAM, Series, random_generator

GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
MOST_LEAVES = 48
PLASTOCHRON = {"BC": 1.8, "LT": 1.35}  # days from one leaf to the next
LEAF_LENGTHS = {"BC": (0.033, 0.30), "LT": (0.0235, 0.27)}  # photo heights gained per leaf, and where the gain slows down


@dataclasses.dataclass(frozen=True)
class Plant:
    """What stays the same on all photos of a series."""

    species: str  # BC or LT
    red: float  # 0 for a green plant, 1 for the red-edged look of the shifted series
    turn: float  # direction of the first leaf
    handedness: int  # 1 or -1, the sense in which leaves follow each other
    centre: tuple[float, float]  # (x, y) of the stem from the middle of the photo
    size: float  # factor on all lengths
    tint: tuple[float, float, float]  # factors on red, green and blue of the leaves
    jitter: np.ndarray  # [MOST_LEAVES, 4] standard normal numbers: direction, length, bend, ruffle of each leaf
    ruffle_phase: np.ndarray  # [MOST_LEAVES] phase of each leaf's edge


@dataclasses.dataclass(frozen=True)
class Leaf:
    """One leaf as the camera sees it."""

    kind: str  # "cotyledon", "BC" or "LT"
    angle: float  # direction from the stem
    length: float  # as seen from above, stem to tip
    upright: float  # 1 for a leaf that points at the camera, 0 for a flat one; shortens `length` and lifts the tip
    youth: float  # 1 when it unfolds, falling to 0 for a leaf about 20 days old
    bend: float  # of its midrib
    ruffle: float  # of its edge
    phase: float  # of its edge's waves


def grow_plant(series: Series, seed: int) -> Plant:
    """Draws the traits of one series."""
    rng = random_generator(seed, PLANT_STREAM, *series.key, 0)
    return Plant(
        species=series.species,
        red=float(series.shifted),
        turn=rng.uniform(0, 2 * math.pi),
        handedness=int(rng.choice([-1, 1])),
        centre=(rng.normal(0, 0.012), rng.normal(0, 0.01)),
        size=rng.uniform(0.975, 1.025),
        tint=(rng.uniform(0.9, 1.1), rng.uniform(0.96, 1.04), rng.uniform(0.85, 1.15)),
        jitter=np.clip(rng.standard_normal((MOST_LEAVES, 4)), -2, 2),
        ruffle_phase=rng.uniform(0, 2 * math.pi, MOST_LEAVES),
    )


def leaves_at(plant: Plant, age: float, sway: np.ndarray) -> list[Leaf]:
    """Returns the leaves of a plant of `age` days of growth, lowest first, as they are painted.

    `sway` are [MOST_LEAVES] radians by which the air has turned each leaf.
    """
    leaves = [leaf for side in (0, 1) if (leaf := cotyledon(plant, age, side)) is not None]
    for index in range(min(MOST_LEAVES, 1 + int(max(0.0, age - 1.5) / PLASTOCHRON[plant.species]))):
        leaf_age = age - 1.5 - PLASTOCHRON[plant.species] * index
        if leaf_age > 0:
            leaves.append(true_leaf(plant, index, leaf_age, float(sway[index])))
    return leaves


def cotyledon(plant: Plant, age: float, side: int) -> Leaf | None:
    """The two seed leaves open first and are shed when they are 20 days old."""
    if not 0 < age < 20:
        return None
    length = 0.06 * plant.size * logistic((age - 2) / 1.2) * logistic((19 - age) / 0.6)
    angle = plant.turn + math.pi * (0.5 + side) + 0.15 * float(plant.jitter[side, 0])
    return Leaf("cotyledon", angle, length, 0.1, max(0.0, 1 - age / 12), 0.0, 0.0, float(plant.ruffle_phase[side]))


def true_leaf(plant: Plant, index: int, leaf_age: float, sway: float) -> Leaf:
    """Leaf `index` at `leaf_age` days; the one rule that ties what is seen to the day."""
    turn, stretch, bend, ruffle = plant.jitter[index].tolist()
    flatness = logistic((leaf_age - 4.5) / 2.0)
    slope, longest = LEAF_LENGTHS[plant.species]
    full_length = (0.17 + min(slope * index, longest + 0.4 * slope * index)) * plant.size
    grown = logistic((leaf_age - 6.0) / 2.4)
    upright = 1 - flatness * (0.86 if plant.species == BC else 0.93)
    return Leaf(
        kind=plant.species,
        angle=plant.turn + plant.handedness * GOLDEN_ANGLE * index + 0.09 * turn + sway,
        length=full_length * grown * (1 + 0.03 * stretch) * (1 - 0.5 * upright),
        upright=upright,
        youth=1 / (1 + (leaf_age / 9) ** 2.2),
        bend=0.10 * bend,
        ruffle=1 + 0.2 * ruffle,
        phase=float(plant.ruffle_phase[index]),
    )


def logistic(x: float) -> float:
    """Returns 1 / (1 + exp(-x))."""
    return 1 / (1 + math.exp(-x))
