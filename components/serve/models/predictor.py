"""Answers how many days lie between photos, with models that are loaded once and what they make of a photo kept by its content.

A photo passes each model's backbone once for each view, however many pairs, series or requests it is in. What a pair gets is what
predict and calibrate give it: views averaged, then models, then calibrated.

N photos, V views, M models, F numbers that a photo brings to its pairs: 1 where the head dates photos.
"""

import dataclasses
import hashlib
import math
import queue
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from components.contract.cores import available_cores
from components.network.looks import colour_counts, drift, look_of
from components.resize_images.picture import MAX_DECODED_BYTES, BadPhotoError
from components.resize_images.read_ahead import Budget
from components.serve.models.bundle import Bundle
from components.serve.models.calibration import calibrated
from components.serve.models.network import DatesHead, read_network
from components.serve.models.pixels import network_pixels, seen
from components.serve.models.runtime import openvino

MOST_PIXELS = 40_000_000  # of one photo: a telephone's largest are near 50 million, few send those
MOST_KEPT_BYTES = 256 * 2**20  # of photos that were asked about: 90,000 whose models date photos
OBJECT_BYTES = 768  # of a photo that is kept, beside its numbers
IMAGES_PER_PASS = 16  # through a backbone, each photo under all views: fewer take longer each
SMALL_DIM, SMALL_PER_PASS = 128, 32  # px, up to which a thread for itself computes more than several that wait for each other
DECODING = 2.5  # views of a small network that take as long as decoding a photo
SAME_PHOTO = "both photos are the same file"
NOT_LATER = "the second photo looks no later than the first: one day is the least that is answered"


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is said of two photos."""

    days: float  # calibrated, at least above 0
    raw_days: float  # before calibration; what is <= 0 is made 1, as in a submission
    calibration: str  # by what, in words
    warnings: tuple[str, ...]  # why the answer may be wrong


@dataclasses.dataclass(frozen=True, slots=True)
class Photo:
    """A photo that passed the backbone."""

    digest: str  # its SHA-256 in hex
    halves: np.ndarray  # what it brings to its pairs, [M, V, F] float32
    colours: np.ndarray  # how many of its pixels have each colour, [COLOURS] uint32

    @property
    def bytes(self) -> int:
        """What it takes of memory, its objects and its place among others included."""
        return self.halves.nbytes + self.colours.nbytes + OBJECT_BYTES


class Predictor:
    """A bundle's models, ready to answer; several threads may ask.

    Attributes:
        bundle: what is asked.
        passes: photos that went through the backbone.
        streams: how many batches can pass it at a time.
        photos_per_pass: of a batch, under all views.
    """

    def __init__(
        self, bundle: Bundle, most_pixels: int = MOST_PIXELS, most_kept_bytes: int = MOST_KEPT_BYTES, streams: int = 0
    ) -> None:
        """Loads the models.

        Args:
            most_kept_bytes: of features for the next time.
            streams: batches that a small network computes at a time; 0 for as many cores as decoding leaves it.

        Raises:
            FileNotFoundError: a model is missing.
            ValueError: no model, or models of several sizes.
        """
        networks = [read_network(path) for path in bundle.models]
        if len({network.dim for network in networks}) != 1:
            raise ValueError(
                f"{bundle.name}: models for {[network.dim for network in networks]} px. Expected one or more of one size."
            )
        # as trained on a CPU: not the 16 bits that OpenVINO takes where a processor is quicker with them
        core, hints = openvino.Core(), {"INFERENCE_PRECISION_HINT": "f32"}
        self.bundle, self.dim, self.passes = bundle, networks[0].dim, 0
        views, small = bundle.tta_views * len(networks), self.dim <= SMALL_DIM
        self.streams = (streams or math.ceil(available_cores() * views / (views + DECODING))) if small else 1
        self.photos_per_pass = max((SMALL_PER_PASS if small else IMAGES_PER_PASS) // bundle.tta_views, 1)
        if small:
            hints |= {"NUM_STREAMS": str(self.streams), "INFERENCE_NUM_THREADS": str(self.streams)}
        encoders = [core.compile_model(network.graph, "CPU", hints) for network in networks]
        self.idle = queue.SimpleQueue[list[openvino.InferRequest]]()  # of each stream, what computes in it, for each model
        for _ in range(self.streams):
            self.idle.put([encoder.create_infer_request() for encoder in encoders])
        self.heads = [network.head for network in networks]
        self.looks = [np.load(path) for path in bundle.looks]
        self.most_pixels, self.most_kept_bytes = most_pixels, most_kept_bytes
        self.known: OrderedDict[str, Photo] = OrderedDict()  # what was used last is last
        self.known_bytes = 0
        self.budget = Budget(MAX_DECODED_BYTES)  # of all that are decoded at a time
        self.keeping = threading.Lock()

    def decode(self, content: bytes) -> np.ndarray:
        """Returns a photo as the encoder gets it: [dim, dim, 3] uint8.

        Raises:
            BadPhotoError: no photo that can be decoded.
        """
        sizes = {"image_size": self.bundle.image_size, "jpeg_quality": self.bundle.jpeg_quality, "dim": self.dim}
        return network_pixels(content, most_pixels=self.most_pixels, holding=self.budget.holding, **sizes)

    def recall(self, digest: str) -> Photo | None:
        """Returns a photo whose features are kept, or None."""
        with self.keeping:
            if digest in self.known:
                self.known.move_to_end(digest)
            return self.known.get(digest)

    def look(self, photos: Sequence[tuple[str, np.ndarray]]) -> list[Photo]:
        """Passes photos, digest and pixels of each, through the backbones, and keeps what they give."""
        found: list[Photo] = []
        for start in range(0, len(photos), self.photos_per_pass):
            batch = photos[start : start + self.photos_per_pass]
            halves = self.encode(np.stack([pixels for _, pixels in batch]))
            found += [  # a copy, as a part would keep the whole batch in memory
                Photo(digest, own.copy(), colour_counts(pixels).astype(np.uint32))
                for (digest, pixels), own in zip(batch, halves, strict=True)
            ]
        for photo in found:
            self.keep(photo)
        return found

    def encode(self, images: np.ndarray) -> np.ndarray:
        """What images [N, dim, dim, 3] uint8 bring to their pairs, under every view by every model: [N, M, V, F] float32."""
        views = np.concatenate([seen(images, view) for view in range(self.bundle.tta_views)])
        with self.keeping:
            self.passes += len(images)
        encoders = self.idle.get()
        try:
            found = np.asarray([encoder.infer([views], share_inputs=True)[0] for encoder in encoders])
        finally:
            self.idle.put(encoders)
        return np.moveaxis(found.reshape(len(encoders), -1, len(images), found.shape[-1]), 2, 0)

    def keep(self, photo: Photo) -> None:
        """Keeps features for the next time; what was used longest ago goes where they become too many."""
        with self.keeping:
            if photo.digest not in self.known:
                self.known[photo.digest] = photo
                self.known_bytes += photo.bytes
            while self.known_bytes > self.most_kept_bytes and len(self.known) > 1:
                self.known_bytes -= self.known.popitem(last=False)[1].bytes

    def photos(self, named: Sequence[tuple[str, bytes]]) -> list[Photo]:
        """Returns photos with their features, in order, by what a person calls each and its bytes; each passes the backbone once.

        Raises:
            BadPhotoError: the first that cannot be decoded, by its name.
        """
        digests = [digest_of(content) for _, content in named]
        first = dict(zip(reversed(digests), reversed(named), strict=True))
        found = {digest: photo for digest in first if (photo := self.recall(digest))}
        new = [digest for digest in dict.fromkeys(digests) if digest not in found]

        def decode(digest: str) -> np.ndarray:
            name, content = first[digest]
            try:
                return self.decode(content)
            except BadPhotoError as error:
                raise bad(name, error) from error

        with ThreadPoolExecutor(available_cores()) as pool:
            pixels = list(pool.map(decode, new))
        found |= {photo.digest: photo for photo in self.look(list(zip(new, pixels, strict=True)))}
        return [found[digest] for digest in digests]

    def between(self, pairs: Sequence[tuple[Photo, Photo]], species: str = "", series: str = "") -> list[Answer]:
        """Answers for pairs of photos, the earlier first; species and series, for the calibration, are empty where not known."""
        before, after = (np.stack([pair[place].halves for pair in pairs]) for place in (0, 1))
        views = range(self.bundle.tta_views)
        by_model = [
            np.mean([head.pair_days(before[:, model, view], after[:, model, view]) for view in views], axis=0, dtype=np.float64)
            for model, head in enumerate(self.heads)
        ]
        return [
            self.answer(pair, float(days), species, series) for pair, days in zip(pairs, np.mean(by_model, axis=0), strict=True)
        ]

    def answer(self, pair: tuple[Photo, Photo], raw_days: float, species: str, series: str) -> Answer:
        """Returns what is said of a pair, given the mean over views and models."""
        days, by = calibrated(raw_days, self.bundle.calibration, species, series)
        warnings = [SAME_PHOTO] if pair[0].digest == pair[1].digest else [NOT_LATER] if raw_days <= 0 else []
        return Answer(days, raw_days if raw_days > 0 else 1.0, by, (*warnings, *self.too_long(days)))

    def too_long(self, days: float) -> list[str]:
        """Returns a warning where so many days are more than between any two photos that the models were tried on."""
        longest = self.bundle.longest_days
        if longest is None or days <= longest:
            return []
        return [f"longer than the {longest:g} days that the models were tried on: the answer may be far off"]

    def dates(self, photos: Sequence[Photo]) -> np.ndarray | None:
        """Returns the date of each photo, days from nowhere in particular, [N]; None where a model has a head that dates none."""
        if not all(isinstance(head, DatesHead) for head in self.heads):
            return None
        return np.stack([photo.halves for photo in photos]).mean(axis=(1, 2, 3), dtype=np.float64)

    def drift(self, photos: Sequence[Photo]) -> float | None:
        """Returns how far one plant's photos look from all that was trained on, the mean over models; None of an older run."""
        if not self.looks:
            return None
        look = look_of(np.stack([photo.colours for photo in photos]).sum(axis=0))
        return float(np.mean([drift(look, known) for known in self.looks]))


def digest_of(content: bytes) -> str:
    """Returns the SHA-256 of a photo's bytes in hex."""
    return hashlib.sha256(content).hexdigest()


def bad(name: str, error: BadPhotoError) -> BadPhotoError:
    """Returns what is said of a photo that cannot be decoded, as resize_images says it."""
    return BadPhotoError(f"{name}: cannot be decoded as a photo: {error}. Expected an 8-bit PNG or JPEG.")
