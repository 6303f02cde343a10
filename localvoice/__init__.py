"""An OpenAI-compatible speech and chat endpoint that needs no key, no network and no GPU."""

import os

# Read and written here because onnxruntime does, once, when it is imported: from 1.29 on it tells
# its maker what models it loads (github.com/microsoft/onnxruntime/pull/27379), except in CI.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # noqa: TID251
