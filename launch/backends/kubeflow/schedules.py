"""Kubeflow's recurring runs: made, listed, paused and deleted; and a run's page and its end."""

import argparse
from pathlib import Path
from typing import Any

from launch.backends.base import Schedule
from launch.backends.cluster.backend import MOST_LISTED, Prepared
from launch.backends.kubeflow.client import NO_HOST, experiment_id, host_of, link_of, run_of, sent_pipeline
from launch.backends.kubeflow.errors import talking_to
from launch.backends.kubeflow.records import find_run


def create_schedule(client: Any, file: Path, prepared: Prepared, cron: str, flags: argparse.Namespace) -> str:
    """Creates a recurring run of a compiled pipeline and returns its id; a run that comes due while one goes on is left out."""
    import kfp_server_api as api

    host = host_of(flags) or NO_HOST
    schedule = api.V2beta1RecurringRun(
        experiment_id=experiment_id(client, prepared.experiment, flags),
        **run_of(prepared, flags),
        pipeline_spec=sent_pipeline(file),
        mode=api.RecurringRunMode.ENABLE,
        # Kubeflow's schedules begin with seconds: five fields would be read as those up to the month
        trigger=api.V2beta1Trigger(cron_schedule=api.V2beta1CronSchedule(cron=f"0 {cron}")),
        max_concurrency="1",
        no_catchup=True,
    )
    with talking_to(host, f"create schedule {prepared.name}", uncertain=True):
        created = client._recurring_run_api.recurring_run_service_create_recurring_run(recurring_run=schedule)
    return str(created.recurring_run_id)


def list_schedules(client: Any, experiment: str, flags: argparse.Namespace) -> list[Schedule]:
    """Returns the recurring runs of an experiment; none where there is no such experiment."""
    with talking_to(host_of(flags) or NO_HOST, f"list the schedules of experiment {experiment}"):
        try:
            there = client.get_experiment(experiment_name=experiment, namespace=flags.namespace or None)
        except ValueError:  # kfp's way to say that there is none
            return []
        found = client.list_recurring_runs(page_size=MOST_LISTED, experiment_id=there.experiment_id).recurring_runs or []
    return [
        Schedule(
            id=each.recurring_run_id,
            name=each.display_name,
            cron=each.trigger.cron_schedule.cron.partition(" ")[2] if each.trigger and each.trigger.cron_schedule else "-",
            state=each.status or "-",
        )
        for each in found
    ]


def change_schedule(client: Any, schedule: str, action: str, flags: argparse.Namespace) -> None:
    """Pauses, resumes or deletes a recurring run."""
    does = {"pause": client.disable_recurring_run, "resume": client.enable_recurring_run, "delete": client.delete_recurring_run}
    with talking_to(host_of(flags) or NO_HOST, f"{action} schedule {schedule}"):
        does[action](schedule)


def stop_run(client: Any, name: str, experiment: str, flags: argparse.Namespace) -> str:
    """Ends a run, whose stages that go on are ended, and returns its page."""
    run = find_run(client, name, experiment, flags)
    with talking_to(host_of(flags) or NO_HOST, f"stop run {run.run_id}"):
        client.terminate_run(run.run_id)
    return link_of(run.run_id, flags)


def page_of(client: Any, name: str, experiment: str, flags: argparse.Namespace) -> str:
    """Returns the page of a run."""
    return link_of(find_run(client, name, experiment, flags).run_id, flags)
