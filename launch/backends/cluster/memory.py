"""Says before a run is sent whether its training fits into the memory of the accelerator that it asks for."""

import re
from collections.abc import Mapping
from typing import Any

from components.network.memory import most_images, step_bytes
from launch.backends.cluster.resources import Resources

# GB of one device, by what its name or machine type holds, on GKE and on Vertex AI; the first that is found counts.
MEMORY_GB = {
    "v5-lite": 16, "v5_lite": 16, "ct5lp": 16, "v6e": 32, "ct6e": 32, "v5p": 95, "ct5p": 95, "tpu-v4": 32, "ct4p": 32,
    "h200": 141, "a3-ultra": 141, "h100": 80, "a3-": 80, "a100-80": 80, "a100_80": 80, "a2-ultra": 80, "a100": 40, "a2-": 40,
    "l4": 24, "g2-": 24, "t4": 16,
}  # fmt: skip
TOO_OLD = ("v100", "p100", "p4", "k80")
USABLE = 0.9  # of a device's memory


def check_memory(resources: Resources, parameters: Mapping[str, Any]) -> str:
    """Returns a warning where training may not fit into the accelerator's memory; empty where it does or nothing is known.

    No more than a warning: the estimate is a GPU's, and for a TPU XLA computes some of a step twice where memory is short.

    Raises:
        ValueError: a GPU that JAX's libraries have left behind.
    """
    name = f"{resources.accelerator} {resources.machine_type}".lower().strip()
    if any(re.search(rf"\b{old}\b", name.replace("_", "-")) for old in TOO_OLD):
        raise ValueError(
            f"--resource train.accelerator={resources.accelerator}: cuDNN needs a T4 or a newer GPU; ask for another."
        )
    gigabytes = next((size for part, size in MEMORY_GB.items() if part in name), 0)
    if not gigabytes:
        return ""
    network = parameters["encoder"], parameters["dim"]
    of_machine = re.search(r"-(\d+)[tg]$", resources.machine_type)  # ct5lp-hightpu-4t has four
    devices = int(of_machine[1]) if of_machine and not resources.count and not resources.topology else resources.devices
    images = parameters["clique_size"] * parameters["cliques_per_batch"] / devices
    arithmetic, usable = parameters["mixed_precision"], USABLE * gigabytes * 1e9
    needed = step_bytes(*network, images, arithmetic, parameters["rematerialize"])
    if needed <= usable:
        return ""
    most = most_images(*network, usable, arithmetic, parameters["rematerialize"]) * devices // parameters["clique_size"]
    fitting = f"set cliques_per_batch={most // devices * devices or most}" if most else "choose a smaller encoder or dim"
    if not parameters["rematerialize"] and step_bytes(*network, images, arithmetic, True) <= usable:
        fitting = f"try rematerialize=true, or {fitting}"
    return (
        f"training EfficientNet-{network[0]} at {network[1]} px with {images:g} images on a device needs about "
        f"{needed / 1e9:.0f} GB, and {name.split()[0]} has {gigabytes}; {fitting}, or ask for more devices or larger ones."
    )
