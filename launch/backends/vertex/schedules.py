"""Vertex AI's schedules: made, listed, paused and deleted; and a run's page and its end."""

import argparse
from pathlib import Path
from typing import Any

from launch.backends.base import Schedule
from launch.backends.cluster.backend import MOST_LISTED, Prepared
from launch.backends.vertex.client import OURS, job_of, link_of, place_of, talking_to
from launch.backends.vertex.records import find_job


def create_schedule(aiplatform: Any, file: Path, prepared: Prepared, cron: str, flags: argparse.Namespace) -> str:
    """Creates a schedule of a compiled pipeline and returns its id; its runs are of no experiment, which the service lacks."""
    where, cluster = place_of(flags), prepared.cluster
    job = job_of(aiplatform, file, prepared, flags)
    with talking_to(where, f"create schedule {prepared.name}", uncertain=True):
        schedule = job.create_schedule(
            cron=cron,
            display_name=prepared.name,
            max_concurrent_run_count=1,
            service_account=cluster.service_account or None,
            network=cluster.network or None,
        )
    return str(schedule.resource_name.rpartition("/")[2])


def list_schedules(aiplatform: Any, flags: argparse.Namespace) -> list[Schedule]:
    """Returns the schedules whose runs bear our label."""
    ((label, value),) = OURS.items()
    with talking_to(place_of(flags), "list the schedules"):
        found = aiplatform.PipelineJobSchedule.list(order_by="create_time desc")[:MOST_LISTED]
    ours = [each.gca_resource for each in found]
    return [
        Schedule(id=each.name.rpartition("/")[2], name=each.display_name, cron=each.cron, state=each.state.name)
        for each in reversed(ours)
        if each.create_pipeline_job_request.pipeline_job.labels.get(label) == value
    ]


def change_schedule(aiplatform: Any, schedule: str, action: str, flags: argparse.Namespace) -> None:
    """Pauses, resumes or deletes a schedule."""
    with talking_to(place_of(flags), f"{action} schedule {schedule}"):
        found = aiplatform.PipelineJobSchedule.get(schedule)
        if action == "resume":
            found.resume(catch_up=False)
        else:
            getattr(found, action)()


def stop_run(aiplatform: Any, name: str, flags: argparse.Namespace) -> str:
    """Cancels a job and returns its page."""
    job = find_job(aiplatform, name, flags)
    with talking_to(place_of(flags), f"stop run {name}"):
        job.cancel()
    return page_of_job(job, flags)


def page_of(aiplatform: Any, name: str, flags: argparse.Namespace) -> str:
    """Returns the page of a job."""
    return page_of_job(find_job(aiplatform, name, flags), flags)


def page_of_job(job: Any, flags: argparse.Namespace) -> str:
    """Returns the page of a job that is there."""
    return link_of(job.resource_name.rpartition("/")[2], flags)
