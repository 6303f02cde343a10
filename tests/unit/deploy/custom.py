"""The kinds that Kubernetes itself does not know, as far as we use them.

By hand, from the reference of KEDA 2.15 (https://keda.sh/docs/2.15/reference/scaledobject-spec/ and
https://keda.sh/docs/2.15/scalers/prometheus/), and from that of the Prometheus Operator's API
(https://prometheus-operator.dev/docs/api-reference/api/). What they do not name is refused, so a
field that we begin to use is looked up first.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def record(required: tuple[str, ...], **fields: Schema) -> Schema:
    """Return the schema of an object that has these fields and no other."""
    return {
        "type": "object",
        "properties": fields,
        "required": list(required),
        "additionalProperties": False,
    }


def several(item: Schema) -> Schema:
    """Return the schema of a list with something in it."""
    return {"type": "array", "items": item, "minItems": 1}


TEXT: Schema = {"type": "string", "minLength": 1}
NUMBER: Schema = {"type": "integer", "minimum": 0}
LABELS: Schema = {"type": "object", "additionalProperties": TEXT, "minProperties": 1}
DURATION: Schema = {"type": "string", "pattern": "^([0-9]+(ms|[smh]))+$"}
METADATA = record(("name",), name=TEXT, namespace=TEXT, labels=LABELS)

#: Each value of a trigger's metadata is a text, also where it looks like something else.
_PROMETHEUS_TRIGGER = record(
    ("serverAddress", "query", "threshold"),
    serverAddress={"type": "string", "pattern": "^https?://"},
    query=TEXT,
    threshold={"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"},
    ignoreNullValues={"enum": ["true", "false"]},
)
SCALED_OBJECT = record(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "keda.sh/v1alpha1"},
    kind={"const": "ScaledObject"},
    metadata=METADATA,
    spec=record(
        ("scaleTargetRef", "triggers"),
        scaleTargetRef=record(("name",), name=TEXT),
        minReplicaCount=NUMBER,
        maxReplicaCount=NUMBER,
        pollingInterval=NUMBER,
        fallback=record(("failureThreshold", "replicas"), failureThreshold=NUMBER, replicas=NUMBER),
        advanced=record(
            (),
            # What stands in `behavior` is checked as that of a HorizontalPodAutoscaler.
            horizontalPodAutoscalerConfig=record((), behavior={"type": "object"}),
        ),
        triggers=several(
            record(
                ("type", "metadata"),
                type={"const": "prometheus"},
                metricType={"enum": ["AverageValue", "Value"]},
                metadata=_PROMETHEUS_TRIGGER,
            )
        ),
    ),
)

_ENDPOINTS = several(
    record(
        ("port",),
        port=TEXT,
        path={"type": "string", "pattern": "^/"},
        interval=DURATION,
        authorization=record(
            ("credentials",),
            type={"const": "Bearer"},
            credentials=record(("name", "key"), name=TEXT, key=TEXT),
        ),
    )
)


def _monitor(kind: str, endpoints: str) -> Schema:
    return record(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"const": "monitoring.coreos.com/v1"},
        kind={"const": kind},
        metadata=METADATA,
        spec=record(
            ("selector", endpoints),
            jobLabel=TEXT,
            selector=record(("matchLabels",), matchLabels=LABELS),
            **{endpoints: _ENDPOINTS},
        ),
    )


SCHEMAS: dict[str, Schema] = {
    "ScaledObject": SCALED_OBJECT,
    "ServiceMonitor": _monitor("ServiceMonitor", "endpoints"),
    "PodMonitor": _monitor("PodMonitor", "podMetricsEndpoints"),
}
