"""Imports OpenVINO without what converts other models, a third of the time that takes, and without what counts its users.

The latter writes to the home folder and tells a server of each import. Where one of them is missing, OpenVINO goes on without.
"""

import sys

for name in ("openvino.tools.ovc", "openvino_telemetry"):
    sys.modules.setdefault(name, None)  # type: ignore[arg-type]

import numpy as np  # noqa: E402
import openvino  # noqa: E402
from openvino import opset13 as ops  # noqa: E402

# At its first array OpenVINO looks up parts of NumPy; two threads that bring theirs at once would wait for each other for ever.
openvino.Tensor(np.zeros(1, np.float32), shared_memory=True).data.sum()

__all__ = ["openvino", "ops"]
