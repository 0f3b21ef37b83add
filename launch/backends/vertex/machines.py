"""Knows which machine types of Vertex AI come with which accelerators, and how many.

From Google Cloud's list of GPU machine types; a type that is not in it is left for Vertex AI to judge.
"""

import re

from launch.backends.cluster.resources import Resources

# (machine types, accelerator, how many): a number, or the part of the machine type's name that is that number
BUILT_IN: tuple[tuple[str, str, str | int], ...] = (
    (r"a2-highgpu-([1248])g", "NVIDIA_TESLA_A100", r"\1"),
    (r"a2-megagpu-(16)g", "NVIDIA_TESLA_A100", r"\1"),
    (r"a2-ultragpu-([1248])g", "NVIDIA_A100_80GB", r"\1"),
    (r"a3-highgpu-([1248])g", "NVIDIA_H100_80GB", r"\1"),
    (r"a3-megagpu-(8)g", "NVIDIA_H100_MEGA_80GB", r"\1"),
    (r"a3-ultragpu-(8)g", "NVIDIA_H200_141GB", r"\1"),
    (r"a4-highgpu-(8)g", "NVIDIA_B200", r"\1"),
    (r"g2-standard-(4|8|12|16|32)", "NVIDIA_L4", 1),
    (r"g2-standard-24", "NVIDIA_L4", 2),
    (r"g2-standard-48", "NVIDIA_L4", 4),
    (r"g2-standard-96", "NVIDIA_L4", 8),
)
ATTACHED = {  # what n1 machines take, and how many
    "NVIDIA_TESLA_T4": (1, 2, 4),
    "NVIDIA_TESLA_P4": (1, 2, 4),
    "NVIDIA_TESLA_P100": (1, 2, 4),
    "NVIDIA_TESLA_V100": (1, 2, 4, 8),
    "NVIDIA_TESLA_K80": (1, 2, 4, 8),
}
TAKES_NONE = re.compile(r"(e2|n2|n2d|c2|c2d|c3|c4|m1|m3|n4)-.*")
WITHOUT_GCS = re.compile(r"a3-ultragpu-.*")  # /gcs was seen to be missing there: gcsfuse issue 4333


def require_machine(stage: str, resources: Resources) -> None:
    """Refuses a machine type with accelerators that it does not go with. Raises ValueError: says what goes with it."""
    machine, accelerator, count = resources.machine_type, resources.accelerator, resources.count
    if WITHOUT_GCS.fullmatch(machine):
        raise ValueError(
            f"--resource {stage}.machine_type={machine}: on these /gcs may be missing (gcsfuse issue 4333), where stages "
            "read and write. Expected another one, such as a3-highgpu-8g."
        )
    said = f"--resource {stage}.machine_type={machine}: accelerator={accelerator!r} and count={count} do not go with it."
    for pattern, own, of_type in BUILT_IN:
        if not (match := re.fullmatch(pattern, machine)):
            continue
        number = int(match.expand(of_type) if isinstance(of_type, str) else of_type)
        if (own, number) != (accelerator, count):
            raise ValueError(
                f"{said} It comes with {number} of {own}: add --resource {stage}.accelerator={own} --resource "
                f"{stage}.count={number}, or choose another machine type."
            )
    if machine.startswith("n1-") and accelerator and count not in ATTACHED.get(accelerator, ()):
        taken = "; ".join(f"{name}: {', '.join(map(str, counts))}" for name, counts in ATTACHED.items())
        raise ValueError(f"{said} Expected one of these: {taken}.")
    if TAKES_NONE.fullmatch(machine) and accelerator:
        raise ValueError(f"{said} It takes none; expected an a2, a3, a4, g2 or n1 machine, or no accelerator.")
