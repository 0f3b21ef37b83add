"""What a person can choose of the server, and the flags that say it: the same for `serve` and in its image."""

import argparse
import dataclasses
from typing import Any

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


def add_server_flags(parser: Any, host: str, port: int) -> None:
    """Adds the flags of the server, with the defaults of host and port."""
    default = Limits()
    parser.add_argument("--host", dest="address", default=host, metavar="ADDRESS", help=f"where to listen (default: {host})")
    parser.add_argument("--port", type=int, default=port, metavar="N", help=f"the port (default: {port})")
    parser.add_argument("--allow-gcs", action="store_true", help="read photos from gs:// addresses that requests name")
    parser.add_argument(
        "--max-body-mb", type=int, default=default.body_bytes // MEGABYTE, metavar="MB",
        help=f"of one request (default: {default.body_bytes // MEGABYTE})",
    )  # fmt: skip
    parser.add_argument(
        "--max-photos", type=int, default=default.photos, metavar="N", help=f"in one request (default: {default.photos})"
    )
    parser.add_argument(
        "--max-pixels", type=int, default=default.pixels, metavar="N", help=f"of one photo (default: {default.pixels})"
    )
    parser.add_argument(
        "--max-requests", type=int, default=default.requests_at_a_time, metavar="N",
        help=f"at a time; others are told to come again (default: {default.requests_at_a_time})",
    )  # fmt: skip
    parser.add_argument(
        "--max-known-mb", type=int, default=default.known_bytes // MEGABYTE, metavar="MB",
        help=f"of what the network made of photos, kept for the next time (default: {default.known_bytes // MEGABYTE})",
    )  # fmt: skip
    parser.add_argument(
        "--max-seconds", type=float, default=default.seconds, metavar="S",
        help=f"for a request's body to come, and once more for its answer (default: {default.seconds:g})",
    )  # fmt: skip


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
