"""Says of a compiled pipeline what Kubeflow Pipelines 2.17 would say of it, by KFP's own rules, without a cluster.

The rules are those of KFP's Go code; each is raised under the name of the function that it mirrors:
    api_server.py   apiserver/template, v2/compiler and its argocompiler, Argo: what refuses a run when it is created
    driver.py       v2/driver, v2/metadata, v2/component: what fails a task before its container starts, or hands it too little

They were held against that code itself, run task by task over an ML Metadata in memory: the same verdict on every compiled file
and on every mutation in tests/launch/backends/cluster/test_kfp_rules.py, the same numbers of pods and of artifacts read.
"""

from typing import Any

from kfp_rules.api_server import create_run
from kfp_rules.driver import Outcome, drive
from kfp_rules.refusal import RefusedError

__all__ = ["Outcome", "RefusedError", "outcome_of"]


def outcome_of(documents: list[Any], values: dict[str, Any]) -> Outcome:
    """What a run of a compiled file's documents with these parameters comes to; RefusedError where KFP refuses it."""
    return drive(create_run(documents, values))
