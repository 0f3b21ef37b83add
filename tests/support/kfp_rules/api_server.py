"""What the api-server checks of a compiled file and its parameters before there is a run."""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

from kfp_rules.refusal import RefusedError

SCHEMA_VERSION = "2.1.0"
ARGO_NAME, LONGEST_ARGO_NAME = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*"), 128
EXIT = "ALL_UPSTREAM_TASKS_COMPLETED"
KINDS: dict[str, tuple[str, Any]] = {
    "NUMBER_DOUBLE": ("number", (int, float)),
    "NUMBER_INTEGER": ("number", (int, float)),
    "STRING": ("string", str),
    "BOOLEAN": ("bool", bool),
    "LIST": ("list", list),
    "STRUCT": ("struct", dict),
}


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that the api-server has taken.

    Attributes:
        spec: the pipeline.
        executors: label to what runs: a container or an importer.
        pods: label to the Kubernetes settings of a container.
        values: every parameter; those without a value are None.
    """

    spec: Mapping[str, Any]
    executors: Mapping[str, Any]
    pods: Mapping[str, Any]
    values: Mapping[str, Any]


def create_run(documents: Iterable[Any], values: Mapping[str, Any]) -> Run:
    """Parses, validates and compiles as ResourceManager.CreateRun does."""
    spec, platform = parse(documents)
    complete = check_inputs(spec["root"], values)
    executors = spec.get("deploymentSpec", {}).get("executors", {})
    pods = platform.get("platforms", {}).get("kubernetes", {}).get("deploymentSpec", {}).get("executors", {})
    run = Run(spec, executors, pods, complete)
    visit(run, "root", spec["root"], set())
    check_argo_names(run)
    return run


def parse(documents: Iterable[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pipeline and the platform's settings among the documents of a file."""
    rule = "template.NewV2SpecTemplate"
    specs, platforms = [], []
    for document in documents:
        if document and is_message(document, pipeline_spec_pb2.PipelineSpec()) and name_of(document) and document.get("root"):
            specs.append(document)
        elif (
            document and is_message(document, pipeline_spec_pb2.PlatformSpec()) and "kubernetes" in document.get("platforms", {})
        ):
            platforms.append(document)
    if not specs:
        raise RefusedError(rule, "no pipeline spec is provided")
    if len(specs) > 1 or len(platforms) > 1:
        raise RefusedError(rule, "multiple specs provided")
    (spec,) = specs
    if spec.get("schemaVersion") != SCHEMA_VERSION:
        raise RefusedError(rule, f"only schema version {SCHEMA_VERSION}, not {spec.get('schemaVersion')}")
    if not re.search(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", name_of(spec)):
        raise RefusedError(rule, f"name {name_of(spec)!r} should consist of lower case alphanumeric characters, '-' or '.'")
    return spec, platforms[0] if platforms else {}


def name_of(spec: Mapping[str, Any]) -> str:
    return str(spec.get("pipelineInfo", {}).get("name", ""))


def is_message(document: Any, message: Any) -> bool:
    """Whether a document is a message of this type: a field that it has not, or one of another type, is none."""
    try:
        json_format.ParseDict(document, message)
    except json_format.ParseError:
        return False
    return True


def is_kind(value: Any, kind: str) -> bool:
    """Whether a value is one of a parameter's type; true and false are no numbers."""
    if isinstance(value, bool):
        return kind == "BOOLEAN"
    return kind in KINDS and isinstance(value, KINDS[kind][1])


def check_inputs(root: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter of a run, the defaults in place of those that are not given."""
    rule = "V2Spec.validatePipelineJobInputs"
    declared = root.get("inputDefinitions", {}).get("parameters", {})
    for name, each in declared.items():
        if name not in values and not each.get("isOptional") and each.get("defaultValue") is None:
            raise RefusedError(rule, f"parameter {name} is not optional, yet has neither default value nor user provided value")
        if name in values and not is_kind(values[name], each["parameterType"]):
            raise RefusedError(rule, f"input parameter {name} requires {each['parameterType']}, not {values[name]!r}")
    if extra := values.keys() - declared.keys():
        raise RefusedError(rule, f"parameter(s) provided are not required by pipeline: {', '.join(sorted(extra))}")
    return {name: values.get(name, each.get("defaultValue")) for name, each in declared.items()}


def visit(run: Run, name: str, component: Mapping[str, Any], seen: set[str]) -> None:
    """Visits each component once, those that it is made of before it."""
    rule = "compiler.pipelineDFS.dfs"
    seen.add(name)
    if label := component.get("executorLabel"):
        if label not in run.executors:
            raise RefusedError(rule, f"executor(label={label!r}) not found in deployment config")
        if not {"container", "importer"} & run.executors[label].keys():
            raise RefusedError(rule, f"executor(label={label!r}): non-container and non-importer executor not implemented")
        if label in run.pods and not is_message(run.pods[label], kubernetes_executor_config_pb2.KubernetesExecutorConfig()):
            raise RefusedError("argocompiler.containerExecutorTask", f"{label}: failed to unmarshal kubernetes config")
        return
    if "dag" not in component:
        raise RefusedError(rule, f"{name}: unknown component implementation")
    tasks = component["dag"].get("tasks", {})
    for task_name, task in sorted(tasks.items()):
        reference = task.get("componentRef", {}).get("name", "")
        if not reference:
            raise RefusedError(rule, f"component ref name is empty for task {task_name!r}")
        if reference not in run.spec.get("components", {}):
            raise RefusedError(rule, f"cannot find component ref name={reference!r}")
        if reference not in seen:
            visit(run, reference, run.spec["components"][reference], seen)
    check_dag(run, name, tasks)


def check_dag(run: Run, name: str, tasks: Mapping[str, Any]) -> None:
    """What the Argo compiler asks of the tasks of one DAG."""
    for task_name, task in tasks.items():
        for producer in producers(task):
            if producer not in tasks:
                raise RefusedError("argocompiler.addImplicitDependencies", f"unknown producer task {producer!r} in DAG {name}")
        if "artifactIterator" in task:
            raise RefusedError("argocompiler.DAG", f"task {task_name!r}: artifact iterator not implemented yet")
        executor = run.executors.get(run.spec["components"][task["componentRef"]["name"]].get("executorLabel"), {})
        if "importer" in executor and task.get("triggerPolicy", {}).get("condition"):
            raise RefusedError("argocompiler.task", f"{task_name}: triggerPolicy.condition on importer task is not supported")
        for dependency in task.get("dependentTasks", []):
            if dependency not in tasks:
                raise RefusedError("argo validate.ValidateWorkflow", f"{task_name}: dependency {dependency!r} not defined")
    if all(task.get("triggerPolicy", {}).get("strategy") == EXIT for task in tasks.values()):
        raise RefusedError("argocompiler.DAG", f"DAG {name} must contain one or more non-exit tasks")
    if len(list(in_order(tasks))) < len(tasks):
        raise RefusedError("argo validate.verifyNoCycles", f"dependency cycle in {name}")


def producers(task: Mapping[str, Any]) -> Iterator[str]:
    """The tasks whose outputs a task reads."""
    inputs = task.get("inputs", {})
    for each in inputs.get("parameters", {}).values():
        if "taskOutputParameter" in each:
            yield each["taskOutputParameter"]["producerTask"]
    for each in inputs.get("artifacts", {}).values():
        if "taskOutputArtifact" in each:
            yield each["taskOutputArtifact"]["producerTask"]


def in_order(tasks: Mapping[str, Any]) -> Iterator[str]:
    """Task names, each after those that it depends on; those of a circle are left out."""
    done: set[str] = set()
    while ready := sorted(
        n for n, task in tasks.items() if n not in done and done >= {*task.get("dependentTasks", []), *producers(task)}
    ):
        yield from ready
        done |= set(ready)


def check_argo_names(run: Run) -> None:
    """The names that Argo's templates and tasks get of components and tasks."""
    rule = "argo validate.isValidWorkflowFieldName"
    for name, component in [("root", run.spec["root"]), *run.spec.get("components", {}).items()]:
        for task_name, task in component.get("dag", {}).get("tasks", {}).items():
            reference = task["componentRef"]["name"]
            made = [f"{reference}-{task_name}-iterator" if "parameterIterator" in task else f"{task_name}-driver", task_name]
            made += [reference] if "dag" in run.spec["components"][reference] else []
            for each in made:
                if len(each) > LONGEST_ARGO_NAME or not ARGO_NAME.fullmatch(each):
                    raise RefusedError(
                        rule, f"{name}: {each!r} must consist of at most {LONGEST_ARGO_NAME} alpha-numeric characters or '-'"
                    )
