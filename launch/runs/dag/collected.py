"""The channels by which a task reads artifacts as a list: those of another loop, or one alone."""

from typing import Any

from kfp import dsl

from launch.runs.dag.kfp_internals import PipelineArtifactChannel


class CollectedArtifacts(dsl.Collected, PipelineArtifactChannel):
    """What dsl.Collected is, and an artifact channel by its type, too.

    kfp 2.17 takes a dsl.Collected that goes into another loop for a list of parameters, whatever it holds, and fails on the
    type of the artifacts; it asks first whether a channel is one of artifacts. What it then writes down is an ordinary input
    of the loop, a list of artifacts.
    """

    def __init__(self, output: Any) -> None:
        PipelineArtifactChannel.__init__(self, output.name, output.channel_type, output.task_name, is_artifact_list=True)
        self.output, self.is_artifact_channel = output, True


def list_of_one(output: Any) -> PipelineArtifactChannel:
    """Returns the channel by which a task reads an artifact outside of loops as a list.

    kfp collects lists from loops only; an importer in a loop is something that not every release of Kubeflow takes.
    """
    return PipelineArtifactChannel(output.name, output.channel_type, output.task_name, is_artifact_list=True)
