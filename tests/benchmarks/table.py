"""What a benchmark measured enters; one row per line of the table leaves, as text, as JSON, or as Markdown.

Each benchmark is a module of this folder with `def measure() -> Iterator[Row]` that ends with
`if __name__ == "__main__": main(measure)`; `python -m tests.benchmarks` runs them all.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

HEADER = ("what", "measured as", "ours", "compared with", "figure", "must reach")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        what: what is measured.
        measured: how, in one phrase.
        ours: our figures, as text with units.
        other: the figures ours are compared with, as text with units.
        value: the ratio or figure that the target is about.
        unit: of value and target: x, s, GB or %.
        target: what value must reach.
        at_least: whether target is a lower bound (True) or an upper one.
        is_bound: whether value is more than this, by how much is not known, as the other side was stopped.
        note: what one has to know to read the line.
    """

    what: str
    measured: str
    ours: str
    other: str
    value: float
    unit: str
    target: float
    at_least: bool
    is_bound: bool = False
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether value reaches target; a value that is not a number does not."""
        return self.value >= self.target if self.at_least else self.value <= self.target

    def cells(self) -> tuple[str, ...]:
        """The line's texts, in the order of HEADER; a missed target is said in words."""
        figure = ("> " if self.is_bound else "") + with_unit(self.value, self.unit) + ("" if self.met else " (missed)")
        bound = f"{'>=' if self.at_least else '<='} {with_unit(self.target, self.unit)}"
        measured = f"{self.measured}; {self.note}" if self.note else self.measured
        return (self.what, measured, self.ours, self.other, figure, bound)


def main(measure: Callable[[], Iterable[Row]]) -> None:
    """The command line of one benchmark: prints each row when it is measured, and `--json FILE` writes them all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file, too")
    arguments = parser.parse_args()
    start, rows = time.monotonic(), []
    for row in measure():
        rows.append(row)
        print(as_text(row), flush=True)
    print(f"measured in {time.monotonic() - start:.0f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps([dataclasses.asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")


def read_rows(path: Path) -> list[Row]:
    """Reads what `--json` wrote."""
    return [Row(**fields) for fields in json.loads(path.read_text(encoding="utf-8"))]


def as_text(row: Row) -> str:
    """The row for a terminal: a line with the figure, then one per detail."""
    what, measured, ours, other, figure, bound = row.cells()
    return f"{what}: {figure}, must reach {bound}\n  {measured}\n  ours: {ours}\n  compared with: {other}"


def as_markdown(lines: Iterable[Sequence[str]], header: Sequence[str] = HEADER) -> str:
    """A Markdown table of lines of cells, in the order of the header."""
    cells = (header, ["---"] * len(header), *lines)
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in cells)


def with_unit(value: float, unit: str) -> str:
    """Three significant digits and the unit: 38.8 x, 1.08 x, 0.613 GB; of large numbers all digits."""
    return f"{value:,.0f} {unit}" if abs(value) >= 100 else f"{value:.3g} {unit}"
