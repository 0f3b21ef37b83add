"""What is said of a cluster's retries: its ConfigMap, read by Kubernetes' own client from a server that answers as the API."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from far_end import Answer, FarEnd, serving

from launch.backends.kubeflow.retries import retry_warning, warning_of

STOCK = """
spec:
  templateDefaults:
    retryStrategy:
      limit: 2
      retryPolicy: OnError
"""
CONFIG_MAP = "/api/v1/namespaces/kubeflow/configmaps/workflow-controller-configmap"


@pytest.fixture
def kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FarEnd]:
    """A server, and a kubeconfig that names it."""
    with serving(FarEnd()) as server:
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "k", "cluster": {"server": server.url}}], "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        }  # fmt: skip
        (tmp_path / "config").write_text(yaml.safe_dump(config))
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config"))
        yield server


def test_a_stock_cluster_is_told_of_with_what_to_change(kubernetes: FarEnd) -> None:
    answer = Answer({"apiVersion": "v1", "kind": "ConfigMap", "data": {"workflowDefaults": STOCK}})
    kubernetes.routes = [("GET", CONFIG_MAP, lambda _: answer)]
    warning = retry_warning()
    assert "retryPolicy OnError tries a stage that ends with an error not again" in warning
    assert "retryPolicy: Always, and expression: " in warning


def test_a_cluster_that_does_not_tell_is_said_to(kubernetes: FarEnd) -> None:
    kubernetes.routes = [("GET", CONFIG_MAP, lambda _: Answer({"message": "not for you"}, 403))]
    assert retry_warning().startswith("not checked: whether the cluster tries failed stages again")


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        ("retryStrategy: {limit: 2, retryPolicy: Always}", "whose attempts multiply"),
        ("retryStrategy: {limit: 2}", "whose pod was taken away not again"),
        ('retryStrategy: {limit: 2, retryPolicy: Always, expression: "asInt(lastRetry.exitCode) > 0"}', ""),
        ("", "whose pod was taken away not again"),
    ],
)
def test_each_policy_is_judged(strategy: str, words: str) -> None:
    warning = warning_of({"workflowDefaults": f"spec:\n  templateDefaults:\n    {strategy}\n"} if strategy else {})
    assert (words in warning) if words else warning == ""
