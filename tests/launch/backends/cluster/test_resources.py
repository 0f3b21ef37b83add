"""What stages ask of their machines: the small preset fits on a small cluster, and flags win over it."""

from components.settings import STAGES
from launch.backends.cluster.resources import parse_resources, resolve_resources

PEAK_MB = {  # resident, of a run of the preset smoke on its sample data
    "resize_images": 81, "generate_pairs": 75, "split_folds": 156, "write_tfrecords": 595,
    "train": 1517, "predict": 1131, "calibrate": 72, "report": 88,
}  # fmt: skip


def test_smoke_asks_for_what_it_needs_and_little_more() -> None:
    asked = resolve_resources(parse_resources([]), {}, "none", preset="smoke")
    for stage in STAGES:
        assert asked[stage].cpu == 1, "two such cores are a small node"
        assert 2 * PEAK_MB[stage] < 1024 * asked[stage].memory <= 4096


def test_other_presets_ask_for_more_and_flags_win() -> None:
    flags = parse_resources(["all.cpu=2", "train.cpu=3"])
    assert resolve_resources(parse_resources([]), {}, "none", preset="fast")["train"].cpu > 4
    asked = resolve_resources(flags, {}, "none", preset="smoke")
    assert (asked["train"].cpu, asked["report"].cpu) == (3, 2)
