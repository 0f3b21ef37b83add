"""Two finished runs of the same data, one of them in containers: says whether their data and their submissions are equal.

python tests/containers/compare_runs.py RUN_FOLDER OTHER_RUN_FOLDER
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

DATA_STAGES = ("resize_images", "generate_pairs", "split_folds", "write_tfrecords")
SUBMISSIONS = ("submission_raw.csv", "submission_calibrated.csv")


def main(one: str, other: str) -> int:
    """Prints a line for each artifact that is compared and returns 1 where any differs, or where there is nothing to compare."""
    records = [json.loads(Path(folder, "run.json").read_text(encoding="utf-8")) for folder in (one, other)]
    executed = [[stage["state"] for stage in record["stages"]] for record in records]
    if not all(states and set(states) == {"executed"} for states in executed):
        print(f"every stage of both runs must have been executed, and they were: {executed}")
        return 1
    pairs = [artifacts(record) for record in records]
    rows = [(name, digests(path), digests(pairs[1][name])) for name, path in pairs[0].items()]
    rows += [(name, digests(Path(one, name)), digests(Path(other, name))) for name in SUBMISSIONS]
    for name, left, right in rows:
        print(f"{name:<28}{len(left):>5} files  {'equal' if left == right else f'DIFFERENT: {left.items() ^ right.items()}'}")
    return int(any(left != right or not left for _, left, right in rows))


def artifacts(record: dict[str, Any]) -> dict[str, Path]:
    """Returns the path of each artifact of the stages that write data, by "<stage> <output>"."""
    stages = [stage for stage in record["stages"] if stage["stage"] in DATA_STAGES]
    return {f"{stage['stage']} {name}": Path(uri) for stage in stages for name, uri in stage["outputs"].items()}


def digests(path: Path) -> dict[str, str]:
    """Returns the SHA-256 of each file by its relative name; of stage.json too, as a data stage's holds no time."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {file.relative_to(path).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
