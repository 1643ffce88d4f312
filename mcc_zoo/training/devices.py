"""Devices, distribution strategies and number types of training."""

from __future__ import annotations

import functools

import tensorflow as tf


@functools.cache
def make_strategy(device: str = "auto") -> tf.distribute.Strategy:
    """Make the distribution strategy of a device.

    Args:
        device: `cpu`, `gpu` (all that are visible, mirrored), `tpu` (the one that TPU_NAME or the host names), or
            `auto`: GPUs where there are any, else the CPU.

    Raises:
        ValueError: The device is unknown or not there.
    """
    gpus = tf.config.list_logical_devices("GPU")
    if device == "tpu":
        try:
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
        except Exception as error:  # the resolver raises whatever the environment lacks
            raise ValueError(f"device=tpu: no TPU answers ({error}); use cpu, gpu or auto") from error
        return tf.distribute.TPUStrategy(resolver)
    if device == "gpu" and not gpus:
        raise ValueError("device=gpu: TensorFlow sees no GPU; use cpu or auto")
    if device not in ("auto", "cpu", "gpu"):
        raise ValueError(f"device={device!r} is not known: choose one of auto, cpu, gpu, tpu")
    if device == "cpu" and gpus:
        return tf.distribute.OneDeviceStrategy("/cpu:0")
    # On one device the default: another strategy makes its iterators anew each epoch, at half a second an epoch.
    return tf.distribute.MirroredStrategy() if len(gpus) > 1 else tf.distribute.get_strategy()


def is_on_accelerator(strategy: tf.distribute.Strategy) -> bool:
    """Whether a strategy of `make_strategy` trains on GPUs or TPUs."""
    if isinstance(strategy, tf.distribute.OneDeviceStrategy):
        return False
    return isinstance(strategy, tf.distribute.TPUStrategy) or bool(tf.config.list_logical_devices("GPU"))


def needs_static_shapes(strategy: tf.distribute.Strategy) -> bool:
    """Whether every batch has to have the same shape, as on a TPU."""
    return isinstance(strategy, tf.distribute.TPUStrategy)


def choose_precision(asked: str, device: str = "auto") -> str:
    """Choose the Keras dtype policy to train under. Weights and front end stay in float32 under all of them.

    Args:
        asked: A policy's name, or `auto`: mixed_bfloat16 on TPUs, mixed_float16 on GPUs, float32 on CPUs.
        device: As for `make_strategy`.
    """
    if asked != "auto":
        return asked
    if device == "tpu":
        return "mixed_bfloat16"
    on_gpu = device == "gpu" or (device == "auto" and tf.config.list_physical_devices("GPU"))
    return "mixed_float16" if on_gpu else "float32"
