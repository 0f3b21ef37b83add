"""Imports OpenVINO without what counts its users: that writes to the home folder and tells a server of each import."""

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # where it is missing, OpenVINO goes on without

import openvino  # noqa: E402
from openvino import opset13 as ops  # noqa: E402

__all__ = ["openvino", "ops"]
