"""Counts what the server does, for Prometheus."""

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector

from components.serve.models.predictor import Predictor


class OfPredictor:
    """Reads a predictor's own counts when they are asked for."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics."""
        yield CounterMetricFamily("verdelta_backbone_photos", "Photos that passed the backbone.", value=self.predictor.passes)
        yield GaugeMetricFamily("verdelta_known_photos", "Photos whose features are kept.", value=len(self.predictor.known))
        yield GaugeMetricFamily("verdelta_known_bytes", "Bytes of features that are kept.", value=self.predictor.known_bytes)


class Metrics:
    """Counts of one server; several of them in a process do not meet."""

    media_type = CONTENT_TYPE_LATEST  # of `text`

    def __init__(self, predictor: Predictor) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("verdelta_requests", "Requests answered.", ["route", "status"], registry=self.registry)
        self.seconds = Histogram(
            "verdelta_request_seconds", "Time from a request to its answer.", ["route"], registry=self.registry
        )
        self.again = Counter("verdelta_answered_again", "Requests answered as before.", registry=self.registry)
        self.registry.register(OfPredictor(predictor))
        ProcessCollector(registry=self.registry)

    def count(self, route: str, status: int, seconds: float) -> None:
        """Counts one request; `route` is the route's path, of which there are few, and not what was asked for."""
        self.requests.labels(route, status).inc()
        self.seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Returns all counts."""
        return generate_latest(self.registry)
