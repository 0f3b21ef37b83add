"""What a person can choose of the server, and the flags that say it: the same for `serve` and in its image."""

import argparse
import dataclasses
from typing import Any

from components.settings import plain

MEGABYTE = 2**20


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is allowed."""

    body_bytes: int = 64 * MEGABYTE  # of one request
    bytes_at_a_time: int = 256 * MEGABYTE  # of the bodies of all requests that are being received or answered
    requests_at_a_time: int = 256  # of them
    photos: int = 128  # in one request
    pixels: int = 40_000_000  # of one photo
    seconds: float = 60.0  # from the first byte of a body to its last, and once more until it is answered
    known_bytes: int = 256 * MEGABYTE  # of what the network made of photos, which is kept for the next time


FLAGS = (  # of limits, with the default, what the value is called, and what it bounds
    ("--max-body-mb", Limits.body_bytes // MEGABYTE, "MB", "of one request"),
    ("--max-photos", Limits.photos, "N", "in one request"),
    ("--max-pixels", Limits.pixels, "N", "of one photo"),
    ("--max-requests", Limits.requests_at_a_time, "N", "at a time; others are told to come again"),
    ("--max-known-mb", Limits.known_bytes // MEGABYTE, "MB", "of what the network made of photos, kept for the next time"),
    ("--max-seconds", Limits.seconds, "S", "for a request's body to come, and once more for its answer"),
)


def add_server_flags(parser: Any, host: str, port: int) -> None:
    """Adds the flags of the server, with the defaults of host and port."""
    parser.add_argument("--host", dest="address", default=host, metavar="ADDRESS", help=f"where to listen (default: {host})")
    parser.add_argument("--port", type=int, default=port, metavar="N", help=f"the port (default: {port})")
    parser.add_argument("--allow-gcs", action="store_true", help="read photos from gs:// addresses that requests name")
    for flag, default, value, about in FLAGS:
        parser.add_argument(flag, type=type(default), default=default, metavar=value, help=f"{about} (default: {plain(default)})")


def limits_of(arguments: argparse.Namespace) -> Limits:
    """Returns the limits that the command line says. Raises ValueError: one that is not above 0."""
    for name in ("max_body_mb", "max_photos", "max_pixels", "max_requests", "max_seconds", "max_known_mb"):
        if getattr(arguments, name) <= 0:
            raise ValueError(f"--{name.replace('_', '-')}: got {getattr(arguments, name)}; expected a number above 0.")
    size = arguments.max_body_mb * MEGABYTE
    return Limits(
        body_bytes=size,
        bytes_at_a_time=max(Limits().bytes_at_a_time, size),
        requests_at_a_time=arguments.max_requests,
        photos=arguments.max_photos,
        pixels=arguments.max_pixels,
        seconds=arguments.max_seconds,
        known_bytes=arguments.max_known_mb * MEGABYTE,
    )
