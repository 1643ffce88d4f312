"""Devices, distribution strategies and number types of training."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import tensorflow as tf

from mcc_zoo.training.cluster import Cluster
from mcc_zoo.training.processor import has_bfloat16

DEVICES = ("auto", "cpu", "gpu")
STRATEGIES = ("default", "mirrored", "tpu", "parameter_server")


@dataclass(frozen=True)
class Distribution:
    """How a training is spread over devices and machines.

    Attributes:
        strategy: `default`, which mirrors over GPUs where there are several; `mirrored`, which has to find two devices
            or more; `tpu`; or `parameter_server`.
        tpu: Name or address of the TPU, or `local` on a TPU VM; "" takes what TPU_NAME or the host names.
        cluster: That of `parameter_server`; None with the others.
    """

    strategy: str = "default"
    tpu: str = ""
    cluster: Cluster | None = None

    @property
    def workers(self) -> int:
        """Number of workers that train asynchronously; 0 where training is synchronous."""
        return len(self.cluster.workers) if self.cluster else 0


ONE_MACHINE = Distribution()


@functools.cache
def make_strategy(device: str = "auto", distribution: Distribution = ONE_MACHINE) -> tf.distribute.Strategy:
    """Make the strategy under which a model is built.

    Args:
        device: `cpu`, `gpu`, or `auto`: GPUs where there are any, else the CPU. A TPU takes no notice of it.
        distribution: How the training is spread. With parameter servers the model is built on the coordinator.

    Raises:
        ValueError: The device or strategy is unknown or not there.
    """
    if device not in DEVICES:
        raise ValueError(f"device={device!r} is not known: choose one of {', '.join(DEVICES)}")
    if distribution.strategy not in STRATEGIES:
        raise ValueError(f"strategy={distribution.strategy!r} is not known: choose one of {', '.join(STRATEGIES)}")
    if distribution.strategy == "tpu":
        return _connect_to_tpu(distribution.tpu)
    gpus = [one.name for one in tf.config.list_logical_devices("GPU")]
    if device == "gpu" and not gpus:
        raise ValueError("device=gpu: TensorFlow sees no GPU; use cpu or auto")
    if distribution.strategy == "mirrored":
        cpus = [one.name for one in tf.config.list_logical_devices("CPU")]
        return _mirror(*(gpus if gpus and device != "cpu" else cpus))
    if device == "cpu" and gpus:
        return tf.distribute.OneDeviceStrategy("/cpu:0")
    # On one device the default: another strategy makes its iterators anew each epoch, at half a second an epoch.
    is_mirrored = len(gpus) > 1 and distribution.strategy == "default"
    return _mirror(*gpus) if is_mirrored else tf.distribute.get_strategy()


def _connect_to_tpu(address: str) -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect(address or None)
    except Exception as error:  # the resolver raises whatever the environment lacks
        named = f" at {address}" if address else ""
        raise ValueError(f"strategy=tpu: no TPU answers{named} ({error}); name one, or use another strategy") from error
    return tf.distribute.TPUStrategy(resolver)


@functools.cache  # a second strategy on the same devices would number its reductions from the same number, and fail
def _mirror(*devices: str) -> tf.distribute.Strategy:
    if len(devices) < 2:
        raise ValueError(
            f"strategy=mirrored needs two devices of one kind or more, and TensorFlow sees "
            f"{', '.join(devices) or 'none'}: use strategy=default"
        )
    return tf.distribute.MirroredStrategy(devices)


def is_on_accelerator(strategy: tf.distribute.Strategy) -> bool:
    """Whether a strategy of `make_strategy` trains on GPUs or TPUs."""
    if isinstance(strategy, tf.distribute.OneDeviceStrategy):
        return False
    return isinstance(strategy, tf.distribute.TPUStrategy) or bool(tf.config.list_logical_devices("GPU"))


def needs_static_shapes(strategy: tf.distribute.Strategy) -> bool:
    """Whether every batch has to have the same shape, as on a TPU."""
    return isinstance(strategy, tf.distribute.TPUStrategy)


def choose_precision(asked: str, device: str = "auto", strategy: str = "default") -> str:
    """Choose the Keras dtype policy to train under. Weights and front end stay in float32 under all of them.

    Args:
        asked: A policy's name, or `auto`: mixed_bfloat16 on TPUs and on processors that multiply it, mixed_float16 on
            GPUs, float32 on other processors and with parameter servers.
        device: As for `make_strategy`.
        strategy: As for `Distribution`.
    """
    if asked != "auto":
        return asked
    if strategy in ("tpu", "parameter_server"):
        return "mixed_bfloat16" if strategy == "tpu" else "float32"
    on_gpu = device == "gpu" or (device == "auto" and tf.config.list_physical_devices("GPU"))
    if on_gpu:
        return "mixed_float16"
    return "mixed_bfloat16" if has_bfloat16() else "float32"
