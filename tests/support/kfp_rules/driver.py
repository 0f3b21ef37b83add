"""What the driver does before each container: resolves inputs, checks types, hands lists on; nothing is executed.

A list of artifacts is a tuple of numbers, one for each artifact that some task would write.
"""

import dataclasses
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kfp_rules.api_server import KINDS, Run, in_order, is_kind
from kfp_rules.refusal import RefusedError

RESOLVE = "driver.resolveInputs"
PLACEHOLDER = re.compile(r"\{\{\$\.inputs\.parameters\['([^']+)'\]\}\}")
SELECTOR = re.compile(r'parseJson\(string_value\)\["([^"]+)"\]')
QUANTITY = re.compile(r"[0-9]*\.?[0-9]+([eE][-+]?[0-9]+|[munkMGTPE]|[KMGTPE]i)?")
OF_A_STRUCT = ("TASK_FINAL_STATUS", "TASK_CONFIG")  # types of parameters that the driver itself gives
STORES = ("gs://", "s3://", "minio://")


@dataclasses.dataclass
class Outcome:
    """What a run comes to.

    Attributes:
        pods: how many it starts, with an empty cache: the drivers, a launcher for each container, the importers.
        read: (task, input) and the number of artifacts of each that a container is handed.
        lost: what KFP takes and hands on in part: of several artifacts, the one that enters a DAG (kubeflow/pipelines issue
            13900) and the one that a container reads whose input is no list.
    """

    pods: int = 0
    read: list[tuple[str, str, int]] = dataclasses.field(default_factory=list)
    lost: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Given:
    """What a DAG's execution, or a task, has."""

    parameters: Mapping[str, Any]
    artifacts: Mapping[str, tuple[int, ...]]


def drive(run: Run) -> Outcome:
    """Walks through a run."""
    walker = Walker(run)
    walker.outcome.pods += 1
    walker.walk(run.spec["root"], Given(run.values, {}))
    return walker.outcome


class Walker:
    """One run."""

    def __init__(self, run: Run) -> None:
        self.run, self.outcome, self.artifacts = run, Outcome(), itertools.count()

    def walk(self, component: Mapping[str, Any], parent: Given) -> Given:
        """Walks through the tasks of one execution of a DAG and returns its outputs."""
        tasks, wrote = component["dag"]["tasks"], dict[str, Given]()
        for name in in_order(tasks):
            wrote |= self.task(name, tasks[name], parent, wrote)
        outputs = component["dag"].get("outputs", {})
        artifacts = {
            key: written(wrote, each["artifactSelectors"][0]["producerSubtask"]).artifacts.get(
                each["artifactSelectors"][0]["outputArtifactKey"]
            )
            for key, each in outputs.get("artifacts", {}).items()
        }
        parameters = {
            key: written(wrote, each["valueFromParameter"]["producerSubtask"]).parameters.get(
                each["valueFromParameter"]["outputParameterKey"]
            )
            for key, each in outputs.get("parameters", {}).items()
        }
        return Given(parameters, {key: found for key, found in artifacts.items() if found is not None})

    def task(self, name: str, task: Mapping[str, Any], parent: Given, wrote: Mapping[str, Given]) -> dict[str, Given]:
        """Runs a task and returns what it wrote, by the name under which it is looked for."""
        component = self.run.spec["components"][task["componentRef"]["name"]]
        self.outcome.pods += 1
        if "dag" not in component and "importer" in self.run.executors[component["executorLabel"]]:
            self.import_artifact(task, component, parent)
            return {
                task["taskInfo"]["name"]: Given({}, {key: (next(self.artifacts),) for key in outputs_of(component, "artifacts")})
            }
        given = self.resolve(task, component, parent, wrote)
        if "dag" in component:
            return {name: self.walk_dag(task, component, self.handed_on(name, given))}
        self.outcome.pods += 1
        self.outcome.read += [(name, key, len(found)) for key, found in given.artifacts.items()]
        declared = component.get("inputDefinitions", {}).get("artifacts", {})
        for key, found in given.artifacts.items():
            if len(found) > 1 and not declared.get(key, {}).get("isArtifactList"):
                self.outcome.lost.append(f"component.getPlaceholders: {name} reads 1 of {len(found)} of {key}, which is no list")
        check_container(self.run.executors[component["executorLabel"]]["container"], given.parameters)
        outputs = {key: example(each["parameterType"]) for key, each in outputs_of(component, "parameters").items()}
        return {name: Given(outputs, {key: (next(self.artifacts),) for key in outputs_of(component, "artifacts")})}

    def walk_dag(self, task: Mapping[str, Any], component: Mapping[str, Any], given: Given) -> Given:
        """Walks through a nested DAG, or once for each item of a loop."""
        if "parameterIterator" not in task:
            return self.walk(component, given)
        iterator, collected = task["parameterIterator"], list[Given]()
        items = items_of(iterator, given.parameters)
        source = iterator["items"].get("inputParameter", iterator["itemInput"])
        for item in items:
            self.outcome.pods += 1
            own = {key: value for key, value in given.parameters.items() if key != source} | {iterator["itemInput"]: item}
            own = convert(component, own, {source} - {iterator["itemInput"]})
            collected.append(self.walk(component, Given(own, given.artifacts)))
        keys = {key for each in collected for key in each.artifacts}
        lists = {key: [each.parameters[key] for each in collected] for each in collected for key in each.parameters}
        return Given(
            lists, {key: tuple(itertools.chain.from_iterable(each.artifacts.get(key, ()) for each in collected)) for key in keys}
        )

    def handed_on(self, name: str, given: Given) -> Given:
        """What the tasks in a DAG find of what the DAG was given: by name one artifact, by artifact one name."""
        by_artifact = {number: key for key, found in given.artifacts.items() for number in found}
        handed = {key: (number,) for number, key in by_artifact.items()}
        for key, found in given.artifacts.items():
            if len(found) > 1:
                self.outcome.lost.append(f"metadata.GetInputArtifactsByExecutionID: {name} gets 1 of {len(found)} of {key}")
        return Given(given.parameters, handed)

    def resolve(self, task: Mapping[str, Any], component: Mapping[str, Any], parent: Given, wrote: Mapping[str, Given]) -> Given:
        """The inputs of a task, their types checked."""
        declared = component.get("inputDefinitions", {}).get("parameters", {})
        parameters = dict[str, Any]()
        inputs = task.get("inputs", {})
        if "dag" in component:
            unset = (key for key, each in declared.items() if each.get("isOptional") and key not in inputs.get("parameters", {}))
            parameters |= {key: declared[key].get("defaultValue") for key in unset}
        for key, wire in inputs.get("parameters", {}).items():
            found, value = parameter_of(key, wire, parent, wrote)
            if not found and not declared.get(key, {}).get("isOptional"):
                raise RefusedError("driver.resolveInputParameter", f"the resolved input parameter is null: {key}")
            if found:
                selector = wire.get("parameterExpressionSelector")
                parameters[key] = select(value, selector) if selector else value
        artifacts = {key: artifact_of(key, wire, parent, wrote) for key, wire in inputs.get("artifacts", {}).items()}
        skipped = {task["parameterIterator"]["itemInput"]} if "parameterIterator" in task else set()
        return Given(convert(component, parameters, skipped), artifacts)

    def import_artifact(self, task: Mapping[str, Any], component: Mapping[str, Any], parent: Given) -> None:
        """What the importer asks of its address, which it looks up by itself: no selector, no output of a task."""
        rule = "component.ImportSpecToMLMDArtifact"
        uri = self.run.executors[component["executorLabel"]]["importer"]["artifactUri"]
        value = uri.get("constant")
        if "runtimeParameter" in uri:
            wire = task.get("inputs", {}).get("parameters", {}).get(uri["runtimeParameter"], {})
            name = wire.get("componentInputParameter", "")
            if name not in parent.parameters:
                raise RefusedError(rule, f"error resolving artifact URI: parent DAG does not have input parameter {name}")
            value = parent.parameters[name]
        if not isinstance(value, str) or not value:
            raise RefusedError(rule, "empty artifact URI")
        if not value.startswith(STORES):
            raise RefusedError(rule, f"no provider scheme found in artifact URI: {value}")


def outputs_of(component: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = component.get("outputDefinitions", {}).get(kind, {})
    return found


def written(wrote: Mapping[str, Given], task: str) -> Given:
    """What a task wrote."""
    if task not in wrote:
        raise RefusedError("driver.resolveUpstreamArtifacts", f"cannot find producer task {task!r}")
    return wrote[task]


def parameter_of(key: str, wire: Mapping[str, Any], parent: Given, wrote: Mapping[str, Given]) -> tuple[bool, Any]:
    """Whether a parameter has a value, and the value."""
    if "componentInputParameter" in wire:
        name = wire["componentInputParameter"]
        if name not in parent.parameters:
            raise RefusedError("driver.resolveInputParameter", f"parent DAG does not have input parameter {name}")
        return parent.parameters[name] is not None, parent.parameters[name]
    if "taskOutputParameter" in wire:
        source = wire["taskOutputParameter"]
        found = written(wrote, source["producerTask"]).parameters
        if source["outputParameterKey"] not in found:
            raise RefusedError(
                "driver.resolveUpstreamParameters", f"{source['producerTask']} has no output {source['outputParameterKey']}"
            )
        return True, found[source["outputParameterKey"]]
    if "taskFinalStatus" in wire:
        return True, {"state": "COMPLETE"}
    if "constant" not in wire.get("runtimeValue", {}):
        raise RefusedError("driver.resolveInputParameter", f"{key}: parameter spec not implemented yet")
    return True, wire["runtimeValue"]["constant"]


def artifact_of(key: str, wire: Mapping[str, Any], parent: Given, wrote: Mapping[str, Given]) -> tuple[int, ...]:
    """The artifacts of an input."""
    if "componentInputArtifact" in wire:
        if wire["componentInputArtifact"] not in parent.artifacts:
            raise RefusedError(
                "driver.resolveInputArtifact", f"{key}: parent DAG does not have input artifact {wire['componentInputArtifact']}"
            )
        return parent.artifacts[wire["componentInputArtifact"]]
    source = wire["taskOutputArtifact"]
    found = written(wrote, source["producerTask"]).artifacts
    if source["outputArtifactKey"] not in found:
        raise RefusedError(
            "driver.GetProducerTask",
            f"artifact output key {source['outputArtifactKey']!r} not found in {source['producerTask']!r}",
        )
    return found[source["outputArtifactKey"]]


def select(value: Any, selector: str) -> Any:
    """What is selected of an item: kfp makes these of item.name."""
    match = SELECTOR.fullmatch(selector)
    try:
        return (json.loads(value) if isinstance(value, str) else value)[match[1]]  # type: ignore[index]
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError("expression.Expr.Select", f"evaluation of {selector!r} failed: {error}") from error


def convert(component: Mapping[str, Any], given: Mapping[str, Any], skipped: set[str]) -> dict[str, Any]:
    """The parameters of a component, those that are text made so; the others have to be of their type."""
    converted = dict(given)
    for name, each in component.get("inputDefinitions", {}).get("parameters", {}).items():
        kind, value = each["parameterType"], given.get(name)
        kind = "STRUCT" if kind in OF_A_STRUCT else kind
        if name in skipped or (name not in given and each.get("isOptional")) or (name in given and value is None):
            continue
        if name not in given:
            if "defaultValue" not in each:
                raise RefusedError(RESOLVE, f"neither value nor default value provided for non-optional parameter {name!r}")
            if kind != "STRING":
                raise RefusedError(RESOLVE, f"parameter {name} has unknown protobuf.Value type: <nil>")
            value = ""
        if kind == "STRING":
            converted[name] = value if isinstance(value, str) else json.dumps(value)
        elif not is_kind(value, kind):
            got = next(shown for known, (shown, _) in KINDS.items() if is_kind(value, known))
            raise RefusedError(RESOLVE, f"input parameter {name!r} type mismatch: expect {kind}, got {got}")
    return converted


def items_of(iterator: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[Any]:
    """The items of a loop."""
    if "raw" in iterator["items"]:
        value = iterator["items"]["raw"]
    elif iterator["items"].get("inputParameter") in parameters:
        value = parameters[iterator["items"]["inputParameter"]]
    else:
        raise RefusedError("driver.DAG", f"iterating on item input {iterator['itemInput']!r} failed: cannot find input parameter")
    found = json.loads(value) if isinstance(value, str) else value
    if not isinstance(found, list):
        raise RefusedError("driver.getItems", f"value {value!r} cannot be iterated")
    return found


def example(kind: str) -> Any:
    """A value of a type, as some container might write it."""
    return {"STRING": "text", "BOOLEAN": True, "LIST": [0], "STRUCT": {}}.get(kind, 1)


def check_container(container: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """What is asked of a container's arguments and of what it asks of its machine."""
    for argument in (*container.get("command", []), *container.get("args", [])):
        for name in () if "$.outputs" in argument else PLACEHOLDER.findall(argument):
            if name not in parameters:
                raise RefusedError("driver.resolveContainerArgs", f"parameter {name!r} not found in executor input")
    for text in quantities(container.get("resources", {})):
        if not QUANTITY.fullmatch(text):
            raise RefusedError("driver.getPodResource", f"quantities must match a number and a suffix, not {text!r}")


def quantities(resources: Mapping[str, Any]) -> Iterator[str]:
    """What a container asks of its machine, as Kubernetes reads it."""
    names = ("resourceMemoryLimit", "resourceMemoryRequest", "resourceCpuLimit", "resourceCpuRequest")
    yield from (resources[name] for name in names if name in resources)
    if "accelerator" in resources:
        yield from (resources["accelerator"][name] for name in ("resourceCount",) if name in resources["accelerator"])
