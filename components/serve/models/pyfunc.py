"""Answers for a table of pairs, as MLflow loads models: a bundle behind its python_function flavor.

MLflow's own server, its batch jobs and `mlflow.pyfunc.load_model` then need to know nothing of photos.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.serve.models.bundle import read_bundle
from components.serve.models.predictor import Predictor

if TYPE_CHECKING:
    import pandas as pd

WORDS = ("species", "series")  # columns that may be left out


class PairsModel:
    """Models that are loaded, and asked by tables."""

    def __init__(self, folder: Path) -> None:
        self.predictor = Predictor(read_bundle(str(folder), folder))

    def predict(self, model_input: "pd.DataFrame", params: dict[str, Any] | None = None) -> "pd.DataFrame":  # noqa: ARG002
        """Returns `days`, `raw_days` and `calibration` of each row. Raises ValueError: no such column, or no photo.

        Args:
            model_input: columns `before` and `after`, the bytes of a PNG or JPEG each; optional `species` and `series`.
            params: of MLflow's interface; none is known.
        """
        import pandas as pd  # it takes a while, and nothing else here needs it

        missing = {"before", "after"} - set(model_input.columns)
        if missing:
            raise ValueError(f"columns {list(model_input.columns)}: expected before and after, the bytes of photos.")
        named = [
            (f"row {row}, {column}", bytes(content))
            for column in ("before", "after")
            for row, content in zip(model_input.index, model_input[column], strict=True)
        ]
        photos = self.predictor.photos(named)
        words = [model_input[word].fillna("") if word in model_input else [""] * len(model_input) for word in WORDS]
        pairs = zip(photos[: len(model_input)], photos[len(model_input) :], strict=True)
        answers = [
            self.predictor.between([pair], species, series)[0] for pair, species, series in zip(pairs, *words, strict=True)
        ]
        found = [{"days": each.days, "raw_days": each.raw_days, "calibration": each.calibration} for each in answers]
        return pd.DataFrame(found, index=model_input.index, columns=["days", "raw_days", "calibration"])


def _load_pyfunc(path: str) -> PairsModel:
    """Returns the model in a folder; MLflow calls it by this name."""
    return PairsModel(Path(path))
