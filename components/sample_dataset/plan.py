"""Plans the whole sample dataset, as dated photos and test pairs; nothing is drawn and no file is touched.

Every oddity of the challenge's data that the pipeline must live with is decided here, in `train_series` and `test_series`.
"""

import dataclasses
import itertools

import numpy as np

from components.contract.schema import TEST_FOLDER, TRAIN_FOLDER
from components.sample_dataset.settings import SampleDatasetSettings

BC, LT = "BC", "LT"  # bok choy, lettuce
CHALLENGE_TRAIN_LENGTHS = {  # 753 photos and, as in the challenge, 14,613 pairs
    BC: (38, 43, 38, 37, 43, 43, 39, 34, 38),
    LT: (37, 42, 39, 41, 41, 43, 40, 42, 35, 40),
}
TEST_FOLDERS = {BC: (1100, 1107), LT: (1003, 1021, 1088, 1089)}
CHALLENGE_TEST_LENGTHS = {BC: {1100: 37, 1107: 35, 1112: 34, 1125: 33}, LT: {1003: 38, 1021: 37, 1045: 37, 1088: 28, 1089: 28}}
SHIFTED_FOLDERS = (1088, 1089)
RATES = (0.8, 1.2)  # of train and test plants alike; in the challenge plants differ by more: see README.md of this stage
SHIFTS = (1.25, 1.7)  # by how much the shifted series grow faster, or by a coin's fall slower, than other plants
STALL_DAYS = 0.25  # of a series' span, in the train series that grows oddly
PLAN_STREAM, PLANT_STREAM, PHOTO_STREAM = range(3)  # first word of a SeedSequence's spawn key

PLANT, NOISE, BARE_SOIL = "plant", "noise", "bare soil"  # what a photo shows


@dataclasses.dataclass(frozen=True)
class Series:
    """One plant."""

    species: str  # BC or LT
    number: int  # 1 for BC_01; 1088 for the test folder of that name
    folder: str  # its folder inside the species' folder
    rate: float  # days of growth that the plant makes in a day
    first_age: float  # days of growth that it has on day 1
    stall: tuple[int, int]  # first and last day without growth; (0, 0) where there is none
    shifted: bool  # whether it looks like no train plant
    contents: dict[int, str] = dataclasses.field(hash=False)  # day -> what the photo of that day shows

    @property
    def key(self) -> tuple[int, int]:
        """What sets the plant's random generators apart from all others'."""
        return (BC, LT).index(self.species), self.number

    def age(self, day: int) -> float:
        """Returns the days of growth that the plant has made by `day`, in days of a plant of rate 1."""
        first, last = self.stall
        stalled = max(0, min(day, last) - first)
        return self.first_age + self.rate * (day - 1 - 0.85 * stalled)


@dataclasses.dataclass(frozen=True)
class Photo:
    """One file: the series, the day, what it shows, and its path below the dataset's root."""

    series: Series
    day: int
    content: str
    path: str


@dataclasses.dataclass(frozen=True)
class Plan:
    """Train photos, test photos, and the rows (before stem, after stem, days, oracle) of the test table in order of idx.

    The oracle sees the growth age of every plant and not its rate: its days are the ages' difference times the number that makes
    its expected square error least over RATES, E[rate] / E[rate squared].
    """

    train: tuple[Photo, ...]
    test: tuple[Photo, ...]
    test_pairs: tuple[tuple[str, str, int, float], ...]


def plan_dataset(settings: SampleDatasetSettings) -> Plan:
    """Returns what `settings` asks for."""
    rng = random_generator(settings.seed, PLAN_STREAM)
    train = tuple(
        Photo(series, day, content, f"{TRAIN_FOLDER}/{series.species}/{series.folder}/DAT{day:02d}.png")
        for series in train_series(settings, rng)
        for day, content in series.contents.items()
    )
    test = test_photos(test_series(settings, rng), rng)
    return Plan(train, test, draw_test_pairs(test, settings.test_pairs, rng))


def train_series(settings: SampleDatasetSettings, rng: np.random.Generator) -> list[Series]:
    """Series of different length with missing days; one BC that begins with noise and bare soil, one LT that stalls."""
    result = []
    for species in (BC, LT):
        if settings.challenge_counts:
            photos = np.array(CHALLENGE_TRAIN_LENGTHS[species])
            missing = rng.permutation(np.arange(len(photos)) % 4)
        else:
            spans = rng.permutation(np.rint(np.linspace(0.85, 1, settings.series_per_species) * settings.days).astype(int))
            missing = rng.permutation(np.minimum(np.arange(settings.series_per_species) % 4, spans // 5))
            photos = spans - missing
        late, odd = (round(fraction * (len(photos) - 1)) + 1 for fraction in (0.3, 0.7))
        for number, (kept, left_out) in enumerate(zip(photos.tolist(), missing.tolist(), strict=True), 1):
            span = kept + left_out
            contents = dict.fromkeys(draw_days(span, kept, rng), PLANT)
            if begins_late := (species == BC and number == late):
                contents |= {day: NOISE if rank == 0 else BARE_SOIL for rank, day in enumerate(list(contents)[:3])}
            stall = (round(0.35 * span), round((0.35 + STALL_DAYS) * span)) if (species == LT and number == odd) else (0, 0)
            rate = rng.uniform(*RATES)
            first_age = 1.0 if begins_late else rng.uniform(4.0, 6.0)
            result.append(Series(species, number, f"{species}_{number:02d}", rate, first_age, stall, False, contents))
    return result


def test_series(settings: SampleDatasetSettings, rng: np.random.Generator) -> list[Series]:
    """Unseen plants that grow as the train plants do, and LT 1088 and 1089, of another look and a shared shift."""
    result = []
    shift = float(np.exp(rng.uniform(*np.log(SHIFTS)) * rng.choice([-1, 1])))
    for species, folders in TEST_FOLDERS.items():
        lengths = CHALLENGE_TEST_LENGTHS[species] if settings.challenge_counts else dict.fromkeys(folders, 0)
        for number, length in lengths.items():
            shifted = number in SHIFTED_FOLDERS
            rate = shift * rng.uniform(0.97, 1.03) if shifted else rng.uniform(*RATES)
            whole = settings.days / max(rate, 1) if shifted else settings.days  # so that it does not outgrow the train plants
            span = length + 2 if length else round(whole * rng.uniform(0.85, 1))
            kept = length or span - int(rng.integers(0, min(4, span // 5 + 1)))
            contents = dict.fromkeys(draw_days(span, kept, rng), PLANT)
            result.append(Series(species, number, str(number), rate, rng.uniform(4.0, 6.0), (0, 0), shifted, contents))
    return result


def draw_days(span: int, kept: int, rng: np.random.Generator) -> list[int]:
    """Returns `kept` of the days 1..span in order; the first and the last are always among them."""
    inner = rng.choice(np.arange(2, span), size=kept - 2, replace=False)
    return [1, *sorted(inner.tolist()), span]


def test_photos(series: list[Series], rng: np.random.Generator) -> tuple[Photo, ...]:
    """Names the photos with numbers that say nothing about the day."""
    days = [(one, day, content) for one in series for day, content in one.contents.items()]
    numbers = (rng.permutation(len(days)) + 1).tolist()
    return tuple(
        Photo(one, day, content, f"{TEST_FOLDER}/{one.species}/{one.folder}/idx_{one.species}_{one.folder}_{number:05d}.png")
        for (one, day, content), number in zip(days, numbers, strict=True)
    )


def draw_test_pairs(photos: tuple[Photo, ...], count: int, rng: np.random.Generator) -> tuple[tuple[str, str, int, float], ...]:
    """Returns at most `count` different pairs, earlier photo first, of all series in chance order.

    `photos` are in order of series and day.
    """
    by_series = itertools.groupby(photos, key=lambda photo: photo.series.number)
    pairs = [pair for _, group in by_series for pair in itertools.combinations(group, 2)]
    chosen = rng.permutation(len(pairs))[:count]
    return tuple(
        (stem(first), stem(second), second.day - first.day, oracle_days(first, second))
        for first, second in (pairs[i] for i in chosen.tolist())
    )


def oracle_days(first: Photo, second: Photo) -> float:
    """Returns what the oracle answers, days: see Plan."""
    low, high = RATES
    mean, square = (low + high) / 2, (low * low + low * high + high * high) / 3  # of a uniform law
    return (second.series.age(second.day) - first.series.age(first.day)) * mean / square


def stem(photo: Photo) -> str:
    """Returns the file's name without folder and extension."""
    return photo.path.rsplit("/", 1)[-1].removesuffix(".png")


def random_generator(seed: int, *key: int) -> np.random.Generator:
    """Returns the generator of one purpose, so that no drawing depends on what was drawn before it or by which process."""
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=key))
