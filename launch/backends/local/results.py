"""Puts the submissions and the report of a run into its folder, and its scores into words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.contract import schema
from components.contract.artifacts import atomic_write
from components.contract.verdict import VERDICT
from components.contract.verified import read_bytes, read_json, read_single
from launch.backends.local.cache.stage_cache import GONE
from launch.runs.record import RESULTS, RunRecord

SCORES = (  # row, (baseline, raw, calibrated, oracle)
    ("validation", ("baseline_rmse_days", "validation_rmse_days", "validation_rmse_days_calibrated", "")),
    ("test", ("", "test_rmse_days_raw", "test_rmse_days_calibrated", "test_oracle_rmse_days")),
)


def collect_results(folder: Path, outputs: Mapping[str, Mapping[str, Any]], digests: Mapping[str, str]) -> dict[str, Any]:
    """Copies the submissions and the report of a run into its folder and returns its metrics, those of metrics.json.

    Args:
        outputs: stage name to artifact name to path; a stage that the run does not have gives no results.
        digests: path to SHA-256 of artifacts that are one file.

    Raises:
        ChangedError: a file is not what the stage wrote.
        FileNotFoundError: an artifact is gone.
    """
    for stage, output in RESULTS.keys() & {(stage, output) for stage, written in outputs.items() for output in written}:
        source = Path(outputs[stage][output])
        if not source.exists():
            raise FileNotFoundError(f"{source}: {GONE}")
        for name in RESULTS[stage, output]:
            if name == schema.INTERVALS_CSV and not (source / name).exists():
                continue  # scored with a calibration of an earlier version
            content = (
                read_bytes(source / name) if source.is_dir() else read_single(source, digests.get(outputs[stage][output]), stage)
            )
            with atomic_write(folder / name) as target:
                target.write_bytes(content)
    if "calibrate" not in outputs:
        return {}
    return read_json(Path(outputs["calibrate"]["submission"], schema.METRICS_JSON))


def shown_results(folder: Path) -> list[Path]:
    """Returns the submissions and the page in a run's folder, those that are there."""
    names = sorted(name for names in RESULTS.values() for name in names if name.endswith((".csv", ".html")))
    return [folder / name for name in names if (folder / name).exists()]


def validation_scores(record: RunRecord) -> dict[str, Any]:
    """Returns the validation metrics of a run that trained and went no further: what calibrate would have made of them."""
    folders = [Path(entry.outputs["out_of_fold"]) for entry in record.stages if entry.stage == "train"]
    if not folders:
        return {}
    from components.calibrate.linear import floor_days
    from components.calibrate.tables import RAW, read_out_of_fold
    from components.calibrate.verdict import judge_validation
    from components.contract.scores import rmse_days

    pairs = read_out_of_fold(folders)
    raw = pairs[RAW].to_numpy()
    pairs[RAW] = floor_days(raw)
    columns = {"baseline_rmse_days": "baseline_days", "validation_rmse_days": RAW}
    scores = {name: rmse_days(pairs[column], pairs["time_delta_days"]) for name, column in columns.items()}
    found = judge_validation(pairs, int((raw <= 0).sum()))
    return scores | ({VERDICT: found} if found else {})


def score_table(metrics: Mapping[str, float]) -> str:
    """Returns the headline metrics as a table: RMSE in days of the baseline, the raw and the calibrated predictions.

    Of the sample dataset also of its oracle, who sees each plant's age: what is possible where nothing else is known.
    """
    oracle = metrics.get(SCORES[-1][1][-1]) is not None
    lines = [f"{'RMSE in days':<14}{'baseline':>10}{'raw':>10}{'calibrated':>12}{'oracle' if oracle else '':>9}".rstrip()]
    for row, names in SCORES:
        shown = [f"{metrics[name]:.2f}" if metrics.get(name) is not None else "-" for name in names]
        lines.append(f"{row:<14}{shown[0]:>10}{shown[1]:>10}{shown[2]:>12}{shown[3] if oracle else '':>9}".rstrip())
    return "\n".join(lines)
