"""The benchmarks' frame: `make bench` knows each one, a missed target is said, docs/performance.md shows the whole table."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as runner
from tests.benchmarks.table import HEADER, Row, as_markdown, read_rows

ROOT = Path(__file__).parents[1]
PAGE, SUMMARY = ((ROOT / name).read_text(encoding="utf-8") for name in (runner.PAGE, runner.SUMMARY))
ROW = Row(
    what="decoding", measured="10 photos", ours="1 s", other="3 s", value=3.0, unit="x", target=2.5, at_least=True, note="a | b"
)


def cells(line: str) -> list[str]:
    """The cells of a line of a Markdown table."""
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def table_in(page: str) -> list[list[str]]:
    """The lines of the table between the markers, its header first."""
    between = page.split(runner.BEGIN)[1].split(runner.END)[0]
    return [cells(line) for line in between.splitlines() if line.startswith("|")]


def test_the_runner_knows_every_benchmark() -> None:
    modules = {path.stem for path in (ROOT / "tests/benchmarks").glob("*.py") if "\nmain(measure)" in unindented(path)}
    assert modules == set(runner.BENCHMARKS)


def unindented(path: Path) -> str:
    return re.sub(r"^ +", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_the_page_shows_a_whole_table() -> None:
    header, rule, *lines = table_in(PAGE)
    assert (tuple(header), set(rule)) == (HEADER, {"---"})
    assert len(lines) >= len(runner.BENCHMARKS)
    for line in lines:
        assert len(line) == len(HEADER) and all(line), line


def test_the_page_says_which_targets_are_missed() -> None:
    for line in table_in(PAGE)[2:]:
        figure, bound = (float(re.sub(r"[^0-9.e+-]", "", cell.replace("(missed)", ""))) for cell in line[-2:])
        met = figure >= bound if line[-1].startswith(">=") else figure <= bound
        assert figure == bound or met != ("(missed)" in line[-2]), line


def test_the_readme_shows_the_ratios_of_that_table_that_must_be_large_and_no_other() -> None:
    ratios = [[line[0], *line[-2:]] for line in table_in(PAGE)[2:] if re.fullmatch(r">= [\d.]+ x", line[-1])]
    assert table_in(SUMMARY)[2:] == ratios and len(ratios) > 5


@pytest.mark.parametrize(
    ("value", "at_least", "figure", "bound"),
    [
        (3.0, True, "3 x", ">= 2.5 x"),
        (2.5, True, "2.5 x", ">= 2.5 x"),
        (2.0, True, "2 x (missed)", ">= 2.5 x"),
        (2.0, False, "2 x", "<= 2.5 x"),
        (1234.5, False, "1,234 x (missed)", "<= 2.5 x"),
        (float("nan"), False, "nan x (missed)", "<= 2.5 x"),
    ],
)
def test_a_missed_target_is_said_beside_the_figure(value: float, at_least: bool, figure: str, bound: str) -> None:
    row = dataclasses.replace(ROW, value=value, at_least=at_least)
    assert row.cells() == ("decoding", "10 photos; a | b", "1 s", "3 s", figure, bound)


def test_a_figure_that_is_only_a_bound_is_shown_as_one() -> None:
    assert dataclasses.replace(ROW, is_bound=True).cells()[4] == "> 3 x"


def test_a_bar_inside_a_cell_does_not_end_it() -> None:
    assert cells(as_markdown([ROW.cells()]).splitlines()[2]) == list(ROW.cells())


def test_a_table_is_replaced_and_the_page_around_it_kept() -> None:
    page = f"# page\n{runner.BEGIN}\nold\n{runner.END}\nend\n"
    assert runner.with_table(page, "| new |") == f"# page\n{runner.BEGIN}\n| new |\n{runner.END}\nend\n"


def test_a_benchmark_prints_its_rows_and_writes_them(tmp_path: Path) -> None:
    program = f"from tests.benchmarks.table import Row, main\nmain(lambda: [Row(**{dataclasses.asdict(ROW)!r})])"
    command = [sys.executable, "-c", program, "--json", str(tmp_path / "rows.json")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    assert printed.startswith("decoding: 3 x, must reach >= 2.5 x\n")
    assert read_rows(tmp_path / "rows.json") == [ROW]


def test_a_failed_benchmark_is_a_line_and_status_1_and_the_pages_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "tests/benchmarks"
    folder.mkdir(parents=True)
    (folder / "good.py").write_text(f"import sys\nopen(sys.argv[2], 'w').write({json.dumps([dataclasses.asdict(ROW)])!r})\n")
    (folder / "bad.py").write_text("raise SystemExit('no such photo')\n")
    (tmp_path / "docs").mkdir()
    for name, text in ((runner.PAGE, PAGE), (runner.SUMMARY, SUMMARY)):
        (tmp_path / name).write_text(text, encoding="utf-8")

    def pages() -> tuple[str, str]:
        return (tmp_path / runner.PAGE).read_text(encoding="utf-8"), (tmp_path / runner.SUMMARY).read_text(encoding="utf-8")

    monkeypatch.setattr(runner, "ROOT", tmp_path)
    monkeypatch.setattr(runner, "BENCHMARKS", ("good", "bad"))
    assert runner.run(runner.BENCHMARKS) == 1
    shown = capfd.readouterr()
    lines = [cells(line) for line in shown.out.splitlines() if line.startswith("| ")]
    assert [line[0] for line in lines[2:]] == ["decoding", "bad"] and "failed" in lines[3][1] and "no such photo" in shown.err
    assert pages() == (PAGE, SUMMARY)
    assert runner.run(["good"]) == 0
    assert pages() == (PAGE, SUMMARY)
    monkeypatch.setattr(runner, "BENCHMARKS", ("good",))
    assert runner.run(["good"]) == 0
    what, *_, figure, bound = ROW.cells()
    assert [table_in(page)[2:] for page in pages()] == [[list(ROW.cells())], [[what, figure, bound]]]
