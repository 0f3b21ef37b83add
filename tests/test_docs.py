"""README.md, docs/ and the code say the same: commands, options, parameters, presets, links."""

import argparse
import json
import re
from pathlib import Path

import pytest

from components.sample_dataset.__main__ import command_line
from launch.cli.main import parser
from launch.runs.parameters import default, describe, groups
from launch.runs.presets import PRESETS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTED = "\n".join((README, *(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md")))))
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part == "runs" for part in path.relative_to(ROOT).parts)
)


def commands() -> dict[str, argparse.ArgumentParser]:
    """Every command of the command line with its own parser."""
    return next(action.choices for action in parser()._actions if isinstance(action, argparse._SubParsersAction))


def options(command: argparse.ArgumentParser) -> set[str]:
    return {option for action in command._actions for option in action.option_strings if option.startswith("--")} - {"--help"}


def parameter_rows() -> list[str]:
    """The README's parameter table as the settings declare it."""
    return [
        f"| `{field.name}` | {owner} | `{shown(default(field))}` | {describe(field).strip(' []')} | {field.metadata['help']} |"
        for owner, fields in groups().items()
        for field in fields
    ]


def shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def test_every_command_is_in_the_readme_and_every_one_in_the_readme_exists() -> None:
    assert set(re.findall(r"pipeline\.py ([a-z]+)", DOCUMENTED)) == set(commands())


def test_every_option_is_in_the_readme_and_every_one_in_the_readme_exists() -> None:
    ours = re.sub(r"^(gcloud|kubectl) .*$", "", DOCUMENTED, flags=re.MULTILINE)
    documented = set(re.findall(r"--[a-z][a-z-]*", ours))
    existing = set().union(*map(options, commands().values()))
    assert existing <= documented <= existing | {"--help"} | options(command_line())


def test_the_parameter_table_is_what_the_settings_declare() -> None:
    rows = [line for line in DOCUMENTED.splitlines() if re.match(r"\| `[a-z_]+` \| [a-z_]+ \| `", line)]
    assert rows == parameter_rows(), "the table should be:\n" + "\n".join(parameter_rows())


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_in_the_readme(preset: str) -> None:
    assert re.search(rf"^\| `{preset}` \|", README, re.MULTILINE)


def test_every_make_target_in_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"`?make ([a-z]+)", DOCUMENTED))
    assert {"demo", "test"} <= targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_files_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
