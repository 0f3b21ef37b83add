"""The command line of the sample dataset.

python -m components.sample_dataset --output DIR [--full] [--series-per-species N] [--days N] [--width PX] ...
"""

import argparse
import dataclasses
from pathlib import Path

from components.sample_dataset.settings import FULL, SampleDatasetSettings
from components.sample_dataset.write import write_sample_dataset


def main(arguments: list[str] | None = None) -> None:
    """Reads the command line, writes the dataset and prints what it holds."""
    parser = command_line()
    chosen = vars(parser.parse_args(arguments))
    output, full, workers = chosen.pop("output"), chosen.pop("full"), chosen.pop("workers")
    changes = {name: value for name, value in chosen.items() if value is not None}
    try:
        settings = dataclasses.replace(FULL if full else SampleDatasetSettings(), **changes)
        counts = write_sample_dataset(output, settings, workers=workers)
    except ValueError as error:
        parser.error(str(error))
    print(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()), "in", output)


def command_line() -> argparse.ArgumentParser:
    """Returns the parser: one flag for each numeric field of SampleDatasetSettings, and --full."""
    parser = argparse.ArgumentParser(
        prog="python -m components.sample_dataset", description="Write synthetic plants in the challenge's layout."
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="The dataset's root; must be absent or empty.")
    parser.add_argument(
        "--full",
        action="store_true",
        help=f"The challenge's own counts (753 + 307 photos, {FULL.test_pairs:,} test pairs) at {FULL.width}x{FULL.height}.",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="Processes to draw with. Default: one per available core.")
    for field in dataclasses.fields(SampleDatasetSettings):
        if field.type is not int:
            continue
        unit = f" Unit: {field.metadata['unit']}." if field.metadata["unit"] else ""
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=int,
            metavar="N",
            help=f"{field.metadata['help']}{unit} Default: {field.default}.",
        )
    return parser


if __name__ == "__main__":
    main()
