"""Reads what a cluster does with stages that fail: Argo's own settings, which it merges into what each pipeline says."""

from collections.abc import Mapping
from typing import Any

import yaml

CONFIG_MAP, NAMESPACE = "workflow-controller-configmap", "kubeflow"
SECONDS = 5.0  # for the cluster to answer
MENDED = (
    'retryPolicy: Always, and expression: "asInt(lastRetry.exitCode) > 0 || lastRetry.message matches '
    "'(?i)(pod deleted|evict|preempt|shutdown|shutting down)'\""
)


def retry_warning() -> str:
    """Returns what to say of the retries of the cluster that the kubeconfig names, or nothing where they work.

    A pipeline can say how often and when a stage is tried again, but not after what: that is the cluster's alone. A stock
    Kubeflow 2.17.0 has OnError, under which a stage that ends with an error is not tried again.
    """
    from kubernetes import client, config
    from kubernetes.client.rest import ApiException
    from urllib3.exceptions import HTTPError

    try:
        config.load_kube_config()
        found = client.CoreV1Api().read_namespaced_config_map(CONFIG_MAP, NAMESPACE, _request_timeout=SECONDS)
    except (config.ConfigException, ApiException, HTTPError, OSError) as error:
        why = " ".join(str(getattr(error, "reason", None) or error).split())
        return f"not checked: whether the cluster tries failed stages again ({CONFIG_MAP}: {why[:120]})"
    return warning_of(found.data or {})


def warning_of(settings: Mapping[str, str]) -> str:
    """Returns what to say of the settings in the ConfigMap, or nothing."""
    defaults = yaml.safe_load(settings.get("workflowDefaults") or "") or {}
    strategy: Mapping[str, Any] = ((defaults.get("spec") or {}).get("templateDefaults") or {}).get("retryStrategy") or {}
    policy = strategy.get("retryPolicy", "OnFailure")
    change = f"Set there, below workflowDefaults, spec, templateDefaults, retryStrategy: {MENDED}"
    if policy == "Always" and not strategy.get("expression"):
        return f"{CONFIG_MAP}: retryPolicy Always holds for loops, too, whose attempts multiply. {change}"
    if policy in ("OnError", "OnTransientError"):
        return f"{CONFIG_MAP}: retryPolicy {policy} tries a stage that ends with an error not again. {change}"
    if policy == "OnFailure":
        return f"{CONFIG_MAP}: retryPolicy OnFailure tries a stage whose pod was taken away not again. {change}"
    return ""
