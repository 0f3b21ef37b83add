"""What a recorded run can be continued from: its name goes in; its parameters, folds and artifacts, some its parents', come out.

An artifact is known by the stage and output that wrote it and by its part: its fold, or its shard where the stage fans out, or
None where it is of the whole run.
"""

import dataclasses
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfp import dsl

from launch.backends.local.stage_cache import fingerprint
from launch.cli.list_runs import BROKEN, read_run
from launch.runs.record import STAGE_FAILED
from launch.runs.wiring import Source, Wiring

RERUN, SCORE = "rerun", "score"  # the kinds of parents: what a run with a parent did with it


@dataclasses.dataclass(frozen=True)
class RecordedRun:
    """A run to go on from.

    Attributes:
        name: the run's name.
        record: its run.json.
        artifacts: (source, part) to URI, of all that it wrote, read, or took over from its parent unchanged.
    """

    name: str
    record: dict[str, Any]
    artifacts: dict[tuple[Source, int | None], str]

    @property
    def folds(self) -> list[int]:
        """The folds that the run is of."""
        return list(self.record["parameters"]["folds"])

    def raw(self) -> str:
        """Returns where the run's raw data lies.

        Raises:
            ValueError: the run ended before it read any.
        """
        entry = next((entry for entry in self.record["stages"] if entry["stage"] == "resize_images"), None)
        if entry is None:
            raise ValueError(f"{self.name}: the run has no resize_images in its record. Start it anew: python pipeline.py run")
        return str(entry["inputs"]["raw"])

    def without(self, outdated: list[str], folds: list[int], wiring: Wiring) -> dict[tuple[Source, int | None], str]:
        """Returns the artifacts but those that `outdated` stages wrote, for `folds` where they are run by fold."""
        return {
            (source, part): uri
            for (source, part), uri in self.artifacts.items()
            if source.stage not in outdated or (source.stage in wiring.per_fold and part not in folds)
        }

    def shards(self, source: Source) -> list[int]:
        """Returns the shards of an artifact; none where the stage that fans out did not succeed in all of them."""
        return sorted(part for known, part in self.artifacts if known == source and part is not None)

    def require(self, sources: list[Source], folds: list[int], wiring: Wiring) -> None:
        """Raises an error where an artifact is not in the record, or is no longer where the record says.

        Raises:
            ValueError: the stage that writes it did not succeed in this run.
            FileNotFoundError: it was deleted. Only artifacts on this machine are looked for.
        """
        for source in sources:
            for part in wiring.parts_of(source.stage, folds, self.shards(source) or [0]):
                of_fold = f" of fold {part}" if source.stage in wiring.per_fold else ""
                uri = self.artifacts.get((source, part))
                if uri is None:
                    raise ValueError(
                        f"{self.name}: no {source.output}{of_fold} in its record, because {source.stage} did not succeed there. "
                        f"Expected it as an input; begin there: python pipeline.py rerun {self.name} {source.stage} --downstream"
                    )
                if "://" not in uri and not Path(uri).exists():
                    raise FileNotFoundError(
                        f"{uri}: missing. {self.name} recorded it as {source.output}{of_fold} of {source.stage}; if it is gone "
                        f"for good, begin there: python pipeline.py rerun {self.name} {source.stage} --downstream"
                    )


def read_recorded_run(runs_dir: Path, name: str, wiring: Wiring) -> RecordedRun:
    """Returns the run called `name` below `runs_dir`.

    Raises:
        FileNotFoundError: no such run; names the nearest ones.
        ValueError: its record cannot be read.
    """
    folder = runs_dir / name
    if not folder.is_dir():
        names = sorted(path.name for path in runs_dir.glob("*") if path.is_dir() and not path.name.startswith("."))
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names[-3:]
        known = f"Did you mean {' or '.join(near)}?" if near else "There is no run yet."
        raise FileNotFoundError(f"{folder}: no such run. {known} See: python pipeline.py list")
    record = read_run(folder)
    if record["state"] == BROKEN:
        raise ValueError(f"{folder}: its run.json is missing or cannot be read. Choose another run: python pipeline.py list")
    return RecordedRun(name, record, artifacts_of(runs_dir, record, wiring))


def artifacts_of(runs_dir: Path, record: dict[str, Any], wiring: Wiring) -> dict[tuple[Source, int | None], str]:
    """Returns the artifacts that belong to a run: its parent's as far as they are not outdated, then what it read and wrote."""
    found = inherited(runs_dir, record, wiring)
    folds = record["parameters"].get("folds", [])
    for entry in record["stages"]:
        stage, own = entry["stage"], part_of(entry, wiring)
        for name, value in entry["inputs"].items():
            source = wiring.inputs.get(stage, {}).get(name)
            if source is None:
                continue  # a parameter
            if isinstance(value, list):
                parts = wiring.parts_of(source.stage, folds, range(len(value)))
                found |= {(source, part): uri for part, uri in zip(parts, value, strict=False)}
            else:
                (part,) = wiring.parts_of(source.stage, [own or 0], [0])
                found[source, part] = value
    failed = {entry["stage"] for entry in record["stages"] if entry["state"] == STAGE_FAILED}
    for entry in record["stages"]:
        stage = entry["stage"]
        if entry["state"] != STAGE_FAILED and not (stage in wiring.per_shard and stage in failed):
            found |= {(Source(stage, name), part_of(entry, wiring)): uri for name, uri in entry["outputs"].items()}
    return found


def part_of(entry: Mapping[str, Any], wiring: Wiring) -> int | None:
    """Returns the fold or the shard of an entry; records of runs before there were shards do not say that theirs is the first."""
    return (entry.get("shard") or 0) if entry["stage"] in wiring.per_shard else entry["fold"]


def inherited(runs_dir: Path, record: dict[str, Any], wiring: Wiring) -> dict[tuple[Source, int | None], str]:
    """Returns the parent's artifacts that a rerun took over: all but those of the stage it reran and of what depends on it."""
    parent = record.get("parent")
    if not parent or parent["kind"] != RERUN or not (runs_dir / parent["run"]).is_dir():
        return {}
    older = read_run(runs_dir / parent["run"])
    earlier = RecordedRun(parent["run"], older, artifacts_of(runs_dir, older, wiring))
    return earlier.without(wiring.onward(parent["stage"]), parent["folds"], wiring)


def local_content(uri: str) -> str:
    """Returns a fingerprint of the files at a path: run folders can be deleted, and made anew under the same name."""
    return fingerprint({"artifact": dsl.Artifact(uri=uri)})
