"""What a graph refuses: each fault is a condition and its sentence, because no Python runs on a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, TypeVar

import tensorflow as tf

Structure = TypeVar("Structure")
Fault: TypeAlias = tuple[tf.Tensor, tf.Tensor]  # bool and string: scalars, or of each clip (batch,)


def find_first(faults: Sequence[Fault]) -> tf.Tensor:
    """Return the sentence of the first fault that holds, and "" where none does: a scalar string, or (batch,)."""
    sentence = tf.constant("")
    for holds, words in reversed(faults):
        sentence = tf.where(holds, words, sentence)
    return sentence


def refuse_faults(tensors: Structure, faults: Sequence[Fault]) -> Structure:
    """Return tensors, unless one of the faults holds: the graph then fails with the sentence of the first that does.

    There is one assertion for all faults: several would run side by side, and any of them could answer first.

    Args:
        tensors: Any structure of tensors; what is computed from the result waits for the check.
        faults: Conditions with their sentences, scalars.

    Raises:
        tf.errors.InvalidArgumentError: One of the faults holds.
    """
    sentence = find_first(faults)
    with tf.control_dependencies([tf.debugging.Assert(tf.equal(sentence, ""), [sentence])]):
        return tf.nest.map_structure(tf.identity, tensors)
