"""README.md, docs/ and the code say the same: commands, options, parameters, presets; what a page leads to is there."""

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
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in sorted(ROOT.rglob("*.md"))
    if not any(part.startswith(".") or part == "runs" for part in path.relative_to(ROOT).parts)
}
README = PAGES["README.md"]
DOCUMENTED = "\n".join(text for name, text in PAGES.items() if name == "README.md" or name.startswith("docs/"))
OPTION = re.compile(r"--[a-z][a-z_-]*")
COMMANDS_OF_OTHERS = re.compile(
    r"^(?:\$ )?(gcloud|kubectl|docker|curl|docs/infra/\S+) .*$|`(gcloud|kubectl) [^`]*`", re.MULTILINE
)
OPTIONS_OF_OTHERS = {"--help", "--dry-run", "--xla_gpu_autotune_level"}


def commands() -> dict[str, argparse.ArgumentParser]:
    """Every command of the command line with its own parser."""
    return next(action.choices for action in parser()._actions if isinstance(action, argparse._SubParsersAction))


def options(command: argparse.ArgumentParser) -> set[str]:
    """The options of a command, those of its actions included."""
    own = {option for action in command._actions for option in action.option_strings if option.startswith("--")} - {"--help"}
    below = (action.choices.values() for action in command._actions if isinstance(action, argparse._SubParsersAction))
    return own.union(*(options(each) for actions in below for each in actions))


def synopsis() -> dict[str, str]:
    """The entries of the first block of docs/command-line.md: commands, and groups of options that others name in capitals."""
    block = PAGES["docs/command-line.md"].split("```")[1]
    entries = re.findall(r"^(?:python pipeline\.py )?([A-Z]+|[a-z]+) +(.*(?:\n +.*)*)", block, re.MULTILINE)
    assert len(entries) == len(dict(entries)) == len(re.findall(r"^\S", block, re.MULTILINE))
    return dict(entries)


def documented_options(name: str) -> set[str]:
    """The options of an entry of the synopsis, those of the groups it names included."""
    entries = synopsis()
    named = [group for group in entries if group.isupper() and re.search(rf"\b{group}\b", entries[name])]
    return set(OPTION.findall(entries[name])).union(*map(documented_options, named))


def parameter_rows() -> list[str]:
    """The parameter table as the settings declare it."""
    return [
        f"| `{field.name}` | {owner} | `{shown(default(field))}` | {describe(field).strip(' []')} | {field.metadata['help']} |"
        for owner, fields in groups().items()
        for field in fields
    ]


def shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def slugs(page: str) -> set[str]:
    """What leads to the headings of a page: GitHub makes it of their letters, digits, hyphens and spaces."""
    headings = re.findall(r"^#+ +(.+)$", without_blocks(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def without_blocks(page: str) -> str:
    return re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL)


def links(page: str) -> list[str]:
    """What a page leads to in this repository."""
    return re.findall(r"\]\((?!https?://)([^)\s]+)\)", without_blocks(page))


def test_the_synopsis_has_every_command_with_its_options_and_no_other() -> None:
    documented = {name: documented_options(name) for name in synopsis() if name.islower()}
    assert documented == {name: options(command) for name, command in commands().items()}


def test_every_command_and_option_that_a_page_names_exists() -> None:
    assert set(re.findall(r"pipeline\.py ([a-z]+)", DOCUMENTED)) <= set(commands())
    existing = set().union(options(command_line()), *map(options, commands().values()))
    assert set(OPTION.findall(COMMANDS_OF_OTHERS.sub("", DOCUMENTED))) <= existing | OPTIONS_OF_OTHERS


def test_the_parameter_table_is_what_the_settings_declare() -> None:
    rows = [line for line in PAGES["docs/parameters.md"].splitlines() if line.startswith("| `")]
    assert rows == parameter_rows(), "the table should be:\n" + "\n".join(parameter_rows())


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_in_the_readme(preset: str) -> None:
    assert re.search(rf"^\| `{preset}` \|", README, re.MULTILINE)


def test_the_pages_name_every_make_target_and_no_other() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (targets,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert {"demo", "test"} <= set(re.findall(r"^make ([a-z]+)$", README, re.MULTILINE))
    assert set(re.findall(r"(?:`|^|\$ )make ([a-z]+)", DOCUMENTED, re.MULTILINE)) == set(targets.split())


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_files_and_headings_that_are_there(name: str) -> None:
    lost = []
    for link in links(PAGES[name]):
        path, _, heading = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        if not target.exists() or (heading and heading not in slugs(target.read_text(encoding="utf-8"))):
            lost.append(link)
    assert lost == []


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    assert len(README.splitlines()) <= 220
    assert {link.partition("#")[0] for link in links(README)} >= set(PAGES) - {"README.md"}


def test_pages_that_the_code_names_are_there() -> None:
    code = [path for folder in ("components", "launch", "tests") for path in (ROOT / folder).rglob("*.py")]
    named = {page for path in code for page in re.findall(r"\bdocs/[a-z-]+\.md\b", path.read_text(encoding="utf-8"))}
    assert "docs/performance.md" in named  # which the benchmarks write
    assert named <= set(PAGES)
