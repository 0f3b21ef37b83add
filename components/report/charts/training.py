"""Draws the RMSE of a run's models over epochs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from components.report.charts.geometry import HEIGHT, WIDTH, Axis, Chart, Dot, Key, Path, Text, axis, line, spaced, y_axis

HISTORY_COLUMNS = (("rmse_days", "train"), ("val_rmse_days", "validation"))  # the name is the colour's CSS class, too
Curve = tuple[int, str, pd.Series, pd.Series]  # fold, name, epochs, days


def training_curve(histories: Sequence[tuple[int, pd.DataFrame]], baseline: float) -> Chart | None:
    """Train and validation RMSE over epochs, one line of each per fold; None where no history has either."""
    curves: list[Curve] = [
        (fold, name, history["epoch"], history[column])
        for fold, history in histories
        for column, name in HISTORY_COLUMNS
        if column in history and history[column].notna().any()
    ]
    if not curves:
        return None
    epochs = max(int(history["epoch"].max()) for _, history in histories)
    x = axis("epoch", min(1, epochs - 1), epochs, 40, WIDTH - 64, least_step=1)
    y = y_axis("RMSE in days", 0, max(baseline, *(float(days.max()) for *_, days in curves)))
    marks: list[Path | Dot | Text] = [line(x, y, [x.low, x.high], [baseline, baseline], "reference", "guessing the mean")]
    marks.append(Text(x.end, y.at(baseline) - 5, "guessing the mean", "muted small", "end"))
    for fold, name, epoch, days in curves:
        marks.append(line(x, y, list(epoch), list(days), name, f"fold {fold}, {name}"))
        marks += [
            Dot(x.at(at), y.at(value), name, f"fold {fold}, epoch {at}, {name}: {value:.2f} days", 3)
            for at, value in zip(epoch, days, strict=True)
            if np.isfinite(value) and len(days) <= 3
        ]
    marks += fold_labels(x, y, [curve for curve in curves if curve[1] == "validation"] or curves)
    names = dict.fromkeys(name for _, name, *_ in curves)
    return Chart(
        title="RMSE by epoch", note="", x=x, y=y, marks=marks,
        keys=[Key(f"line {name}", name) for name in names],
    )  # fmt: skip


def fold_labels(x: Axis, y: Axis, curves: Sequence[Curve]) -> list[Text]:
    """Names the fold at the end of each line, the labels moved apart."""
    ends = [(fold, epoch[days.notna()].iloc[-1], days.dropna().iloc[-1]) for fold, _, epoch, days in curves]
    heights = spaced([y.at(value) + 4 for _, _, value in ends], 14, HEIGHT - 46)
    return [Text(x.at(at) + 9, height, f"fold {fold}", "small") for (fold, at, _), height in zip(ends, heights, strict=True)]
