"""A training that its accelerator may not hold is told before it is sent."""

import pytest

from launch.backends.cluster.memory import check_memory
from launch.backends.cluster.resources import Resources

FAST = {"encoder": "B7", "dim": 512, "clique_size": 8, "cliques_per_batch": 2, "mixed_precision": "mixed_float16"}
FAST |= {"rematerialize": False}


@pytest.mark.parametrize(
    ("machine", "changed"),
    [
        ({"accelerator": "nvidia-h100-80gb", "count": 1}, {}),
        ({"accelerator": "NVIDIA_TESLA_A100", "count": 1}, {}),
        ({"accelerator": "tpu-v5-lite-podslice", "count": 1, "topology": "1x1"}, {"cliques_per_batch": 1}),
        ({"machine_type": "ct5lp-hightpu-1t"}, {"rematerialize": True}),
        ({"machine_type": "ct5lp-hightpu-4t"}, {}),  # four chips, four images each
        ({"accelerator": "tpu-v5-lite-podslice", "count": 4, "topology": "2x2"}, {}),
        ({}, {}),  # any GPU: nothing is known of it
    ],
)
def test_what_fits_is_sent_without_a_word(machine: dict, changed: dict) -> None:
    assert check_memory(Resources(**machine), FAST | changed) == ""


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        ({"accelerator": "tpu-v5-lite-podslice", "count": 1, "topology": "1x1"}, "tpu-v5-lite-podslice has 16"),
        ({"machine_type": "ct5lp-hightpu-1t"}, "ct5lp-hightpu-1t has 16"),
        ({"accelerator": "nvidia-l4", "count": 1}, "nvidia-l4 has 24"),
    ],
)
def test_what_may_not_fit_is_told_with_what_would(machine: dict, words: str) -> None:
    assert f"needs about 25 GB, and {words}; try rematerialize=true, or set cliques_per_batch=1, or" in check_memory(
        Resources(**machine), FAST
    )


def test_what_is_too_much_even_if_computed_twice_is_not_told_to_be() -> None:
    machine = Resources(machine_type="ct5lp-hightpu-1t")
    for changed in ({}, {"rematerialize": True}):
        told = check_memory(machine, FAST | {"cliques_per_batch": 16} | changed)
        assert "rematerialize" not in told
        assert f"set cliques_per_batch={9 if changed else 1}, or" in told


@pytest.mark.parametrize("accelerator", ["NVIDIA_TESLA_V100", "nvidia-tesla-v100", "NVIDIA_TESLA_P100"])
def test_a_gpu_that_is_too_old_is_refused(accelerator: str) -> None:
    with pytest.raises(ValueError, match=f"train.accelerator={accelerator}: cuDNN needs a T4 or a newer GPU"):
        check_memory(Resources(accelerator=accelerator, count=1), FAST)
