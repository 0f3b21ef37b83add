"""How fast the winner's network trains and predicts on this machine's accelerator: `python -m tests.benchmarks.accelerator`.

Needs JAX, Keras, NumPy and pandas, and makes its own photos. Each row is a process of its own: XLA reads its flags and takes its
memory when a process begins. Rows are printed as they come, in order of importance, and in one table at the end. After the first
one fold of preset fast is run whole (accelerator_job.py). What `--minutes` leaves no time for is named. Compiled programs stay
in `--cache`, so that a second run has its rows at once. Shrunk, it runs on a CPU: `--encoder B0 --dim 64 --minutes 5`.
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
    "images": 16,
    "clique_size": CLIQUE_SIZES[1],
    "flags": "",
    "more": False,
}
GPU_FLAGS = (
    "--xla_gpu_exclude_nondeterministic_ops=true",  # what the same bytes from the same seed cost
    "--xla_gpu_enable_command_buffer=",  # no CUDA graphs
    "--xla_gpu_enable_triton_gemm=false",
    "--xla_gpu_enable_cublaslt=true",
    "--xla_gpu_cudnn_gemm_fusion_level=1",
)
CPU_FLAGS = ("--xla_cpu_use_fusion_emitters=false",)
HEADER = (
    "what", "XLA flag", "images per step", "images/s", "of the product's peak", "of a copy's bandwidth", "memory, GB",
    "compiling, s", *(f"epoch at K = {size}, s" for size in CLIQUE_SIZES),
)  # fmt: skip
EMPTY = "-"


def variants(first: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Changes to BASE, the most important first; `first` holds the first one's result when the second is asked for."""
    yield {"more": True}
    flags = CPU_FLAGS if first.get("device") == "cpu" else GPU_FLAGS
    yield {"mixed_precision": "mixed_bfloat16"}
    yield {"images": 32}
    yield from ({"flags": flag} for flag in flags[:2])
    yield {"images": 64}
    yield {"mixed_precision": "float32"}
    yield from ({"flags": flag} for flag in flags[2:])
    yield {"images": 8}


def main(encoder: str, dim: int, minutes: float) -> int:
    """Runs what fits into the minutes, prints the table, and returns the exit status: 1 if the first variant failed."""
    deadline = time.monotonic() + 60 * minutes
    first: dict[str, Any] = {}
    rows, left_out, longest, failed_images = [], [], 0.0, 10_000
    for change in variants(first):
        variant = {**BASE, **change, "encoder": encoder, "dim": dim}
        if variant["images"] >= failed_images or time.monotonic() + longest > deadline:
            reason = "fewer did not fit" if variant["images"] >= failed_images else "no time"
            left_out.append(f"{name_of(change)} ({reason})")
            continue
        print(f"{minutes * 60 - (deadline - time.monotonic()):4.0f} s  {name_of(change)} ...", flush=True)
        started = time.monotonic()
        result = run(variant, deadline - started)
        longest = max(longest, time.monotonic() - started if first else (time.monotonic() - started) * 0.7)  # the first does more
        if result.get("failed") == "out of memory":
            failed_images = min(failed_images, variant["images"])
        beginning = not first
        if beginning:
            first.update(result)
        new = table_rows(variant, change, result, first)
        print("\n".join("        " + "  ".join(row) for row in new), flush=True)
        rows += new
        if beginning and "failed" not in result:
            print("        One fold of preset fast whole, on random photos:", flush=True)
            job = [sys.executable, "-m", "tests.benchmarks.accelerator_job", "--folds", "1", "--encoder", encoder]
            subprocess.run([*job, "--dim", str(dim)], cwd=ROOT, check=False)
    print_table(rows)
    print(f"\n{encoder} at {dim} px on {first.get('device', 'no device')}; {load_average()}.")
    if left_out:
        print(f"Left out: {'; '.join(left_out)}. --minutes sets the time.")
    return int("failed" in first)


def run(variant: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Measures one variant in a process of its own; what goes wrong comes back under "failed"."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} {variant['flags']}".strip()
    environment = {**os.environ, "XLA_FLAGS": flags, "KERAS_BACKEND": "jax", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "tests.benchmarks.accelerator_step", json.dumps(variant)]
    try:
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=max(1.0, seconds)
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not ready after {seconds:.0f} s"}
    if ended.returncode == 0:
        return json.loads(ended.stdout.splitlines()[-1])
    return {"failed": (ended.stderr.strip().splitlines() or [f"status {ended.returncode}"])[-1][-90:]}


def table_rows(
    variant: dict[str, Any], change: dict[str, Any], result: dict[str, Any], first: dict[str, Any]
) -> list[tuple[str, ...]]:
    """The lines of one variant; those of the first tell more."""
    name, images = f"train, {variant['mixed_precision']}", variant["images"]
    if "failed" in result:
        return [(name, variant["flags"] or EMPTY, str(images), result["failed"], *[EMPTY] * (len(HEADER) - 4))]

    def trained(name: str, seconds: float) -> tuple[str, ...]:
        return (
            name,
            variant["flags"] or EMPTY,
            str(images),
            f"{images / seconds:.1f}",
            f"{result['flops'] / seconds / first['peak']:.1%}" if "peak" in first else EMPTY,
            f"{result['bytes'] / seconds / first['bandwidth']:.1%}" if "bandwidth" in first and result["bytes"] else EMPTY,
            f"{result['memory'] / 1e9:.1f}" if result["memory"] else EMPTY,
            f"{result['compile_seconds']:.0f}",
            *(f"{epoch_images(size, images) * seconds / images:.0f}" for size in CLIQUE_SIZES),
        )

    rows = [trained(f"{name}, photos on the device", result["step_seconds"])]
    if change.get("more"):
        rows.append(trained(f"{name}, photos from the host", result["host_step_seconds"]))
        speed, compiling = f"{1 / result['predict_seconds']:.1f}", f"{result['predict_compile_seconds']:.0f}"
        rows.append((f"predict, {variant['mixed_precision']}", EMPTY, "16", speed, EMPTY, EMPTY, EMPTY, compiling, EMPTY, EMPTY))
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
    """What is special about a variant, for people."""
    special = ", ".join(f"{name} {value}".strip() for name, value in change.items() if name != "more")
    return special or f"{BASE['mixed_precision']}, {BASE['images']} images per step, and prediction"


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
    parser.add_argument("--minutes", type=float, default=15, help="after which it ends")
    parser.add_argument("--cache", default=str(ROOT / "runs/.programs"), help="where compiled programs are kept")
    options = parser.parse_args()
    os.environ.setdefault("VERDELTA_COMPILE_CACHE", options.cache)
    sys.exit(main(options.encoder, options.dim, options.minutes))
