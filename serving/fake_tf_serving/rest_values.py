"""JSON to the arrays of a request, and arrays to JSON: rows ("instances") and columns ("inputs")."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from serving.fake_tf_serving.batching import Arrays
from serving.fake_tf_serving.failure import make_refusal


def parse_request(body: bytes) -> dict[str, Any]:
    """Read the body of a request."""
    try:
        request = json.loads(body)
    except ValueError as error:
        raise make_refusal(f"JSON Parse error: {error}") from error
    if not isinstance(request, dict) or ("instances" in request) == ("inputs" in request):
        raise make_refusal(
            "Request must be a JSON object with either 'instances' or 'inputs', and not both",
        )
    return request


def read_rows(rows: Any, wanted: dict[str, tf.TensorSpec]) -> Arrays:
    """Read a request in rows, one for each clip."""
    if not isinstance(rows, list) or not rows:
        raise make_refusal("'instances' must be a list that is not empty")
    if not _names_inputs(rows[0]):
        return read_columns(rows, wanted)
    if any(not _names_inputs(row) or row.keys() != rows[0].keys() for row in rows):
        raise make_refusal("'instances' must all name the same inputs")
    return read_columns({name: [row[name] for row in rows] for name in rows[0]}, wanted)


def read_columns(columns: Any, wanted: dict[str, tf.TensorSpec]) -> Arrays:
    """Read a request in columns, one for each input."""
    if not _names_inputs(columns):
        if len(wanted) != 1:
            raise make_refusal(f"inputs must be named: {sorted(wanted)}")
        columns = {next(iter(wanted)): columns}
    return {
        name: _read_array(name, value, wanted[name]) if name in wanted else value for name, value in columns.items()
    }


def _names_inputs(value: Any) -> bool:
    return isinstance(value, dict) and set(value) != {"b64"}  # which is a value: a string of bytes


def _read_array(name: str, value: Any, spec: tf.TensorSpec) -> np.ndarray:
    try:
        if spec.dtype == tf.string:
            return np.array(_read_bytes(value), dtype=object)
        array = np.asarray(value)
        if array.dtype.kind not in "fiub" or array.dtype == object:
            raise ValueError("not all values are numbers, or lists differ in length")
        return array.astype(spec.dtype.as_numpy_dtype)
    except ValueError as error:
        raise make_refusal(f"JSON Value of {name} is no {spec.dtype.name} tensor: {error}") from error


def _read_bytes(value: Any) -> Any:
    if isinstance(value, list):
        return [_read_bytes(item) for item in value]
    if isinstance(value, dict) and isinstance(value.get("b64"), str):
        return base64.b64decode(value["b64"], validate=True)
    if isinstance(value, str):
        return value.encode()
    raise ValueError(f"{value!r} is no string")


def write_rows(outputs: Arrays) -> list[Any]:
    """Write outputs as rows."""
    columns = {name: _write_array(name, value) for name, value in outputs.items()}
    if len(columns) == 1:
        return next(iter(columns.values()))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def write_columns(outputs: Arrays) -> Any:
    """Write outputs as columns."""
    columns = {name: _write_array(name, value) for name, value in outputs.items()}
    return next(iter(columns.values())) if len(columns) == 1 else columns


def _write_array(name: str, value: np.ndarray) -> Any:
    if value.dtype != object:
        return value.tolist()
    return _write_texts(value.tolist(), _write_base64 if name.endswith("_bytes") else bytes.decode)


def _write_texts(value: Any, as_text: Callable[[bytes], Any]) -> Any:
    return [_write_texts(item, as_text) for item in value] if isinstance(value, list) else as_text(value)


def _write_base64(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode()}
