"""The clusters that a run can be sent to, by the names that --target has; this machine is what is left."""

from launch.backends.cluster.backend import ClusterBackend
from launch.backends.kubeflow.backend import KubeflowBackend
from launch.backends.vertex.backend import VertexBackend

CLUSTERS: dict[str, type[ClusterBackend]] = {backend.name: backend for backend in (KubeflowBackend, VertexBackend)}
