"""An output of a task in a loop goes in; the channel by which a task of another loop reads it, of all iterations, comes out."""

from typing import Any

from kfp import dsl
from kfp.dsl.pipeline_channel import PipelineArtifactChannel


class CollectedArtifacts(dsl.Collected, PipelineArtifactChannel):
    """What dsl.Collected is, and an artifact channel by its type, too.

    kfp 2.17 takes a dsl.Collected that goes into another loop for a list of parameters, whatever it holds, and fails on the
    type of the artifacts; it asks first whether a channel is one of artifacts. What it then writes down is an ordinary input
    of the loop, a list of artifacts.
    """

    def __init__(self, output: Any) -> None:
        PipelineArtifactChannel.__init__(self, output.name, output.channel_type, output.task_name, is_artifact_list=True)
        self.output, self.is_artifact_channel = output, True
