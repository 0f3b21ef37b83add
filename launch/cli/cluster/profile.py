"""`profile`: keeps what is the same for every run on a cluster in verdelta.toml, which is looked for in this folder and those
above.

Flags win over it; --profile NAME, or $VERDELTA_PROFILE, chooses one of several.
"""

import argparse
import copy
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from launch.backends.table import CLUSTERS
from launch.cli.options import HERE, add_connection, add_machines, add_sending, add_target
from launch.runs.parameters import did_you_mean

HELP = "keep the flags of a cluster in verdelta.toml"
FILE, VARIABLE, DEFAULT = "verdelta.toml", "VERDELTA_PROFILE", "default"
NOT_KEPT = {"help", "wait"}  # what each command says for itself
OF_TRAINING = ("submit", "compile")  # `raw` is what a run is trained on; score has photos of its own


def add_flags(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    init = actions.add_parser("init", help="write a profile of these flags")
    add_kept(init)
    init.set_defaults(command=write)
    shown = actions.add_parser("show", help="print the profile that commands here use, and where it is from")
    shown.add_argument("--profile", metavar="NAME", help="of the several in the file (default: default)")
    shown.set_defaults(command=show)


def add_kept(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that a profile may hold."""
    add_target(parser, "what runs the pipeline", required=True)
    add_machines(parser)
    add_connection(parser)
    add_sending(parser)
    parser.add_argument("--raw", metavar="GS", help="the raw data, gs://BUCKET/FOLDER")


def kept() -> dict[str, argparse.Action]:
    """Returns the flags that a profile may hold, by the names that they have there."""
    parser = argparse.ArgumentParser()
    add_kept(parser)
    return {action.dest: action for action in parser._actions if action.dest not in {*NOT_KEPT, "profile"}}


def write(arguments: argparse.Namespace, _pipeline: Any) -> int:
    """Writes a profile of the flags into this folder's file, returns the exit status. Raises ValueError: it has one so named."""
    path, name = Path(FILE), arguments.profile or DEFAULT
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if name in tomllib.loads(text):
        raise ValueError(f"{path}: has a profile {name} already. Edit it there, or give another --profile.")
    values = {key: getattr(arguments, key) for key, action in kept().items() if getattr(arguments, key) != action.default}
    table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
    path.write_text(f"{text}{chr(10) if text else ''}[{json.dumps(name)}]\n{table}\n", encoding="utf-8")
    print(f"{path}: profile {name} of target {arguments.target}")
    return 0


def show(arguments: argparse.Namespace, _pipeline: Any) -> int:
    """Prints the profile that is used here and returns the exit status. Raises FileNotFoundError: there is none."""
    path = profile_file(Path.cwd())
    if path is None:
        raise FileNotFoundError(f"{FILE}: neither in {Path.cwd()} nor above. Write one: python pipeline.py profile init --help")
    name = arguments.profile or os.environ.get(VARIABLE) or DEFAULT
    print(f"profile {name} of {path}")
    print("\n".join(f"  {key} = {json.dumps(value)}" for key, value in read_profile(path, name).items()))
    return 0


def profile_file(folder: Path) -> Path | None:
    """Returns the file in `folder` or the nearest above that has one."""
    return next((place / FILE for place in (folder, *folder.parents) if (place / FILE).is_file()), None)


def read_profile(path: Path, name: str) -> dict[str, Any]:
    """Returns a profile. Raises ValueError: no TOML, no such profile, a name that is no flag's, or a value that no flag takes."""
    try:
        profiles = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: {error}. Expected TOML; correct the line.") from error
    if not isinstance(profiles.get(name), dict):
        raise ValueError(f"{path}: no profile [{name}]; it has {', '.join(profiles) or 'none'}. Choose one with --profile.")
    known = kept()
    for key, value in profiles[name].items():
        if key not in known:
            raise ValueError(f"{path}, [{name}]: no flag {key!r}.{did_you_mean(key, known)} Known: {', '.join(known)}.")
        texts = value if isinstance(value, list) else [value]
        if isinstance(value, list) != isinstance(known[key].default, list) or not all(isinstance(text, str) for text in texts):
            expected = 'a list of texts, such as ["a=1"]' if isinstance(known[key].default, list) else "a text in quotes"
            raise ValueError(f"{path}, [{name}], {key}: {value!r}. Expected {expected}.")
    if profiles[name].get("target") not in CLUSTERS:
        raise ValueError(f"{path}, [{name}]: target is {profiles[name].get('target')!r}; expected one of {', '.join(CLUSTERS)}.")
    return dict(profiles[name])


def with_profile(arguments: Sequence[str], commands: Mapping[str, argparse.ArgumentParser]) -> list[str]:
    """Returns a command line with the flags of the profile that is used here but those it gives itself; raises as `read_profile`.

    Nothing is added to a command that does not go to a cluster, nor where it names another target than the profile.
    """
    command, rest = (arguments[0], list(arguments[1:])) if arguments else ("", [])
    parser = commands.get(command)
    flags = {action.dest: action for action in parser._actions} if parser else {}
    if not parser or "target" not in flags or {"-h", "--help"} & set(rest):
        return list(arguments)
    asked = copy.deepcopy(parser)
    for action in asked._actions:
        action.required = False  # the profile may have it
    given, _ = asked.parse_known_args(rest)
    name, path = given.profile or os.environ.get(VARIABLE), profile_file(Path.cwd())
    if path is None:
        if name:
            raise ValueError(f"--profile {name}: no {FILE} in {Path.cwd()} or above. Write one: python pipeline.py profile init")
        return list(arguments)
    if given.target == HERE:
        return list(arguments)
    profile = read_profile(path, name or DEFAULT)
    if given.target not in (None, profile["target"]):
        return list(arguments)
    if command == "compile" and profile["target"] == "kubeflow":
        profile.pop("service_account", None)  # which is no part of a file for Kubeflow
    added = []
    for key, value in profile.items():
        if key not in flags or (key == "raw" and command not in OF_TRAINING):
            continue
        own = {text.partition("=")[0] for text in getattr(given, key, None) or []} if isinstance(value, list) else set()
        texts = [text for text in value if text.partition("=")[0] not in own] if isinstance(value, list) else [value]
        added += [word for text in texts for word in (flags[key].option_strings[0], text)]
    return [command, *added, *rest]
