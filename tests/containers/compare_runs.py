"""Two finished runs of the same data, one of them in containers: says whether their data and their predictions are equal.

python tests/containers/compare_runs.py RUN_FOLDER OTHER_RUN_FOLDER
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DATA_STAGES = ("resize_images", "generate_pairs", "split_folds", "write_tfrecords")
SUBMISSIONS = ("submission_raw.csv", "submission_calibrated.csv")
# of the stages whose record holds a time: what the network gave, as it is, while a submission is floored and calibrated
PREDICTED = {("train", "out_of_fold"): "out_of_fold.csv", ("predict", "predictions"): "predictions.csv"}


def main(one: str, other: str) -> int:
    """Prints a line for each artifact that is compared and returns 1 where any differs, or where there is nothing to compare."""
    records = [json.loads(Path(folder, "run.json").read_text(encoding="utf-8")) for folder in (one, other)]
    needed = {*DATA_STAGES, *(stage for stage, _ in PREDICTED)}
    for record in records:
        if record["state"] != "SUCCEEDED" or needed - {stage["stage"] for stage in record["stages"]}:
            print(f"{record['name']} is {record['state']}; both runs must have succeeded, and have gone through {sorted(needed)}")
            return 1
    written = [{uri for stage in record["stages"] for uri in stage["outputs"].values()} for record in records]
    if shared := written[0] & written[1]:
        print(f"each run must have made all that it shows, and these are of both: {sorted(shared)}")
        return 1
    left, right = (dict(compared(Path(folder), record)) for folder, record in zip((one, other), records, strict=True))
    rows = [(name, digests(left.get(name)), digests(right.get(name))) for name in sorted(left.keys() | right.keys())]
    for name, found, expected in rows:
        different = found.items() ^ expected.items()
        print(f"{name:<28}{len(found):>5} files  {f'DIFFERENT: {different}' if different else 'equal'}")
    return int(any(found != expected or not found for _, found, expected in rows))


def compared(folder: Path, record: dict[str, Any]) -> Iterator[tuple[str, Path]]:
    """Yields name and path of what must be equal: all that the stages of data write, what is predicted, the submissions."""
    for stage in record["stages"]:
        label = stage["stage"] if stage["fold"] is None else f"{stage['stage']}[{stage['fold']}]"
        for name, uri in stage["outputs"].items():
            if stage["stage"] in DATA_STAGES:
                yield f"{label} {name}", Path(uri)
            elif file := PREDICTED.get((stage["stage"], name)):
                yield f"{label} {file}", Path(uri, file)
    for name in SUBMISSIONS:
        yield name, folder / name


def digests(path: Path | None) -> dict[str, str]:
    """Returns the SHA-256 of each file by its relative name; of stage.json too, as a data stage's holds no time."""
    if path is None:
        return {}
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {file.relative_to(path).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
