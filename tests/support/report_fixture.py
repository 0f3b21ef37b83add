"""A whole made-up run, as the stages before report leave it: drawn plants, and predictions with a known kind of error."""

import dataclasses
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from components.contract import schema

FACTORS = {"BC": 1.05, "LT": 1.10}
RULES = [{"species": "LT", "factor": 1.10}, {"species": "BC", "factor": 1.05}, {"series": "LT_1088", "factor": 0.65}]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FakeRun:
    """What the made-up run is like; `write` makes its folders below `root`."""

    root: Path
    folds: tuple[int, ...] = (0, 1)
    num_folds: int = 3
    train_series: tuple[tuple[str, str], ...] = (
        ("BC", "BC_01"), ("BC", "BC_02"), ("BC", "BC_03"), ("LT", "LT_01"), ("LT", "LT_02"), ("LT", "LT_03"),
    )  # fmt: skip
    test_series: tuple[tuple[str, str], ...] = (("BC", "BC_1100"), ("LT", "LT_1003"), ("LT", "LT_1088"))
    photos: int = 7
    size: int = 64
    test_pairs: int = 40
    epochs: int = 4
    labels: bool = True
    calibration: str = "rules"
    history_columns: tuple[str, ...] = ("loss", "rmse_days", "val_rmse_days", "learning_rate", "seconds")
    skipped: tuple[tuple[str, str], ...] = ()

    def write(self) -> "FakeRun":
        """Writes every artifact folder and returns itself."""
        rng = np.random.default_rng(7)
        catalog = self.write_photos(rng)
        train = self.write_train_pairs(catalog)
        test, labels = self.write_test_pairs(catalog, rng)
        self.write_models()
        self.write_submission(train, test, labels, rng)
        self.hand_on("tables", ["catalog", "pairs", "folded_pairs"])
        self.hand_on("submission", [f"{name}_{fold}" for name in ("models", "predictions") for fold in self.folds])
        return self

    def arguments(self) -> dict:
        """The keyword arguments of write_report, but for the settings."""
        root = self.root
        inputs = {name: root / name for name in ("images", "tables", "submission")}
        return {**inputs, "html": root / "out" / "report.html", "summary": root / "out" / "summary.md"}

    def write_photos(self, rng: np.random.Generator) -> pd.DataFrame:
        rows = []
        for split, series in (("train", self.train_series), ("test", self.test_series)):
            for number, (species, name) in enumerate(series):
                rate = 0.8 + 0.5 * rng.random()
                for photo in range(self.photos):
                    day = 1 + photo * max(1, 30 // self.photos)
                    stem = f"DAT{day:02d}" if split == "train" else f"idx_{name}_{photo * 37 % 997:05d}"
                    path = f"{split}_dataset/{species}/folder_{number}/{stem}.jpg"
                    draw_plant(self.root / "images" / path, self.size, species, min(1.0, rate * day / 30), 31 * number)
                    rows.append((f"{split}/{name}/{stem}", split, species, name, day if split == "train" else None, path, day))
        table = pd.DataFrame(rows, columns=[*schema.IMAGES_COLUMNS, "true_day"])
        table["day"] = table["day"].astype("Int64")
        self.save(table[list(schema.IMAGES_COLUMNS)], "tables", schema.IMAGES_CSV)
        settings = {"image_size": self.size, "jpeg_quality": 75, "on_bad_photo": "skip"}
        counts = {"photos": len(table), "series": table["series"].nunique(), "first_photo_width": 328, "first_photo_height": 246}
        self.record("catalog", "resize_images", settings, counts, self.skipped)
        return table

    def write_train_pairs(self, catalog: pd.DataFrame) -> pd.DataFrame:
        rows = []
        for number, (species, name) in enumerate(self.train_series):
            photos = catalog[catalog["series"] == name].to_dict("records")
            for before, after in itertools.combinations(photos, 2):
                delta = after["true_day"] - before["true_day"]
                pair_id = schema.PAIR_ID.format(len(rows))
                rows.append((pair_id, species, name, before["image_id"], after["image_id"], delta, number % self.num_folds))
        table = pd.DataFrame(rows, columns=list(schema.FOLDED_PAIRS_COLUMNS))
        self.save(table.sample(frac=1.0, random_state=34), "tables", schema.TRAIN_PAIRS_CSV)
        self.record("folded_pairs", "split_folds", {"num_folds": self.num_folds, "shuffle_seed": 34}, {"train_pairs": len(table)})
        return table

    def write_test_pairs(self, catalog: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
        choices = []
        for species, name in self.test_series:
            photos = catalog[catalog["series"] == name].to_dict("records")
            choices += [(species, name, before, after) for before, after in itertools.combinations(photos, 2)]
        chosen = [choices[number] for number in rng.permutation(len(choices))[: self.test_pairs]]
        rows = [
            (schema.PAIR_ID.format(idx), idx, species, name, before["image_id"], after["image_id"])
            for idx, (species, name, before, after) in enumerate(chosen)
        ]
        table = pd.DataFrame(rows, columns=list(schema.TEST_PAIRS_COLUMNS))
        deltas = [after["true_day"] - before["true_day"] for _, _, before, after in chosen]
        labels = pd.DataFrame({"idx": table["idx"], "time_delta": deltas})
        self.save(table, "tables", schema.TEST_PAIRS_CSV)
        self.record("pairs", "generate_pairs", {}, {"test_pairs": len(table)})
        if self.labels:
            self.save(labels, "catalog", schema.TEST_LABELS_CSV)
        return table, labels

    def write_models(self) -> None:
        self.record("tables", "write_tfrecords", {"layout": "images", "num_shards": 1}, {"images": 60, "bytes": 1_234_567})
        for position, fold in enumerate(self.folds):
            settings = {"fold": fold, "encoder": "B0", "dim": 64, "epochs": self.epochs, "learning_rate": 0.001}
            self.record(f"models_{fold}", "train", settings, {"steps": 640, "parameters": 9_876_543, "seconds": 71.25 + fold})
            epoch = np.arange(self.epochs)
            values = {
                "loss": 60 * 0.7**epoch,
                "rmse_days": np.round(1.6 + 6.3 * 0.86**epoch + 0.1 * position, 3),
                "val_rmse_days": np.round(2.1 + 5.6 * 0.84**epoch + 0.3 * np.abs(np.sin(epoch + 2 * position)), 3),
                "learning_rate": 0.001 * np.ones(self.epochs),
                "seconds": 7.5 * np.arange(1, self.epochs + 1),  # since training began
            }
            history = pd.DataFrame({"epoch": epoch + 1, **{name: values[name] for name in self.history_columns}})
            self.save(history, f"histories_{fold}", schema.HISTORY_CSV)
            self.save(history, "submission", f"history-{position}.csv")

    def write_submission(self, train: pd.DataFrame, test: pd.DataFrame, labels: pd.DataFrame, rng: np.random.Generator) -> None:
        by_model = []
        for fold in self.folds:
            days = labels["time_delta"] * test["species"].map({"LT": 0.88}).fillna(0.93) + rng.normal(0, 1.2, len(test)) + 0.3
            days = days * np.where(test["series"] == "LT_1088", 1.4, 1.0)
            table = test[["pair_id", "idx", "species", "series"]].assign(prediction_days=days, view_0=days)
            self.save(table, f"predictions_{fold}", schema.PREDICTIONS_CSV)
            settings = {"tta_views": 1, "prediction_batch_size": 32}
            self.record(f"predictions_{fold}", "predict", settings, {"test_pairs": len(test)})
            by_model.append(days)
        raw = np.mean(by_model, axis=0)
        raw = np.where(raw <= 0, 1.0, raw)
        submission = pd.DataFrame({"idx": test["idx"], "time_delta": raw})
        self.save(submission, "submission", schema.SUBMISSION_RAW_CSV)
        self.save(submission.assign(time_delta=raw * self.factors(test)), "submission", schema.SUBMISSION_CALIBRATED_CSV)
        both = {"idx": test["idx"], "prediction_days": raw, "calibrated_days": raw * self.factors(test)}
        spread = {"lowest_days": np.min(by_model, axis=0), "highest_days": np.max(by_model, axis=0)}
        known = {"true_days": labels["time_delta"]} if self.labels else {}
        self.save(pd.DataFrame({**both, **spread, **known}), "submission", "test_calibrated.csv")

        held_out = train[train["fold"].isin(self.folds)]
        means = {fold: train.loc[train["fold"] != fold, "time_delta_days"].mean() for fold in self.folds}
        slope = held_out["species"].map({"LT": 0.88}).fillna(0.93)
        days = held_out["time_delta_days"] * slope + rng.normal(0, 0.6 + 0.05 * held_out["time_delta_days"]) + 0.2
        odd = held_out["series"] == self.train_series[-1][1]
        out_of_fold = held_out[["pair_id", "species", "series", "fold", "time_delta_days"]].assign(
            baseline_days=held_out["fold"].map(means), prediction_days=days * np.where(odd, 0.8, 1.0)
        )
        out_of_fold["calibrated_days"] = out_of_fold["prediction_days"] * self.factors(held_out)
        self.save(out_of_fold, "submission", "out_of_fold_calibrated.csv")
        rules = RULES if self.calibration == "rules" else []
        settings = {"calibration": self.calibration, "calibration_rules": rules}
        self.record("submission", "calibrate", settings, {"test_pairs": len(test)})
        (self.root / "submission" / schema.CALIBRATION_JSON).write_text(json.dumps({"mode": self.calibration, "rules": rules}))

    def factors(self, pairs: pd.DataFrame) -> np.ndarray:
        if self.calibration == "none":
            return np.ones(len(pairs))
        return pairs["species"].map(FACTORS).fillna(1.0).to_numpy() * np.where(pairs["series"] == "LT_1088", 0.65, 1.0)

    def save(self, table: pd.DataFrame, folder: str, name: str) -> None:
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        table.to_csv(self.root / folder / name, index=False)

    def record(self, folder: str, stage: str, settings: dict, counts: dict, skipped: tuple[tuple[str, str], ...] = ()) -> None:
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        found = {"stage": stage, "settings": settings, "counts": counts, "skipped": [{"what": a, "why": b} for a, b in skipped]}
        (self.root / folder / schema.STAGE_RECORD).write_text(json.dumps(found))

    def hand_on(self, folder: str, others: list[str]) -> None:
        records = [json.loads((self.root / other / schema.STAGE_RECORD).read_text()) for other in others]
        (self.root / folder / "records.json").write_text(json.dumps({"records": records}))


def draw_plant(path: Path, size: int, species: str, growth: float, turn: float) -> None:
    """Draws a rosette seen from above: few broad leaves for BC, many frilly ones for anything else."""
    photo = Image.new("RGB", (size, size), (74 + int(turn) % 20, 60, 48))
    draw = ImageDraw.Draw(photo)
    draw.ellipse((size * 0.06, size * 0.06, size * 0.94, size * 0.94), fill=(96, 78, 62))
    leaves = 3 + int(growth * (5 if species == "BC" else 11))
    for leaf in range(leaves):
        angle = math.radians(turn + 137.5 * leaf)
        reach = size * 0.4 * growth * (1 - 0.5 * leaf / leaves) + 1
        x, y, wide = size / 2 + reach * 0.6 * math.cos(angle), size / 2 + reach * 0.6 * math.sin(angle), reach * 0.5
        green = (60 + 3 * leaf, 130 + 6 * leaf, 60) if species == "BC" else (120 + 6 * leaf, 165 + 5 * leaf, 80)
        draw.ellipse((x - wide, y - wide, x + wide, y + wide), fill=green, outline=(40, 100, 50))
    path.parent.mkdir(parents=True, exist_ok=True)
    photo.save(path, quality=85)
