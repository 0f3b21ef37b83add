"""What the synthetic dataset looks like: how many plants, days and pairs, how large a photo, which seed."""

import dataclasses

from components.settings import MOST_SEED, SEED_BITS, Settings, parameter


@dataclasses.dataclass(frozen=True, kw_only=True)
class SampleDatasetSettings(Settings):
    """Synthetic plants in the challenge's layout; the defaults make a small set in seconds.

    Raises:
        ValueError: a value out of bounds, or a count given beside `challenge_counts`, which would ignore it.
    """

    series_per_species: int = parameter(10, "Train series of each of the two species.", at_least=2, at_most=99)
    days: int = parameter(30, "Days of the longest series.", unit="days", at_least=8, at_most=46)
    width: int = parameter(328, "Width of a photo.", unit="px", at_least=16, at_most=6560)
    height: int = parameter(246, "Height of a photo.", unit="px", at_least=16, at_most=4928)
    test_pairs: int = parameter(
        300,
        "Rows of the test table; all pairs where the test series have fewer.",
        at_least=1,
        at_most=10_000_000,
        why="each is a row of a table in memory",
    )
    seed: int = parameter(
        0, "Seed of everything drawn by chance; same seed, same bytes.", at_least=0, at_most=MOST_SEED, why=SEED_BITS
    )
    challenge_counts: bool = parameter(False, "The challenge's own numbers of series and photos: 753 to train, 307 to test.")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("series_per_species", "days"):
            default = type(self).__dataclass_fields__[name].default
            if self.challenge_counts and getattr(self, name) != default:
                raise ValueError(
                    f"{name}={getattr(self, name)} would be ignored: challenge_counts=True sets the lengths of all series; "
                    f"leave {name} out, or set challenge_counts=False."
                )


FULL = SampleDatasetSettings(challenge_counts=True, width=3280, height=2464, test_pairs=3960)
