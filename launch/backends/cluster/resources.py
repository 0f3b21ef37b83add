"""Declares what each stage asks of its machine on a cluster, and checks what STAGE.NAME=VALUE texts change of it."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

from components.images import ACCELERATED
from components.settings import STAGES, Settings, parameter
from launch.runs.parameters import entry, read

ALL = "all"
ACCELERATOR_NAMES = ("accelerator", "count", "topology")  # what only a stage on an accelerator has


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resources(Settings):
    """The machine of one stage."""

    cpu: float = parameter(1.0, "CPU cores.", at_least=0.1)
    memory: int = parameter(4, "Memory.", unit="GiB", at_least=1)
    accelerator: str = parameter(
        "",
        "Model of the accelerator: GKE's label value on Kubeflow (nvidia-l4, tpu-v6e-slice; empty: any GPU), Vertex's name on "
        "Vertex (NVIDIA_L4).",
    )
    count: int = parameter(0, "GPUs or TPU chips.", at_least=0)
    topology: str = parameter("", "Arrangement of the TPU chips, such as 2x2; all on one host (Kubeflow: as many as count).")
    machine_type: str = parameter(
        "", "Vertex: run the stage as a custom job on this machine type, such as g2-standard-12; empty: one that fits."
    )
    node_pool: str = parameter("", "Kubeflow on GKE: the node pool; empty: any.")
    spot: bool = parameter(False, "Use spot machines: cheaper, and may be taken away (Vertex: with machine_type).")
    flex_start: bool = parameter(False, "Vertex: wait for machines up to a day, at a lower price (with machine_type).")
    timeout_hours: float = parameter(24.0, "Ends a stage that takes longer (Vertex: with machine_type).", unit="h", at_least=0.01)
    retries: int = parameter(
        2, "Times a stage that ended with an error is tried again, later each time; Kubeflow's own settings may change that "
        "(docs/cluster.md).",
        at_least=0, at_most=10,
    )  # fmt: skip

    @property
    def devices(self) -> int:
        """The devices that the stage computes on; a TPU slice has as many as its topology, which is a checked one."""
        return self.count or math.prod(int(side) for side in self.topology.split("x") if side)


# Decoding PNGs of 8 megapixels is bound by cores, training by what one accelerator can be fed with; tables are small.
STAGE_DEFAULTS: dict[str, dict[str, Any]] = {
    "resize_images": {"cpu": 8.0, "memory": 16},
    "generate_pairs": {},
    "split_folds": {},
    "write_tfrecords": {"cpu": 4.0, "memory": 16},
    "train": {"cpu": 8.0, "memory": 32},
    "predict": {"cpu": 8.0, "memory": 32},
    "calibrate": {},
    "report": {"cpu": 2.0, "memory": 8},
}
# What a preset needs of other sizes, measured on its sample data.
PRESET_DEFAULTS: dict[str, dict[str, dict[str, Any]]] = {
    "smoke": {stage: {"cpu": 1.0, "memory": 4 if stage in ACCELERATED else 2} for stage in STAGE_DEFAULTS}
}


def parse_resources(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Returns stage to name to value of STAGE.NAME=VALUE texts; what is said of `all` is there for each stage that has it not.

    Raises:
        ValueError: not such a text, no such stage or name, not a value of its type, or given twice.
    """
    fields = {field.name: field for field in dataclasses.fields(Resources)}
    given: dict[str, dict[str, Any]] = {stage: {} for stage in (ALL, *STAGES)}
    for text in texts:
        target, equals, value = text.partition("=")
        stage, dot, name = target.partition(".")
        if not equals or not dot:
            raise ValueError(f"--resource {text}: expected STAGE.NAME=VALUE, such as train.cpu=16.")
        if stage not in given:
            raise ValueError(f"--resource {text}: no stage {stage!r}; expected one of {', '.join((*STAGES, ALL))}.")
        if name not in fields:
            raise ValueError(f"--resource {text}: no resource {name!r}; expected one of {', '.join(fields)}.")
        if name in given[stage]:
            raise ValueError(f"--resource {target}: given twice; give it once.")
        given[stage][name] = read(fields[name], value, f"--resource {stage}.")
    everywhere = given.pop(ALL)
    return {stage: everywhere | own for stage, own in given.items()}


def resolve_resources(
    given: Mapping[str, Mapping[str, Any]], accelerated: Mapping[str, Any], accelerator: str, preset: str | None = None
) -> dict[str, Resources]:
    """Returns the resources of every stage: its defaults, those of the preset, on the accelerator the target's, then those given.

    Raises:
        ValueError: a value out of bounds, or an accelerator for a stage that has none.
    """
    resolved = {}
    for stage in STAGES:
        on_accelerator = accelerator != "none" and stage in ACCELERATED
        misplaced = [name for name in ACCELERATOR_NAMES if name in given[stage] and not on_accelerator]
        if misplaced:
            raise ValueError(
                f"--resource {stage}.{misplaced[0]}: {stage} runs without an accelerator here; only {' and '.join(ACCELERATED)} "
                f"can have one, with --accelerator gpu or tpu (it is {accelerator})."
            )
        usual = STAGE_DEFAULTS[stage] | PRESET_DEFAULTS.get(preset or "", {}).get(stage, {})
        values = usual | (dict(accelerated) if on_accelerator else {}) | dict(given[stage])
        try:
            resolved[stage] = Resources(**values)
        except ValueError as error:
            raise ValueError(f"--resource {stage}.{error}") from error
    return resolved


def chips(stage: str, topology: str) -> int:
    """Returns the number of chips of a topology such as "2x2". Raises ValueError: not a topology."""
    sides = topology.split("x")
    if len(sides) not in (2, 3) or not all(side.isdecimal() and int(side) for side in sides):
        raise ValueError(f"--resource {stage}.topology={topology}: expected two or three sides, such as 1x1, 2x4 or 2x2x1.")
    return math.prod(map(int, sides))


def resource_table() -> str:
    """Returns the resources for people: name, default, unit, bounds and help; then the stages that ask for more."""
    lines = map(entry, dataclasses.fields(Resources))
    more = [f"  {stage}: cpu={own['cpu']:g}, memory={own['memory']}" for stage, own in STAGE_DEFAULTS.items() if own]
    return "\n".join([*lines, "stages that get more unless you say otherwise:", *more])
