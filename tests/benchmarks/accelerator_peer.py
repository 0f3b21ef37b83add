"""The training step of accelerator_step.py in PyTorch and timm: its speed, as JSON on the last line.

The same work: timm's EfficientNet with the winner's drop-connect, preset fast's head, squared error, Adam; photos on the device
already, channels last, as PyTorch is fastest. C cliques, K images per clique, P pairs.
"""

import contextlib
import itertools
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import timm
import torch

from tests.benchmarks.timing import seconds_per_call

PHOTOS = 753  # the challenge's
DROP_CONNECT = 0.2 / 16  # more of it with each block, as in components/network/model.py
TYPES = {"float32": torch.float32, "mixed_float16": torch.float16, "mixed_bfloat16": torch.bfloat16}


class PairDays(torch.nn.Module):
    """Photos [C, K, 3, H, W] in [0, 255] to days [C, P] between the photos of each pair; of a photo D features, made once."""

    def __init__(self, encoder: str, lstm_units: int, dense_units: int) -> None:
        super().__init__()
        self.encoder = timm.create_model(f"tf_efficientnet_{encoder.lower()}", num_classes=0, drop_path_rate=DROP_CONNECT)
        for number, block in enumerate(itertools.chain(*self.encoder.blocks)):
            if hasattr(block.drop_path, "drop_prob"):
                block.drop_path.drop_prob = DROP_CONNECT * number
        self.lstm = torch.nn.LSTM(self.encoder.num_features, lstm_units, batch_first=True)  # with two biases where Keras has one
        self.hidden = torch.nn.Linear(lstm_units, dense_units)
        self.days = torch.nn.Linear(dense_units, 1)

    def forward(self, photos: torch.Tensor, earlier: torch.Tensor, later: torch.Tensor) -> torch.Tensor:
        cliques, size = photos.shape[:2]
        images = photos.flatten(0, 1).to(memory_format=torch.channels_last) / 255
        features = self.encoder(images).float().view(cliques, size, -1)
        pairs = torch.stack([features[:, earlier], features[:, later]], dim=2).flatten(0, 1)  # [C P, 2, D]
        with torch.autocast(photos.device.type, enabled=False):  # the head is float32, as ours
            last = self.lstm(pairs)[0][:, -1]
            return self.days(torch.relu(self.hidden(last))).view(cliques, -1)


def measure(variant: dict[str, Any]) -> dict[str, Any]:
    """Seconds until the first step is done, and per step afterwards.

    Args:
        variant: as accelerator_step.py's, with lstm_units and dense_units, and whether the network is `compiled`.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = TYPES[variant["mixed_precision"]] if device.type == "cuda" else torch.float32  # in 16 bits a CPU takes minutes
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    size, dim = variant["clique_size"], variant["dim"]
    cliques = variant["images"] // size
    network = PairDays(variant["encoder"], variant["lstm_units"], variant["dense_units"])
    network.to(device, memory_format=torch.channels_last).train()
    parameters = sum(each.numel() for each in network.parameters())
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    earlier, later = (
        torch.tensor(positions, device=device) for positions in zip(*itertools.combinations(range(size), 2), strict=True)
    )
    photos = torch.randint(0, 256, (PHOTOS, dim, dim, 3), dtype=torch.uint8, device=device).permute(0, 3, 1, 2)
    days = torch.ones((cliques, len(earlier)), device=device)
    forward = torch.compile(network) if variant["compiled"] else network
    rows = rows_of_steps(cliques, size)

    def step() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        batch = photos[torch.as_tensor(next(rows), device=device)]
        with half(device, dtype):
            predicted = forward(batch, earlier, later)
        loss = torch.mean((predicted - days) ** 2)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss

    def wait(_: Any) -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    started = time.monotonic()
    wait(step())
    first = time.monotonic() - started
    return {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "peer": f"PyTorch {torch.__version__}, timm {timm.__version__}",
        "parameters": parameters,
        "compile_seconds": first,
        "step_seconds": seconds_per_call(step, wait),
        "memory": torch.cuda.max_memory_allocated() if device.type == "cuda" else 0,
    }


def rows_of_steps(cliques: int, size: int) -> Iterator[np.ndarray]:
    """The photos of each step, [C, K]."""
    rng = np.random.default_rng(1)
    while True:
        yield rng.integers(0, PHOTOS, (cliques, size))


def half(device: torch.device, dtype: torch.dtype) -> contextlib.AbstractContextManager[Any]:
    """Within the block the network computes in 16-bit arithmetic where that is asked for."""
    return contextlib.nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
