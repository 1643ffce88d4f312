"""The configuration for TF Serving: models, labels, batching, monitoring, compose file and health check."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from helpers.served_models import ROOT, SERVING, unused_port
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

import mcc_zoo
from mcc_zoo.export import saved_model

pytest_plugins = ["helpers.serving_fixtures"]

# Messages of TF Serving that tensorflow-serving-api does not have, from their public definitions.
MESSAGES = """
name: "serving.proto" package: "serving" syntax: "proto3" dependency: "google/protobuf/wrappers.proto"
message_type {
  name: "PrometheusConfig"
  field { name: "enable" number: 1 type: TYPE_BOOL label: LABEL_OPTIONAL }
  field { name: "path" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
}
message_type {
  name: "MonitoringConfig"
  field { name: "prometheus_config" number: 1 type_name: ".serving.PrometheusConfig" label: LABEL_OPTIONAL }
}
message_type {
  name: "BatchingParameters"
  field { name: "max_batch_size" number: 1 type_name: ".google.protobuf.Int64Value" label: LABEL_OPTIONAL }
  field { name: "batch_timeout_micros" number: 2 type_name: ".google.protobuf.Int64Value" label: LABEL_OPTIONAL }
  field { name: "max_enqueued_batches" number: 3 type_name: ".google.protobuf.Int64Value" label: LABEL_OPTIONAL }
  field { name: "num_batch_threads" number: 4 type_name: ".google.protobuf.Int64Value" label: LABEL_OPTIONAL }
  field { name: "thread_pool_name" number: 5 type_name: ".google.protobuf.StringValue" label: LABEL_OPTIONAL }
  field { name: "allowed_batch_sizes" number: 6 type: TYPE_INT64 label: LABEL_REPEATED }
  field { name: "pad_variable_length_inputs" number: 7 type: TYPE_BOOL label: LABEL_OPTIONAL }
}
"""


def parsed(message: str, text: str):
    """Parse a text as a message of TF Serving, of which each field has to be known."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(text_format.Parse(MESSAGES, descriptor_pb2.FileDescriptorProto()).SerializeToString())
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"serving.{message}"))
    return text_format.Parse(text, kind())


@pytest.fixture(scope="module")
def service():
    return yaml.safe_load((SERVING / "compose.yaml").read_text())["services"]["serving"]


def test_models_config_has_two_models_and_labels_of_versions_that_are_served():
    config = text_format.Parse((SERVING / "models.config").read_text(), ModelServerConfig())
    tagger, moods = config.model_config_list.config
    for model in (tagger, moods):  # what is shipped, in the version that is shipped
        newest = mcc_zoo.latest(ROOT / "exported_models" / model.name)
        assert [*model.model_version_policy.specific.versions] in ([], [int(newest.name)])
    assert set(tagger.version_labels) == {"stable", "canary"}
    assert set(tagger.version_labels.values()) <= set(tagger.model_version_policy.specific.versions)
    assert moods.model_version_policy.latest.num_versions == 1
    assert not moods.version_labels  # a label on a version that the policy drops would fail its requests
    for model in (tagger, moods):
        assert (model.base_path, model.model_platform) == (f"/models/{model.name}", "tensorflow")


def test_monitoring_and_batching_configuration_parse():
    prometheus = parsed("MonitoringConfig", (SERVING / "monitoring.config").read_text()).prometheus_config
    assert (prometheus.enable, prometheus.path) == (True, "/monitoring/prometheus/metrics")
    whole = parsed("BatchingParameters", (SERVING / "batching.config").read_text())
    assert whole.num_batch_threads.value >= 1
    assert not whole.HasField("max_batch_size")  # each version's own, which the server reads
    own = parsed("BatchingParameters", saved_model.BATCHING)
    assert own.max_batch_size.value >= 1 and own.max_enqueued_batches.value >= 1
    assert not own.pad_variable_length_inputs  # padding would be heard as audio


def test_compose_file_starts_the_public_image_with_files_that_are_there(service):
    assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?", service["image"])
    assert [port.rpartition(":")[2] for port in service["ports"]] == ["8500", "8501"]
    mounted = {inside: outside for outside, inside, *_ in (volume.split(":") for volume in service["volumes"])}
    assert (SERVING / mounted["/models"]).resolve() == ROOT / "exported_models"
    flags = dict(flag.removeprefix("--").split("=") for flag in service["command"])
    assert {"model_config_file", "monitoring_config_file", "model_config_file_poll_wait_seconds"} <= flags.keys()
    assert "enable_batching" not in flags
    assert flags["max_num_load_retries"] == "0" and int(flags["num_load_threads"]) > 1  # or a broken version holds all
    uncommented = yaml.safe_load((SERVING / "compose.yaml").read_text().replace("# - --", "- --"))
    batching = dict(flag.removeprefix("--").split("=") for flag in uncommented["services"]["serving"]["command"])
    assert batching.keys() - flags.keys() == {
        "enable_batching",
        "enable_per_model_batching_parameters",
        "batching_parameters_file",
    }
    for path in (value for value in batching.values() if value.startswith("/")):
        assert (SERVING / mounted["/config"] / Path(path).relative_to("/config")).is_file()


def test_compose_file_limits_memory_processor_and_logs(service):
    limits = service["deploy"]["resources"]["limits"]
    assert 0 < float(limits["cpus"]) <= 2  # Docker does not start a container that may use more than there are
    assert re.fullmatch(r"[3-9]g", limits["memory"])  # 0.5 GiB, and a WAV file of ten minutes at 192 kHz: 2.2 GiB
    options = service["logging"]["options"]
    assert service["logging"]["driver"] in ("json-file", "local")
    assert re.fullmatch(r"\d+m", options["max-size"]) and int(options["max-file"]) > 1


def test_readme_names_the_version_of_the_image(service):
    assert f"imagetools inspect {service['image'].partition('@')[0]}" in (SERVING / "README.md").read_text()


@pytest.mark.skipif(shutil.which("bash") is None, reason="the health check of the image is written for its bash")
def test_health_check_passes_only_if_the_model_is_served(service, fake_server):
    kind, *command = service["healthcheck"]["test"]
    assert kind == "CMD" and "mcclstm_emotify_genre" in command[-1]

    def status(port: str, model: str = "my_tagger") -> int:
        script = command[-1].replace("8501", port).replace("mcclstm_emotify_genre", model)
        return subprocess.run([*command[:-1], script], stderr=subprocess.DEVNULL, timeout=20).returncode

    port = fake_server.rest.rpartition(":")[2]
    assert status(port) == 0
    assert status(port, "nobody") != 0
    assert status(str(unused_port())) != 0
