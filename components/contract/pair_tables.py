"""A pair table as it lies on disk enters; a data frame of the right types leaves."""

from pathlib import Path

import pandas as pd

TEXT = ("pair_id", "species", "series", "before_image_id", "after_image_id")


def read_pair_table(path: Path) -> pd.DataFrame:
    """Returns train_pairs.csv or test_pairs.csv; names stay text, also where one looks like a number or is NA.

    Raises:
        FileNotFoundError: no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: missing. Expected the pair table of an earlier stage; run that stage first.")
    return pd.read_csv(path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False)
