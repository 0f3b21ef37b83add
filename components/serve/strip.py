"""Draws one plant's photos on their time line: a strip of them as one HTML page that needs no network."""

import base64
import html
import io
import string
from collections.abc import Sequence
from pathlib import Path

from components.resize_images.picture import decode_picture
from components.serve.timeline import TimeLine

PAGE = Path(__file__).with_name("strip.html")
THUMBNAIL_PX, THUMBNAIL_QUALITY = 240, 78


def strip_page(title: str, line: TimeLine, contents: Sequence[bytes], notes: Sequence[str]) -> str:
    """Returns the page: an axis of days, under it the photos, whose bytes are `contents`, and the notes."""
    earliest, latest = min(line.days), max(line.days)
    reach = latest - earliest or 1.0
    marks = "".join(
        f'<i style="left:{100 * (day - earliest) / reach:.2f}%" title="{html.escape(name)}"></i>'
        for name, day in zip(line.names, line.days, strict=True)
    )
    cards = "".join(
        f'<figure><img src="{thumbnail(content)}" alt="{html.escape(name)}"><figcaption><b>{day:.1f}</b> days'
        f"<span>{html.escape(name)}</span></figcaption></figure>"
        for name, day, content in zip(line.names, line.days, contents, strict=True)
    )
    return string.Template(PAGE.read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        first=html.escape(line.names[0]),
        earliest=f"{earliest:.1f}" if earliest else "0",
        latest=f"{latest:.1f}",
        marks=marks,
        cards=cards,
        notes="".join(f"<li>{html.escape(note)}</li>" for note in notes),
    )


def thumbnail(content: bytes) -> str:
    """Returns a photo, made small, as a JPEG data URI."""
    small = decode_picture(content).image
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    encoded = io.BytesIO()
    small.save(encoded, "JPEG", quality=THUMBNAIL_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode("ascii")
