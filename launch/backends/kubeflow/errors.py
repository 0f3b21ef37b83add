"""Makes one clear error, with what to do, of whatever goes wrong between kfp's client and Kubeflow."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from launch.backends.base import BackendError

HINTS = {
    401: "The server does not know who you are: give --token-file, with a token that has not expired.",
    403: "You may not do this there: ask for the role kubeflow-edit in the namespace, or give another --namespace.",
    404: "Is --host the address of Kubeflow Pipelines' pages? It often ends with /pipeline.",
    409: "It exists already: give another --name.",
    429: "The server has too much to do, or a quota is used up; repeat the command later.",
}
REFUSALS = (401, 403, 429)


@contextlib.contextmanager
def talking_to(host: str, purpose: str, *, uncertain: bool = False, hint: str = "") -> Iterator[None]:
    """Within the block, what goes wrong between kfp's client and the server becomes one clear error.

    Args:
        uncertain: a connection that is lost leaves open whether the thing was done.
        hint: what to do about an answer that is no refusal.

    Raises:
        BackendError: says the host, what was to be done, what was received and what to do.
    """
    import kfp_server_api
    import urllib3

    try:
        yield
    except kfp_server_api.ApiException as error:
        if not error.status:  # TLS
            raise BackendError(
                f"{host}: could not {purpose}: {error.reason}. Is its certificate one that is trusted here?"
            ) from error
        way_out = HINTS.get(error.status, "") if not hint or error.status in REFUSALS else hint
        raise BackendError(
            f"{host}: could not {purpose}: {error.status} {error.reason}{said(error.body)}. {way_out}".strip(),
            passing=error.status == 429 or error.status >= 500,
        ) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        doubt = " It may have been created all the same: look there before you repeat the command." if uncertain else ""
        raise BackendError(
            f"{host}: could not {purpose}: {reason}. Is the address right, and the server (or port-forward) running?{doubt}",
            passing=True,
        ) from error


def said(body: Any) -> str:
    """Returns the message in an answer's body, behind a colon."""
    try:
        message = json.loads(body)
        message = message.get("message") or message.get("error") or ""
    except (TypeError, ValueError, AttributeError):
        message = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    text = " ".join(str(message).split())
    return f": {text[:300]}" if text else ""
