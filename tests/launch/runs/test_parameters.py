"""One parameter, one declaration: command line and pipeline are made of it, components agree; presets and --set are checked."""

import dataclasses
import importlib
import inspect
import json
import re
from typing import Any

import pytest
from kfp import dsl

from components.settings import STAGES, Settings
from launch.backends.cluster.cluster import Cluster
from launch.backends.cluster.compile import check_parameters
from launch.backends.cluster.resources import Resources
from launch.runs.parameters import SETTINGS, RunSettings, fields, parse, pipeline_inputs, resolve, table
from launch.runs.presets import PRESETS, winner
from pipeline import verdelta


def declared() -> dict[str, dataclasses.Field[Any]]:
    """Every settings field of every stage by name, train's own fold included."""
    return {field.name: field for settings in SETTINGS.values() for field in dataclasses.fields(settings)}


def default_of(field: dataclasses.Field[Any]) -> Any:
    """A field's default, of a list as well."""
    return field.default if field.default is not dataclasses.MISSING else field.default_factory()  # type: ignore[misc]


def test_no_two_stages_share_a_parameter_name() -> None:
    names = [field.name for settings in (RunSettings, *SETTINGS.values()) for field in dataclasses.fields(settings)]
    assert len(names) == len(set(names))


DATA = {"resize_images": {"raw": str, "raw_digest": str}}  # where the data is: arguments of a stage that no settings declare
BOTH = {"splits": (list, ["train", "test"])}  # and what only `score`, which trains nothing, gives or leaves out
OPTIONAL = {
    "resize_images": BOTH,
    "generate_pairs": BOTH,
    "write_tfrecords": {"folded_pairs": (dsl.Input[dsl.Dataset], None)},
    "calibrate": {
        **dict.fromkeys(("out_of_fold", "histories"), (dsl.Input[list[dsl.Dataset]], None)),
        "calibrated": (dsl.Input[dsl.Dataset], None),
    },
    "report": {"folded_pairs": (dsl.Input[dsl.Dataset], None)},
}
SHARDS = {"resize_images": {"shard": int, "num_shards": int}}  # which part of the work


@pytest.mark.parametrize(("stage", "settings"), SETTINGS.items())
def test_component_arguments_are_the_settings_fields(stage: str, settings: type[Settings]) -> None:
    face = getattr(importlib.import_module(f"components.{stage}.component"), stage)
    declared = inspect.signature(face.python_func).parameters.values()
    arguments = [argument for argument in declared if argument.default is inspect.Parameter.empty]
    optional = {argument.name: (argument.annotation, argument.default) for argument in declared if argument not in arguments}
    assert optional == OPTIONAL.get(stage, {}), "the pipeline passes every other value"
    scalars = {
        argument.name: argument.annotation for argument in arguments if argument.annotation in (int, float, bool, str, list)
    }
    own = {field.name: field.type for field in dataclasses.fields(settings)}
    assert scalars == DATA.get(stage, {}) | own | SHARDS.get(stage, {})
    artifacts = [argument.name for argument in arguments if argument.name not in scalars]
    assert [argument.name for argument in arguments] == [*artifacts, *scalars], "artifacts first"


@pytest.mark.parametrize("stage", STAGES)
def test_every_artifact_of_a_component_and_the_address_of_its_data_are_documented(stage: str) -> None:
    face = getattr(importlib.import_module(f"components.{stage}.component"), stage)
    declared = {field.name for field in dataclasses.fields(SETTINGS[stage])}
    undeclared = set(inspect.signature(face.python_func).parameters) - declared
    assert undeclared
    for name in undeclared:
        assert re.search(rf"^ +{name}:", face.python_func.__doc__, re.MULTILINE), (stage, name)


def test_pipeline_parameters_are_the_settings_fields_with_their_defaults() -> None:
    parameters = dict(inspect.signature(verdelta.pipeline_func).parameters)
    for name, kind in DATA["resize_images"].items():
        data = parameters.pop(name)
        assert (data.annotation, data.default) == (kind, inspect.Parameter.empty)
    for name in ("shards", "folds"):  # of the default num_shards, and of the settings, which hold lists of one kind
        looped = parameters.pop(name)
        assert (looped.annotation, looped.default) == (list[int], [0] if name == "shards" else RunSettings().folds)
    expected = declared()
    del expected["fold"]
    assert {name: (each.annotation, each.default) for name, each in parameters.items()} == {
        name: (field.type, default_of(field)) for name, field in expected.items()
    }


def test_set_accepts_every_pipeline_parameter_but_the_data() -> None:
    pipeline = set(inspect.signature(verdelta.pipeline_func).parameters) - set(DATA["resize_images"])
    assert set(fields()) == pipeline - {"shards"}
    for name, field in fields().items():
        value = default_of(field)
        text = value if isinstance(value, str) else json.dumps(value)
        assert parse([f"{name}={text}"]) == {name: value}


@pytest.mark.parametrize(("num_shards", "shards"), [(1, [0]), (3, [0, 1, 2])])
def test_the_list_that_the_pipeline_loops_over_is_made_of_num_shards(num_shards: int, shards: list[int]) -> None:
    parameters = resolve({}, {"num_shards": num_shards})
    assert pipeline_inputs(parameters) == {**parameters, "shards": shards}
    assert set(pipeline_inputs(parameters)) | set(DATA["resize_images"]) == set(verdelta.component_spec.inputs)


VERTEX = Cluster(
    target="vertex", accelerator="none", images={}, resources={stage: Resources() for stage in STAGES}, environment={}, labels={}
)


def test_the_most_shards_fit_into_a_parameter_of_a_cluster() -> None:
    most = pipeline_inputs(resolve({}, {"num_shards": 1000}))
    check_parameters(most, VERTEX)
    with pytest.raises(ValueError, match="num_shards=1001: expected at most 1000"):
        resolve({}, {"num_shards": 1001})


def test_artifacts_of_more_shards_than_fit_into_a_parameter_are_refused_with_what_to_do() -> None:
    items = [{"shard": shard, "write_tfrecords_examples": "gs://bucket/" + 90 * "x"} for shard in range(90)]
    with pytest.raises(
        ValueError, match=r"write_tfrecords_shards: 1\d{4} characters; .* begin the rerun at the stage that wrote"
    ):
        check_parameters({"write_tfrecords_shards": items}, VERTEX)


def test_compiled_defaults_are_the_resolved_ones() -> None:
    """What a cluster fills in, where nothing is given, is what a local run does."""
    inputs = verdelta.pipeline_spec.root.input_definitions.parameters
    for name, value in resolve({}, {}).items():
        compiled = inputs[name].default_value
        kind = compiled.WhichOneof("kind")
        if kind == "list_value":
            assert (
                list(compiled.list_value.values) == []
                if value == []
                else [int(v.number_value) for v in compiled.list_value.values] == value
            )
        else:
            assert getattr(compiled, kind) == value, name


def test_table_names_every_parameter_with_its_help() -> None:
    text = table()
    for name, field in fields().items():
        assert f"\n  {name}=" in text
        assert field.metadata["help"] in text
    assert "  image_size=1024  [px, 16 to 8192]\n" in text
    assert "  layout=images  [one of images, pairs]\n" in text


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("epochs=3", "epochs", 3),
        ("learning_rate=1e-3", "learning_rate", 0.001),
        ("learning_rate=1", "learning_rate", 1.0),
        ("reestimate_batchnorm=true", "reestimate_batchnorm", True),
        ("checkpoint=/a/b=c.keras", "checkpoint", "/a/b=c.keras"),  # only the first "=" parts
        ("encoder=B0", "encoder", "B0"),
        ("folds=[2, 0]", "folds", [2, 0]),
        ('calibration_rules=[{"species":"LT","factor":1.1}]', "calibration_rules", [{"species": "LT", "factor": 1.1}]),
    ],
)
def test_set_reads_a_value_as_its_type(text: str, name: str, value: Any) -> None:
    assert parse([text]) == {name: value}
    assert type(parse([text])[name]) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs", "--set epochs: expected NAME=VALUE"),
        ("epochs=", "--set epochs=: expected a whole number"),
        ("epochs=1.5", "--set epochs=1.5: expected a whole number"),
        ("learning_rate=fast", "--set learning_rate=fast: expected a number"),
        ("reestimate_batchnorm=yes", "--set reestimate_batchnorm=yes: expected true or false"),
        ("reestimate_batchnorm=1", "--set reestimate_batchnorm=1: expected true or false"),
        ("folds=0", "--set folds=0: expected a JSON list"),
        ("folds=[0,", r"--set folds=\[0,: expected a JSON list"),
        ("learning_rat=1", r"no such parameter. Did you mean learning_rate\? Known: folds, image_size, "),
        ("fold=1", r"no such parameter. Did you mean folds\?"),  # train's own fold is not for people
        ("zzz=1", "--set zzz: no such parameter. Known: folds"),
    ],
)
def test_set_refuses_with_what_it_expected(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse([text])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("calibration_rules=" + 9 * "[" + 9 * "]", r"expected a JSON list.* of at most 8 brackets within one another"),
        ("folds=" + 50_000 * "[", r"folds=\[{79}…: expected a JSON list"),  # json would end in a RecursionError
        ("folds=" + 9_000 * '[{"a":', "expected a JSON list"),
        ("folds=[" + 100_000 * "0" + "]", "100002 characters. At most 100000 fit on a command line"),
        ("epochs=" + 5_000 * "9", "epochs=9{79}…: expected a whole number"),
    ],
)
def test_set_refuses_what_no_parameter_can_be_without_reading_it(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        parse([text])
    assert len(str(error.value)) < 300


def test_every_number_has_bounds_and_says_why_there_is_an_upper_one() -> None:
    for name, field in declared().items():
        if field.type in (int, float):
            assert field.metadata["at_least"] is not None and field.metadata["at_most"] is not None, name
            if field.metadata["at_most"] > 200:  # above that it is a matter of memory, below it of meaning
                assert field.metadata["why"], name


def test_set_refuses_a_parameter_given_twice() -> None:
    with pytest.raises(ValueError, match="--set epochs: given twice"):
        parse(["epochs=1", "epochs=2"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"folds": []}, "folds=\\[\\]: expected different whole numbers"),
        ({"folds": [0, 0]}, "folds=\\[0, 0\\]: expected different whole numbers"),
        ({"folds": [-1]}, "folds=\\[-1\\]: expected different whole numbers"),
        ({"folds": [True]}, "folds=\\[True\\]: expected different whole numbers"),
        ({"folds": [4, 5]}, "5 is not one of the num_folds=5 folds, 0 to 4"),
        ({"image_size": 8}, "image_size=8: expected at least 16"),
        ({"encoder": "B9"}, "encoder='B9': expected one of B0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan: expected at least"),
        ({"calibration": "rules"}, "needs calibration_rules"),
        ({"image_size": 8193}, "image_size=8193: expected at most 8192, as one photo of 8192 px takes 200 MB of memory"),
        ({"dim": 10**200}, r"dim=a number of 665 bits: expected at most 2048, as the networks were made for 224 to 600 px"),
        ({"memory_budget_gb": float("inf")}, "memory_budget_gb=inf: expected at most 100000, as no machine has more"),
        ({"checkpoint": "x" * 5000}, r"checkpoint='x{78}…: expected at most 4096 characters"),
        ({"calibration": "rules", "calibration_rules": [{"series": "a", "factor": 1e300}]}, "above 0 and at most 1000, as"),
        (
            {"calibration": "rules", "calibration_rules": [{"series": "a", "factor": 2}] * 1001},
            "1001 rules. .* at most 1000",
        ),
    ],
)
def test_values_are_checked_before_anything_runs(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve({}, given)


def test_given_values_go_over_the_preset_and_the_preset_over_defaults() -> None:
    values = resolve({"epochs": 7, "dim": 64}, {"dim": 96})
    assert (values["epochs"], values["dim"], values["num_folds"]) == (7, 96, 5)


def test_values_come_out_as_their_types() -> None:
    """JSON has one kind of number; a cache key must not depend on how one was written."""
    assert repr(resolve({}, {"learning_rate": 1})["learning_rate"]) == "1.0"


@pytest.mark.parametrize("name", PRESETS)
def test_presets_change_known_parameters_to_valid_values(name: str) -> None:
    preset = PRESETS[name]()
    assert set(preset) <= set(fields())
    resolve(preset, {})


@pytest.mark.parametrize("name", PRESETS)
def test_presets_say_hardware_duration_and_score(name: str) -> None:
    doc = PRESETS[name].__doc__ or ""
    assert all(word in doc for word in ("Hardware:", "Duration:", "Score:"))


def test_winner_is_the_winning_recipe() -> None:
    """The published recipe's constants, section by section."""
    values = resolve(winner(), {})
    recipe = {
        "image_size": 1024, "jpeg_quality": 75,  # resize
        "num_folds": 5, "shuffle_seed": 34,  # folds
        "dim": 512, "augmentations": 5, "shuffle_buffer": 1024,  # input
        "clique_size": 2, "cliques_per_batch": 8,  # eight pairs of two images
        "encoder": "B7", "checkpoint": "imagenet", "lstm_units": 1024, "dense_units": 300,  # model
        "learning_rate": 1e-4, "schedule": "constant", "epochs": 1, "steps_per_epoch": 0, "ema_momentum": 0.0,  # training
        "mixed_precision": "mixed_float16", "seed": 547895, "folds": [0],
        "tta_views": 1,  # the photo as it is
        "calibration": "rules",
    }  # fmt: skip
    assert {name: values[name] for name in recipe} == recipe
    assert [(rule.get("species") or rule.get("series"), rule["factor"]) for rule in values["calibration_rules"]] == [
        ("LT", 1.10),
        ("BC", 1.05),
        ("LT_1088", 0.65),
        ("LT_1089", 0.65),
    ]
