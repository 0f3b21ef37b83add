"""Names of benchmarks enter, all where none is given; one table leaves, printed and, where all of them ran, in two pages.

docs/performance.md gets the whole table, README.md how many times as fast or small as others what must be so is.

`python -m tests.benchmarks [NAME ...]` runs one after another, each in a process of its own. One that fails is a line that says
so; the exit status is then 1, and the pages stay as they were.
"""

import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from components.contract.cores import available_cores
from tests.benchmarks.table import HEADER, as_markdown, read_rows

BENCHMARKS = (  # in the table's order
    "smoke",  # before others leave gigabytes to be written to disk
    "tfrecord_bytes",
    "resize",
    "input_pipeline",
    "inference",
    "memory",
    "million_pairs",
    "scaling",
    "read_gcs",
)
ROOT = Path(__file__).parents[2]
PAGE, SUMMARY = "docs/performance.md", "README.md"
BEGIN, END = "<!-- make bench writes this table -->", "<!-- end of the table -->"


def run(names: Sequence[str]) -> int:
    """Runs the benchmarks, prints their table and returns the exit status."""
    start, load = time.monotonic(), os.getloadavg()[0]
    results = [run_one(name) for name in names]
    lines = [line for rows in results for line in rows]
    failed = [name for name, rows in zip(names, results, strict=True) if not rows]
    lines += [(name, "failed: its own output says why", *[""] * (len(HEADER) - 2)) for name in failed]
    table = f"{as_markdown(lines)}\n\n{caption((time.monotonic() - start) / 60, load)}"
    print(table)
    if not failed and set(names) == set(BENCHMARKS):
        for name, text in ((PAGE, table), (SUMMARY, ratios(lines))):
            page = ROOT / name
            page.write_text(with_table(page.read_text(encoding="utf-8"), text), encoding="utf-8")
            print(f"written into {page}")
    return int(bool(failed))


def run_one(name: str) -> list[tuple[str, ...]]:
    """Runs one benchmark, whose output is shown; returns its lines of the table, none where it fails."""
    print(f"{name}:", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder, "rows.json")
        ended = subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}", "--json", rows], cwd=ROOT, check=False)
        return [row.cells() for row in read_rows(rows)] if ended.returncode == 0 else []


def ratios(lines: Sequence[tuple[str, ...]]) -> str:
    """Returns the table of those lines whose figure is a ratio that must be large, without what they were measured on."""
    chosen = [(what, figure, bound) for what, *_, figure, bound in lines if bound.startswith(">=") and bound.endswith(" x")]
    return as_markdown(chosen, (HEADER[0], *HEADER[-2:]))


def with_table(page: str, table: str) -> str:
    """Returns the page with `table` between its two markers, in place of what was there."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def caption(minutes: float, load: float) -> str:
    """Where the table was measured: a ratio is of one machine, and a busy one blurs it."""
    tensorflow = next(d for d in ("tensorflow-cpu", "tensorflow") if is_installed(d))
    return (
        f"Measured by `make bench` in {minutes:.0f} minutes on {available_cores()} cores of {processor()} (load average before: "
        f"{load:.1f}), with Python {platform.python_version()} and TensorFlow {importlib.metadata.version(tensorflow)}."
    )


def is_installed(distribution: str) -> bool:
    """Returns whether the environment has a distribution; the CPU's TensorFlow goes by another name than the plain one."""
    return any(importlib.metadata.distributions(name=distribution))


def processor() -> str:
    """Returns the processor's model as Linux names it, else its architecture."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Runs benchmarks and prints their table.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all where none is given")
    chosen = parser.parse_args().names
    if unknown := sorted(set(chosen) - set(BENCHMARKS)):
        parser.error(f"no benchmark {', '.join(unknown)}; expected of {', '.join(BENCHMARKS)}")
    sys.exit(run(chosen or BENCHMARKS))
