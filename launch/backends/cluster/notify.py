"""Tells people how a run on a cluster ended: state, scores and link, in a chat's webhook or, on Vertex AI, by e-mail.

What a run ends with is told by an exit task, which KFP runs whatever happens. It may read nothing that stages have written, so a
run that ends with `report` tells its scores itself, as its last task, and the exit task is silent then.
"""

import contextlib
import dataclasses
import re
from collections.abc import Collection, Iterator, Sequence

from kfp import dsl

from components.images import image_for
from launch.runs.dag.kfp_internals import tasks_of_pipeline

RUNS_AS = "calibrate"  # a stage whose image holds requests, and whose machine is a small one
WEBHOOK = re.compile(r"https?://\S+|\$[A-Za-z_]\w*")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
GROUP = "all that the exit task waits for"
EXPECTED = "https://... (a webhook of Slack, Mattermost or Google Chat), or '$NAME', a variable of the stages that holds one"


def post(to: list, text: str) -> None:
    """Posts a text to webhooks, or those that $NAME says; that one could not be told is printed: the run has ended as it has."""
    import os

    import requests

    for address in to:
        try:
            url = os.environ[address[1:]] if address.startswith("$") else address
            requests.post(url, json={"text": text}, timeout=30).raise_for_status()
        except (requests.RequestException, KeyError) as error:  # its own text would show the address, which may be a secret
            print(f"could not be told: {type(error).__name__}: {text}")


# Their images hold the code of a stage alone: KFP ships what is written here.
@dsl.component(base_image=image_for(RUNS_AS), install_kfp_package=False, additional_funcs=[post])
def tell_scores(to: list, run: str, job: str, link: str, metrics: dsl.Input[dsl.Metrics]) -> None:
    """Tells that a run succeeded, and its scores in days; `job` replaces JOB in the link of its page."""
    scores = ", ".join(f"{name} {value:.3f}" for name, value in sorted(metrics.metadata.items()) if isinstance(value, float))
    post(to, f"verdelta {run}: SUCCEEDED. {scores}\n{link.replace('JOB', job)}")


@dsl.component(base_image=image_for(RUNS_AS), install_kfp_package=False, additional_funcs=[post])
def tell_end(to: list, run: str, job: str, link: str, if_succeeded: bool, status: dsl.PipelineTaskFinalStatus) -> None:
    """Tells how a run ended, of one that succeeded only where that is wanted; else as `tell_scores`."""
    succeeded = status.state in ("COMPLETE", "SUCCEEDED")  # on Kubeflow, on Vertex AI
    if not succeeded or if_succeeded:
        state = "SUCCEEDED" if succeeded else "did not succeed"
        post(to, f"verdelta {run}: {state} ({status.state}). {status.error_message or ''}\n{link.replace('JOB', job)}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Notified:
    """Who is told how a run ended, and where it is to be seen."""

    to: tuple[str, ...]  # webhooks, or e-mail addresses
    link: str  # the run's page, with JOB in place of what only the run knows
    job: str  # kfp's placeholder of that


TASKS = {component.component_spec.name.replace("-", "_"): RUNS_AS for component in (tell_scores, tell_end)}


def check_notified(to: Sequence[str], by_email: bool) -> None:
    """Refuses addresses that cannot be told. Raises ValueError: no address, or e-mails beside others: KFP has one exit task."""
    emails = [address for address in to if EMAIL.fullmatch(address) and not WEBHOOK.fullmatch(address)]
    if emails and not by_email:
        raise ValueError(f"--notify {emails[0]}: Kubeflow sends no e-mails. Expected {EXPECTED}.")
    wrong = [address for address in to if address not in emails and not WEBHOOK.fullmatch(address)]
    if wrong:
        raise ValueError(f"--notify {wrong[0]}: expected {EXPECTED}{', or an e-mail address' if by_email else ''}.")
    if emails and len(emails) < len(to):
        raise ValueError(f"--notify {', '.join(to)}: a run tells either webhooks or e-mail addresses; leave out one kind.")


@contextlib.contextmanager
def notifying(notified: Notified | None, components: Collection[str]) -> Iterator[None]:
    """What is put within the block into a pipeline of these components is told of when it ends, to whom `notified` says."""
    if notified is None:
        yield
        return
    if not WEBHOOK.fullmatch(notified.to[0]):
        from google_cloud_pipeline_components.v1.vertex_notification_email import VertexNotificationEmailOp

        with dsl.ExitHandler(VertexNotificationEmailOp(recipients=list(notified.to)).set_caching_options(False), name=GROUP):
            yield
        return
    about = {"run": dsl.PIPELINE_JOB_NAME_PLACEHOLDER} | dataclasses.asdict(notified) | {"to": list(notified.to)}
    has_scores = {"comp-report", "comp-calibrate"} <= set(components)
    with dsl.ExitHandler(tell_end(**about, if_succeeded=not has_scores), name=GROUP):
        yield
        if has_scores:
            by_name = {task.component_spec.name: task for task in tasks_of_pipeline()}
            tell_scores(**about, metrics=by_name["calibrate"].outputs["metrics"]).after(by_name["report"])
