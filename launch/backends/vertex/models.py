"""Registers published models with Vertex AI: a version of the model, its files in a bucket, its server the serving image."""

import argparse
from typing import Any

from components.serve.app import MODEL, Routes
from launch.backends.vertex.backend import OURS
from launch.backends.vertex.client import talking_to

PORT = 8080


def find(aiplatform: Any, flags: argparse.Namespace, alias: str) -> Any | None:
    """Returns the model's version of an alias, the default one for none; None where there is none. Raises as `talking_to`."""
    from google.api_core.exceptions import NotFound

    with talking_to(flags, f"read the model {MODEL}"):
        try:
            return aiplatform.Model(f"{MODEL}@{alias}" if alias else MODEL)
        except NotFound:
            return None


def register(aiplatform: Any, flags: argparse.Namespace, folder: str, image: str, card: str, alias: str) -> str:
    """Makes what publish wrote to `folder`, a gs:// address, a version of the model, and returns its name.

    It takes the alias over; `image` is the server's, `card` Markdown. Raises as `talking_to`.
    """
    earlier = find(aiplatform, flags, "")
    with talking_to(flags, f"upload a version of the model {MODEL}", uncertain=True):
        model = aiplatform.Model.upload(
            display_name=MODEL,
            model_id=None if earlier else MODEL,
            parent_model=earlier.resource_name if earlier else None,
            artifact_uri=folder,
            serving_container_image_uri=image,
            serving_container_predict_route=Routes.predict,
            serving_container_health_route=Routes.health,
            serving_container_ports=[PORT],
            version_aliases=[alias] if alias else None,
            version_description=card,
            labels=OURS,
        )
    return f"{model.resource_name}@{model.version_id}"
