"""Pages that ask the export in this process, or a stand-in for TF Serving."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers.demo_pages import served
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

import mcc_zoo
from mcc_zoo.demo_page import DemoPage, Library, LoadedModel, ServedModel
from serving.fake_tf_serving import FakeTFServing


@pytest.fixture(scope="module")
def library(tagger, music) -> Library:
    return Library.from_results(tagger.tag_files([music / "notes.txt", *mcc_zoo.audio.folders.find(music)]), music)


@pytest.fixture(scope="module")
def loaded_model(exported) -> LoadedModel:
    return LoadedModel(exported, "tones")


@pytest.fixture(scope="module")
def page(tagger, loaded_model, library) -> Iterator[str]:
    """The address of a page that asks the export in this process."""
    with served(DemoPage(tagger, loaded_model, library)) as address:
        yield address


@pytest.fixture(scope="module")
def stand_in(exported) -> Iterator[FakeTFServing]:
    config = ModelServerConfig()
    config.model_config_list.config.add(name="tones", base_path=str(exported.parent), model_platform="tensorflow")
    with FakeTFServing(config) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(tagger, stand_in, library) -> Iterator[str]:
    """The address of a page that asks the stand-in of TF Serving."""
    with served(DemoPage(tagger, ServedModel(stand_in.rest + "/", "tones"), library)) as address:
        yield address


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
