"""Tells the state of each stage, and of each of its folds, from the tasks of a run on Kubeflow.

The API's tasks are the nodes of Argo's workflow, in the order of their names: a stage, the driver before it (train-driver), its
pods (executor(0), executor(1) where it is tried again), and a node for each item of a loop, iteration-iterations(1:1). A node
has no fold and no parent; it names its children.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from components.settings import STAGES
from launch.backends.base import WAITING, stage_of

ITERATION = re.compile(r".*\((\d+)(:.*)?\)")
POD = re.compile(r"executor(\(\d+\))?")
DRIVER = "-driver"
LEFT_OUT = "left out"  # Argo's Omitted, for which the API has no state
FAILED = "FAILED"
NUMBER = re.compile(r"-(\d+)$")  # ends a node's name and that of its pod alike


def stage_states(tasks: Sequence[Any], folds: Sequence[int]) -> dict[str, tuple[str, str]]:
    """Returns id to (stage, state) of the tasks that run a stage, and of drivers that failed, in data order, then by fold."""
    by_number = {number_in(task.pod_name or ""): task for task in tasks if task.pod_name}
    parents = {number_in(child.pod_name or ""): task for task in tasks for child in task.child_tasks or []}
    found: list[tuple[tuple[int, int], str, tuple[str, str]]] = []
    for task in tasks:
        name = task.display_name or ""
        stage = stage_of(name.removesuffix(DRIVER))
        fold = fold_of(task, parents, folds)
        order = (list(STAGES).index(stage) if stage else -1, folds.index(fold) if fold is not None else 0)
        label = (stage or name.removesuffix(DRIVER)) + ("" if fold is None else f"[{fold}]")
        if name.endswith(DRIVER):
            if task.state == FAILED:
                found.append((order, task.task_id, (f"{label} (Kubeflow's driver)", FAILED)))
        elif stage:
            found.append((order, task.task_id, (label, state_of(task, by_number))))
    return {task: told for _, task, told in sorted(found, key=lambda each: each[:2])}


def number_in(node: str) -> str:
    """Returns the number that a node's name, or its pod's, ends with."""
    match = NUMBER.search(node)
    return match[1] if match else node


def fold_of(task: Any, parents: Mapping[str, Any], folds: Sequence[int]) -> int | None:
    """Returns the fold whose iteration of the loop a task is in; None where there is one fold, or none."""
    seen = set[str]()
    while len(folds) > 1 and (number := number_in(task.pod_name or "")) in parents and number not in seen:
        seen.add(number)
        task = parents[number]
        match = ITERATION.fullmatch(task.display_name or "")
        if match and not POD.fullmatch(task.display_name) and int(match[1]) < len(folds):
            return folds[int(match[1])]
    return None


def state_of(task: Any, by_number: Mapping[str, Any]) -> str:
    """Returns the state of a stage; one whose pod waits is pending, whatever the nodes around it say."""
    if not task.state:
        return LEFT_OUT
    below, seen = [task], set[str]()
    while task.state == "RUNNING" and below:
        for child in below.pop().child_tasks or []:
            number = number_in(child.pod_name or "")
            if (inner := by_number.get(number)) is None or number in seen:
                continue
            seen.add(number)
            if POD.fullmatch(inner.display_name or "") and inner.state == "PENDING":
                return WAITING
            below.append(inner)
    return str(task.state)
