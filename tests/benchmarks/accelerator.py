"""How fast the winner's network trains and predicts on this machine's accelerator: `python -m tests.benchmarks.accelerator`.

Needs JAX, Keras, NumPy and pandas, and makes its own photos. In order, each printed as it comes; what `--minutes` leaves no time
for is named:

1. one fold of preset fast whole, as train and predict run it, then again with what the first has compiled (accelerator_job.py);
2. that job's training step by itself, which is compiled by now: its speed, its share of a matrix product's and of a copy's;
3. the same in PyTorch and timm, where they are installed (accelerator_peer.py; `--peer-python` for another environment);
4. what XLA's flags do to compiling and to the step, each from nothing, by a network small enough to compile ten times;
5. other types, other numbers of images, rematerialization.

Each row is a process of its own: XLA reads its flags and takes its memory when a process begins. Compiled programs stay in
`--cache`. Shrunk, it runs on a CPU: `--encoder B0 --dim 32 --steps 1 --minutes 60`.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from launch.runs.presets import fast

ROOT = Path(__file__).parents[2]
TRAIN_PAIRS = 11_691  # the challenge's, fold 0 held out
CLIQUE_SIZES = (2, int(fast()["clique_size"]))
BASE: dict[str, Any] = {
    "mixed_precision": "mixed_float16",
    "images": CLIQUE_SIZES[1] * int(fast()["cliques_per_batch"]),
    "clique_size": CLIQUE_SIZES[1],
    "lstm_units": 1024,  # TrainSettings' own, for the peer
    "dense_units": 300,
    "rematerialize": False,
    "flags": "",
    "more": False,
    "traced": False,
}
SMALL = {"encoder": "B0", "cache": "", "traced": True}  # what flags are tried on
FLAGS = {
    "gpu": (
        "",
        "--xla_gpu_autotune_level=1",  # kernels are tried but not checked; of 0, which tries none, a step is 100 times slower
        "--xla_gpu_enable_triton_gemm=false",
        "--xla_gpu_autotune_max_solutions=4",
        "--xla_gpu_enable_llvm_module_compilation_parallelism=true",
        "--xla_gpu_exclude_nondeterministic_ops=true",  # what the same bytes from the same seed cost
        "--xla_gpu_enable_command_buffer=",  # no CUDA graphs
    ),
    "cpu": ("", "--xla_cpu_use_fusion_emitters=false"),
}
HEADER = (
    "what", "XLA flag", "images per step", "images/s", "of the product's peak", "of a copy's bandwidth", "memory, GB",
    "compiling, s", *(f"epoch at K = {size}, s" for size in CLIQUE_SIZES),
)  # fmt: skip
EMPTY = "-"


def variants(first: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Changes to BASE, the most important first; `first` holds the first one's result when the second is asked for."""
    yield {"more": True}
    yield {"compiled": False}
    yield from ({**SMALL, "flags": flag} for flag in FLAGS["cpu" if first.get("device") == "cpu" else "gpu"])
    yield {"compiled": True}
    yield {"rematerialize": True}
    yield {"mixed_precision": "mixed_bfloat16"}
    yield {"images": 32}
    yield {"images": 64}
    yield {"mixed_precision": "float32"}
    yield {"images": 8}


def main(options: argparse.Namespace) -> int:
    """Runs what fits into the minutes, prints the table, and returns the exit status: 1 if our first step failed."""
    started = time.monotonic()
    deadline = started + 60 * options.minutes
    print("One fold of preset fast whole, on random photos:", flush=True)
    job = [sys.executable, "-m", "tests.benchmarks.accelerator_job", "--steps", str(options.steps)]
    subprocess.run([*job, "--encoder", options.encoder, "--dim", str(options.dim)], cwd=ROOT, check=False)
    first: dict[str, Any] = {}
    rows, left_out, failed_images = [], [], 10_000
    for change in variants(first):
        variant = {**BASE, "encoder": options.encoder, "dim": options.dim, **change}
        if variant["images"] >= failed_images or time.monotonic() > deadline:
            reason = "fewer did not fit" if variant["images"] >= failed_images else "no time"
            left_out.append(f"{name_of(change)} ({reason})")
            continue
        print(f"{time.monotonic() - started:4.0f} s  {name_of(change)} ...", flush=True)
        result = run(variant, options.peer_python, deadline - time.monotonic())
        if result.get("failed") == "out of memory":
            failed_images = min(failed_images, variant["images"])
        if not first:
            first.update(result)
        new = table_rows(variant, change, result, first)
        print("\n".join("        " + "  ".join(row) for row in new), flush=True)
        rows += new
        if result.get("phases"):
            spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result["phases"].items())
            print(f"        XLA: {spent}", flush=True)
        if "peer" in result:
            print(
                f"        {result['peer']}; parameters: {result['parameters']:,}, ours {first.get('parameters', 0):,}", flush=True
            )
    print_table(rows)
    print(f"\n{options.encoder} at {options.dim} px on {first.get('device', 'no device')}; {load_average()}.")
    if left_out:
        print(f"Left out: {'; '.join(left_out)}. --minutes sets the time.")
    return int("failed" in first)


def run(variant: dict[str, Any], peer_python: str, seconds: float) -> dict[str, Any]:
    """Measures one variant in a process of its own; what goes wrong comes back under "failed"."""
    python, module = (peer_python, "accelerator_peer") if "compiled" in variant else (sys.executable, "accelerator_step")
    flags = f"{os.environ.get('XLA_FLAGS', '')} {variant['flags']}".strip()
    environment = {**os.environ, "XLA_FLAGS": flags, "KERAS_BACKEND": "jax", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["VERDELTA_COMPILE_CACHE"] = variant.get("cache", environment["VERDELTA_COMPILE_CACHE"])
    command = [python, "-m", f"tests.benchmarks.{module}", json.dumps(variant)]
    try:
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=max(1.0, seconds)
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not ready after {seconds:.0f} s"}
    if ended.returncode == 0:
        return json.loads(ended.stdout.splitlines()[-1])
    if "compiled" in variant and "ModuleNotFoundError" in ended.stderr:
        return {"failed": "PyTorch and timm are not installed here"}
    return {"failed": (ended.stderr.strip().splitlines() or [f"status {ended.returncode}"])[-1][-90:]}


def table_rows(
    variant: dict[str, Any], change: dict[str, Any], result: dict[str, Any], first: dict[str, Any]
) -> list[tuple[str, ...]]:
    """The lines of one variant; those of the first tell more."""
    name, images = name_of(change), variant["images"]
    if "failed" in result:
        return [(name, variant["flags"] or EMPTY, str(images), result["failed"], *[EMPTY] * (len(HEADER) - 4))]

    def trained(name: str, seconds: float) -> tuple[str, ...]:
        return (
            name,
            variant["flags"] or EMPTY,
            str(images),
            f"{images / seconds:.1f}",
            f"{result['flops'] / seconds / first['peak']:.1%}" if "flops" in result and "peak" in first else EMPTY,
            f"{result['bytes'] / seconds / first['bandwidth']:.1%}" if result.get("bytes") and "bandwidth" in first else EMPTY,
            f"{(result['memory'] or result.get('temporaries', 0)) / 1e9:.1f}",
            f"{result['compile_seconds']:.0f}",
            *(f"{epoch_images(size, images) * seconds / images:.0f}" for size in CLIQUE_SIZES),
        )

    rows = [trained(f"{name}, photos on the device", result["step_seconds"])]
    if change.get("more"):
        rows.append(trained(f"{name}, photos from the host", result["host_step_seconds"]))
        speed, compiling = f"{1 / result['predict_seconds']:.1f}", f"{result['predict_compile_seconds']:.0f}"
        rows.append(("predict", EMPTY, "16", speed, EMPTY, EMPTY, EMPTY, compiling, EMPTY, EMPTY))
        for name, ceiling in (
            ("copy", f"{result['bandwidth'] / 1e12:.3g} TB/s"),
            ("matrix product", f"{result['peak'] / 1e12:.3g} TFLOP/s"),
        ):
            rows.insert(0, (name, EMPTY, EMPTY, ceiling, *[EMPTY] * (len(HEADER) - 4)))
    return rows


def epoch_images(clique_size: int, images: int) -> int:
    """Backbone passes of an epoch: as many pairs as the train folds hold, in batches of whole cliques."""
    pairs, cliques = clique_size * (clique_size - 1) // 2, images // clique_size
    return TRAIN_PAIRS // (pairs * cliques) * cliques * clique_size


def name_of(change: dict[str, Any]) -> str:
    """What is measured, for people."""
    step = {None: "train", False: "train, PyTorch", True: "train, PyTorch, torch.compile"}[change.get("compiled")]
    told = ("encoder", "images", "mixed_precision", "rematerialize")
    return ", ".join([step, *(f"{name} {change[name]}" for name in told if name in change)])


def print_table(rows: list[tuple[str, ...]]) -> None:
    """Prints columns as wide as they need."""
    widths = [max(len(row[column]) for row in (HEADER, *rows)) for column in range(len(HEADER))]
    print()
    for row in (HEADER, tuple("-" * width for width in widths), *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def load_average() -> str:
    """How busy the machine's own processors are."""
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.accelerator", description=__doc__)
    parser.add_argument("--encoder", default="B7", help="EfficientNet variant, B0 to B7")
    parser.add_argument("--dim", type=int, default=512, help="width and height of the photos, px")
    parser.add_argument("--steps", type=int, default=0, help="steps per epoch of the whole job; 0 is the challenge's number")
    parser.add_argument("--minutes", type=float, default=12, help="after which nothing more begins")
    parser.add_argument("--cache", default=str(ROOT / "runs/.programs"), help="where compiled programs are kept")
    parser.add_argument("--peer-python", default=sys.executable, help="the Python that has PyTorch and timm")
    chosen = parser.parse_args()
    os.environ.setdefault("VERDELTA_COMPILE_CACHE", chosen.cache)
    sys.exit(main(chosen))
