"""What is told of a run's tasks as Kubeflow's API has them: nodes of Argo's workflow, by name, without fold or parent."""

import itertools
from typing import Any

import kfp_server_api as api
import pytest

from launch.backends.kubeflow.tasks import stage_states

NUMBERS = itertools.count(1)


def node(name: str, state: str | None, *children: Any) -> Any:
    """A node and, in its list of children, the names that these have in Argo: a pod's own name has a template in it."""
    number = f"{next(NUMBERS):09d}"
    below = [
        api.PipelineTaskDetailChildTask(pod_name=f"verdelta-x7k2p-{child.pod_name.rpartition('-')[2]}") for child in children
    ]
    pod = f"verdelta-x7k2p-system-container-impl-{number}" if name.startswith("executor") else f"verdelta-x7k2p-{number}"
    return api.V2beta1PipelineTaskDetail(
        task_id=f"id-{number}", display_name=name, state=state, pod_name=pod, child_tasks=below or None
    )


def told(tasks: list[Any], folds: list[int]) -> list[tuple[str, str]]:
    return list(stage_states(tasks, folds).values())


def loop_of_two(first: str | None, second: str | None) -> list[Any]:
    """Training of two folds, as Argo nests it."""
    nodes = list[Any]()
    items = []
    for index, state in enumerate((first, second)):
        pod = node("executor", state)
        stage = node("train", state, pod)
        driver = node("train-driver", "SUCCEEDED", stage)
        item = node(f"iteration-iterations({index}:{index})", state, driver)
        nodes += [pod, stage, driver, item]
        items.append(item)
    return [*nodes, node("for-loop-1", "RUNNING", *items)]


def test_stages_come_in_data_order_whatever_the_order_of_their_names() -> None:
    names = [
        "calibrate",
        "generate-pairs",
        "predict",
        "report",
        "resize-images",
        "root",
        "split-folds",
        "train",
        "write-tfrecords",
    ]
    stages = [stage for stage, _ in told([node(name, "SUCCEEDED") for name in names], [0])]
    assert stages == [
        "resize_images", "generate_pairs", "split_folds", "write_tfrecords", "train", "predict", "calibrate", "report",
    ]  # fmt: skip


def test_of_several_folds_each_line_says_which() -> None:
    assert told(loop_of_two("SUCCEEDED", "RUNNING"), [3, 4]) == [("train[3]", "SUCCEEDED"), ("train[4]", "RUNNING")]


def test_of_one_fold_nothing_is_to_be_told_apart() -> None:
    assert told([node("train", "RUNNING")], [3]) == [("train", "RUNNING")]


@pytest.mark.parametrize("pod", ["executor", "executor(0)", "executor(1)"])
def test_a_stage_whose_pod_waits_is_pending_though_it_counts_as_running(pod: str) -> None:
    waiting = node(pod, "PENDING")
    attempt = node("executor", "RUNNING", waiting)
    assert told([waiting, attempt, node("train", "RUNNING", attempt)], [0]) == [("train", "pending")]


def test_a_stage_whose_pod_runs_is_running() -> None:
    working = node("executor(0)", "RUNNING")
    assert told([working, node("train", "RUNNING", working)], [0]) == [("train", "RUNNING")]


def test_what_never_ran_after_a_failure_is_left_out() -> None:
    assert told([node("train", "FAILED"), node("report", None)], [0]) == [("train", "FAILED"), ("report", "left out")]


def test_drivers_are_told_of_where_they_fail() -> None:
    fine, broken = node("resize-images-driver", "SUCCEEDED"), node("train-driver", "FAILED")
    assert told([fine, broken], [0]) == [("train (Kubeflow's driver)", "FAILED")]
    assert told([node("root-driver", "FAILED")], [0]) == [("root (Kubeflow's driver)", "FAILED")]
