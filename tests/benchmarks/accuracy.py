"""Measures how accurate verdelta is on synthetic plants, beside the winner's recipe and beside what is possible.

`make accuracy` trains on several seeds of the sample dataset, a model on each core at a time, and prints the tables of
docs/accuracy.md. What was trained is kept under --work, so that it can be interrupted.
"""

import argparse
import functools
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.calibrate.calibrate import calibrate
from components.calibrate.few_labels import apply_few_labels
from components.calibrate.linear import apply_lines, fit_lines, floor_days
from components.calibrate.settings import CalibrateSettings
from components.calibrate.tables import CALIBRATED, read_out_of_fold
from components.contract import schema
from components.contract.scores import rmse_days
from components.contract.tables.stage_tables import read_table
from components.sample_dataset.plan import SHIFTED_FOLDERS, plan_dataset
from components.sample_dataset.settings import SampleDatasetSettings
from launch.runs.parameters import parse
from launch.runs.presets import winner_calibration
from tests.benchmarks.accuracy_trainings import (
    Dataset,
    Trained,
    cores_in_turn,
    equal_passes,
    equal_seconds,
    recipe,
    trained,
)

FOLDS = 5
RESAMPLINGS = 20
LABELS = 3  # of a series
DAILY = {"cadence_days": 1.0}


def answers(dataset: Dataset, models: Sequence[Trained], **settings: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Calibrates what models predict; returns the intervals' table with `true`, `oracle`, `shifted`, and the calibration."""
    with tempfile.TemporaryDirectory() as folder:
        calibrate(
            catalog=dataset.place("catalog"),
            predictions=[model.predictions for model in models],
            out_of_fold=[model.root / "out_of_fold" for model in models],
            submission=Path(folder),
            settings=CalibrateSettings(**settings),
        )
        table = read_table(Path(folder, schema.INTERVALS_CSV), schema.INTERVALS_COLUMNS).set_index("idx").sort_index()
        calibration = json.loads(Path(folder, schema.CALIBRATION_JSON).read_text(encoding="utf-8"))
    pairs = plan_dataset(SampleDatasetSettings(seed=dataset.seed)).test_pairs  # in the order of idx
    true, oracle = ([pair[place] for pair in pairs] for place in (2, 3))
    shifted = table["series"].str.endswith(tuple(map(str, SHIFTED_FOLDERS)))
    return table.assign(true=true, oracle=oracle, shifted=shifted), calibration


def ordinary(dataset: Dataset, models: Sequence[Trained], **settings: Any) -> float:
    """RMSE in days over the ordinary test series."""
    return rmse(answers(dataset, models, **settings)[0].query("not shifted"))


def rmse(table: pd.DataFrame, column: str = "time_delta") -> float:
    """RMSE in days of a column of `answers`."""
    return rmse_days(table[column], table["true"])


def against_the_recipe(dataset: Dataset, ours: Trained) -> dict[str, float]:
    """Ordinary series: the recommended settings beside the recipe, which has as many backbone passes."""
    rival = recipe(dataset, equal_passes(ours))
    row = {
        "oracle": rmse(answers(dataset, [ours])[0].query("not shifted"), "oracle"),
        "smoke": ordinary(dataset, [ours], **DAILY),
        "recipe": ordinary(dataset, [rival]),
        "recipe, its rules": ordinary(dataset, [rival], **winner_calibration()),
    }
    ratios = {f"smoke / {name}": row["smoke"] / row[name] for name in ("oracle", "recipe")}
    return {**row, **ratios, "seconds, recipe / smoke": rival.cpu_seconds / ours.cpu_seconds}


def ablation(dataset: Dataset, ours: Trained) -> dict[str, float]:
    """Ordinary series: the recommended settings, and each step of them taken away in turn."""
    return {
        "smoke": ordinary(dataset, [ours], **DAILY),
        "without cadence": ordinary(dataset, [ours]),
        "one view": ordinary(dataset, [trained(dataset, views=1)], **DAILY),
        "one view, without cadence": ordinary(dataset, [trained(dataset, views=1)]),
    }


def changed_settings(dataset: Dataset, ours: Trained, changed: Mapping[str, Any]) -> dict[str, float]:
    """The recommended settings, and the same but for `changed` of train's; a cadence where both heads can have one."""
    models = {"smoke": ours, "changed": trained(dataset, **changed)}
    ways = {"test": {}} | ({"test, cadence": DAILY} if changed.get("head", "dates") == "dates" else {})
    row = {f"validation, {name}": float(model.counts["validation_rmse_days"]) for name, model in models.items()}
    for way, settings in ways.items():
        row |= {f"{way}, {name}": ordinary(dataset, [model], **settings) for name, model in models.items()}
    return row


def equal_time(dataset: Dataset, ours: Trained) -> dict[str, float]:
    """Ordinary series: the recommended settings beside the recipe, which has as many seconds of the processor."""
    rival = recipe(dataset, equal_seconds(ours, recipe(dataset, equal_passes(ours))))
    row = {"smoke": ordinary(dataset, [ours], **DAILY), "recipe": ordinary(dataset, [rival])}
    return {
        **row,
        "smoke / recipe": row["smoke"] / row["recipe"],
        "seconds, recipe / smoke": rival.cpu_seconds / ours.cpu_seconds,
    }


def shifted_series(dataset: Dataset, ours: Trained) -> dict[str, float]:
    """The two series that look and grow otherwise, how sure the answers are, and which series are told to be unusual."""
    (raw, calibration), (daily, _) = (answers(dataset, [ours], **settings) for settings in ({}, DAILY))
    odd, plain = raw["shifted"], ~raw["shifted"]
    row = {"raw": rmse(raw[odd]), "cadence": rmse(daily[odd])}
    row["cadence / raw"] = row["cadence"] / row["raw"]
    row[f"{LABELS} labels"] = labelled(raw[odd], calibration["series_law"])
    for name, rows in (("ordinary", plain), ("shifted", odd)):
        row[f"{name} inside, %"] = 100 * float(daily[rows].eval("low_days <= true <= high_days").mean())
    unusual = raw.groupby("series")[["drift", "shifted"]].first().query(f"drift > {schema.UNUSUAL_DRIFT}")["shifted"]
    return {**row, "found": float(unusual.sum()), "false alarms": float((~unusual).sum())}


def labelled(table: pd.DataFrame, law: dict[str, float]) -> float:
    """RMSE in days over the pairs without a label, of series that have LABELS each, drawn anew RESAMPLINGS times."""
    errors = []
    for number in range(RESAMPLINGS):
        test = table.reset_index().rename(columns={"time_delta": CALIBRATED})
        known = test.groupby("series").sample(LABELS, random_state=number)
        apply_few_labels(test, known.set_index("idx")["true"].astype("float64"), law)
        rest = test.drop(known.index)
        errors.append(rmse_days(rest[CALIBRATED], rest["true"]))
    return float(np.mean(errors))


def fitted(dataset: Dataset, ours: Trained) -> dict[str, float]:
    """Ordinary series: calibration=fit of one fold's held-out series, beside none."""
    none, fit = (ordinary(dataset, [ours], **settings) for settings in ({}, {"calibration": "fit"}))
    return {"none": none, "fit": fit, "fit / none": fit / none}


def resampled_fits(dataset: Dataset, models: Sequence[Trained]) -> dict[str, float]:
    """calibration=fit on half of each species' held-out series, beside none, on the other half and on the test's ordinary ones.

    Halves, as a series drawn twice would be taken for two that agree.
    """
    held_out = read_out_of_fold([model.root / "out_of_fold" for model in models])
    held_out["prediction_days"] = floor_days(held_out["prediction_days"].to_numpy())
    test = answers(dataset, models)[0].query("not shifted")
    ratios: dict[str, list[float]] = {"other half": [], "test": []}
    for number in range(RESAMPLINGS):
        rng = np.random.default_rng(number)
        drawn = [rng.choice(names, len(names) // 2, replace=False) for names in held_out.groupby("species")["series"].unique()]
        is_drawn = held_out["series"].isin(np.concatenate(drawn))
        rows, others = held_out[is_drawn], held_out[~is_drawn]
        lines = fit_lines(rows["prediction_days"].to_numpy(), rows["time_delta_days"].to_numpy("float64"), rows)
        for name, table, days, true in (
            ("other half", others, "prediction_days", "time_delta_days"),
            ("test", test, "time_delta", "true"),
        ):
            plain = table[days].to_numpy("float64")
            fit = floor_days(apply_lines(plain, table, lines))
            ratios[name].append(rmse_days(pd.Series(fit), table[true]) / rmse_days(pd.Series(plain), table[true]))
    return {
        f"{name}, {what}": float(tell(ratios[name])) for name in ratios for what, tell in (("median", np.median), ("worst", max))
    }


def show(title: str, rows: dict[int, dict[str, float]]) -> None:
    """Prints a table: a row per seed, their mean and their standard deviation."""
    table = pd.DataFrame.from_dict(rows, orient="index")
    table = pd.concat([table, table.agg(["mean", "std"])]).round(2).rename_axis("seed").reset_index()
    print(f"\n{title}\n", "|".join(["", *table.columns, ""]), "|---" * len(table.columns) + "|", sep="\n")
    for values in table.astype(str).itertuples(index=False):
        print("|".join(["", *values, ""]))


def all_folds(dataset: Dataset) -> dict[str, float]:
    """Ordinary series, all folds averaged; and how many pairs of held-out series are inside intervals for 90 %, by species."""
    models = [trained(dataset, fold=fold) for fold in range(FOLDS)]
    row = {"one fold": ordinary(dataset, models[:1])}
    for name, settings in (("", {}), (", cadence", DAILY)):
        found, calibration = answers(dataset, models, **settings)
        row[f"all folds{name}"] = rmse(found.query("not shifted"))
        inside = calibration["intervals"]["held_out_coverage"]
        row |= {f"{species} inside{name}, %": 100 * share for species, share in sorted(inside.items())}
    return row


def all_folds_fitted(dataset: Dataset) -> dict[str, float]:
    """calibration=fit / none: of all folds on the ordinary series, and over halves of their held-out series."""
    models = [trained(dataset, fold=fold) for fold in range(FOLDS)]
    none, fit = (ordinary(dataset, models, **settings) for settings in ({}, {"calibration": "fit"}))
    return {"all series": fit / none, **resampled_fits(dataset, models)}


def train_everything(datasets: Sequence[Dataset], changes: Sequence[Mapping[str, Any]], options: argparse.Namespace) -> None:
    """Trains what the tables are about and is not there yet, each model on a core of its own."""
    with cores_in_turn(options.work / "trainings.log") as pool:
        ours = [pool.submit(trained, dataset) for dataset in datasets]
        rivals, rest = [], []
        for dataset, made in zip(datasets, ours, strict=True):
            model = made.result()
            rivals.append(pool.submit(recipe, dataset, equal_passes(model)))
            rest += [pool.submit(trained, dataset, **changed) for changed in changes]
            rest.append(pool.submit(trained, dataset, views=1))
        rest += [pool.submit(trained, dataset, fold=fold) for dataset in datasets[: options.folds] for fold in range(1, FOLDS)]
        if options.letter:
            rest.append(pool.submit(recipe, datasets[0], equal_passes(ours[0].result()), to_the_letter=True))
        for dataset, made, rival in zip(datasets, ours, rivals, strict=True):
            steps = equal_seconds(made.result(), rival.result())
            rest += [pool.submit(recipe, dataset, steps)] if options.seconds else []
        for made in rest:
            made.result()


def main() -> None:
    """Trains what is not trained yet, and prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.accuracy", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/.accuracy"), help="where trainings are kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--style", choices=("top", "side"), default="top", help="the sample's own drawing, or another one")
    parser.add_argument(
        "--set", nargs="+", action="append", default=[], metavar="NAME=VALUE", help="trains with these changed, too"
    )
    parser.add_argument("--seconds", action="store_true", help="the recipe at equal seconds, too")
    parser.add_argument("--folds", type=int, default=0, metavar="SEEDS", help="all folds of so many seeds, too")
    parser.add_argument("--letter", action="store_true", help="the recipe to the letter, too, on the first seed")
    options = parser.parse_args()
    started = time.monotonic()
    datasets = {seed: Dataset(options.work / f"{options.style}-{seed}", options.style, seed) for seed in options.seeds}
    changes = [parse(texts) for texts in options.set]
    train_everything(list(datasets.values()), changes, options)
    ours = {seed: trained(dataset) for seed, dataset in datasets.items()}
    tables: list[tuple[str, Callable[[Dataset, Trained], dict[str, float]]]] = [
        ("Ordinary test series, RMSE in days", against_the_recipe),
        ("Each step taken away, ordinary test series, RMSE in days", ablation),
        ("Shifted test series, RMSE in days", shifted_series),
        ("calibration=fit on one fold's held-out series, ordinary test series, RMSE in days", fitted),
    ]
    tables += [("Ordinary test series at equal seconds, RMSE in days", equal_time)] if options.seconds else []
    for changed in changes:
        title = f"`smoke` with {', '.join(f'{name}={value}' for name, value in changed.items())}, RMSE in days"
        tables.append((title, functools.partial(changed_settings, changed=changed)))
    for title, measure in tables:
        show(title, {seed: measure(dataset, ours[seed]) for seed, dataset in datasets.items()})
    if whole := options.seeds[: options.folds]:
        show("All folds averaged, ordinary test series, RMSE in days", {seed: all_folds(datasets[seed]) for seed in whole})
        title = f"calibration=fit / none: all folds, and fitted on {RESAMPLINGS} halves of their held-out series"
        show(title, {seed: all_folds_fitted(datasets[seed]) for seed in whole})
    if options.letter:
        seed = options.seeds[0]
        days = recipe(datasets[seed], equal_passes(ours[seed]), to_the_letter=True).counts["validation_rmse_days"]
        print(f"\nThe recipe to the letter at equal passes, seed {seed}: {days:.2f} days in validation")
    print(f"\n{(time.monotonic() - started) / 60:.0f} minutes, {sum(os.times()[:4]) / 60:.0f} of the processor's")


if __name__ == "__main__":
    main()
