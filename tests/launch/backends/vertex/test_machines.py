"""Machine types and accelerators of Vertex AI: what goes together is taken, what does not is refused with what does."""

import pytest

from launch.backends.cluster.resources import Resources
from launch.backends.vertex.machines import require_machine


@pytest.mark.parametrize(
    ("machine_type", "accelerator", "count"),
    [
        ("a2-highgpu-4g", "NVIDIA_TESLA_A100", 4),
        ("a2-megagpu-16g", "NVIDIA_TESLA_A100", 16),
        ("a2-ultragpu-1g", "NVIDIA_A100_80GB", 1),
        ("a3-highgpu-8g", "NVIDIA_H100_80GB", 8),
        ("g2-standard-12", "NVIDIA_L4", 1),
        ("g2-standard-24", "NVIDIA_L4", 2),
        ("g2-standard-96", "NVIDIA_L4", 8),
        ("n1-standard-8", "NVIDIA_TESLA_T4", 4),
        ("n1-standard-8", "", 0),
        ("e2-standard-4", "", 0),
        ("z9-newer-than-this", "NVIDIA_B200", 3),
    ],
)
def test_what_goes_together_is_taken(machine_type: str, accelerator: str, count: int) -> None:
    require_machine("train", Resources(machine_type=machine_type, accelerator=accelerator, count=count))


@pytest.mark.parametrize(
    ("machine_type", "accelerator", "count", "words"),
    [
        ("g2-standard-12", "NVIDIA_TESLA_A100", 1, "train.accelerator=NVIDIA_L4 --resource train.count=1"),
        ("a2-highgpu-4g", "NVIDIA_TESLA_A100", 1, "train.accelerator=NVIDIA_TESLA_A100 --resource train.count=4"),
        ("a3-highgpu-8g", "NVIDIA_H100_80GB", 1, "--resource train.count=8"),
        ("a2-highgpu-1g", "", 0, "It comes with 1 of NVIDIA_TESLA_A100"),
        ("n1-standard-8", "NVIDIA_TESLA_T4", 3, "NVIDIA_TESLA_T4: 1, 2, 4"),
        ("n1-standard-8", "NVIDIA_L4", 1, "Expected one of these"),
        ("e2-standard-4", "NVIDIA_TESLA_T4", 1, "It takes none"),
        ("a3-ultragpu-8g", "NVIDIA_H200_141GB", 8, "/gcs may be missing"),
    ],
)
def test_what_does_not_is_refused_with_what_does(machine_type: str, accelerator: str, count: int, words: str) -> None:
    with pytest.raises(ValueError, match="--resource train") as error:
        require_machine("train", Resources(machine_type=machine_type, accelerator=accelerator, count=count))
    assert words in str(error.value)
