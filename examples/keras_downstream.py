"""Use a tagger in a Keras program: load it, predict, and train it further with plain `compile` and `fit`.

    python examples/keras_downstream.py mcclstm_emotify_genre song.mp3 rock

The model's output is a dict of tags, descriptor, taggram and chunk_descriptors. A loss names the output:

    model = tf.keras.models.load_model(mcc_zoo.latest("mcclstm_emotify_genre"))
    model.compile("adam", loss={"tags": "sparse_categorical_crossentropy"})
    model.fit(audio, {"tags": label_numbers})

Metrics on a dict need targets for all outputs, so for metrics make a model of the tags alone. It shares its layers with
the first one, which learns too:

    classifier = tf.keras.Model(model.input, model.output["tags"])
    classifier.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    classifier.fit(audio, label_numbers)

audio is (batch, samples) float32 at the model's sample rate, label_numbers (batch,) int, the places in the list of
labels. This script trains on one song, to show the steps. On a dataset, hold out tracks for validation, as
`mcc-zoo finetune` does.
"""

import sys
from typing import Annotated

import numpy as np
import tensorflow as tf
import typer

import mcc_zoo  # registers the layers with Keras
from mcc_zoo.audio import reading


def main(
    export: Annotated[str, typer.Argument(help="model: exported_models/my_tagger, or a name: mcclstm_emotify_genre")],
    song: Annotated[str, typer.Argument(help="audio file: song.mp3")],
    label: Annotated[str, typer.Argument(help="label of the song, one of the model's: rock")],
    steps: Annotated[int, typer.Option(help="training steps: --steps 20")] = 5,
    save: Annotated[str, typer.Option(help="file for the trained model: --save trained.keras")] = "",
) -> None:
    """Print a song's tags, train the model for some steps towards the song's label, and print the tags again."""
    model = tf.keras.models.load_model(mcc_zoo.latest(export))  # Keras needs the folder of a version
    labels = mcc_zoo.labels_of(model)
    if label not in labels:
        raise typer.BadParameter(f"label {label!r} is not one of {', '.join(labels)}")
    sample_rate = mcc_zoo.front_end_of(model).sample_rate  # another rate gives wrong tags
    audio = reading.read(song, sample_rate)[np.newaxis]  # (batch, samples)

    def print_tags(when: str) -> None:
        tags = model.predict(audio, verbose=0)["tags"][0]
        print(f"{when}: " + ", ".join(f"{name} {tag:.3f}" for name, tag in zip(labels, tags, strict=True)))

    print_tags("before")
    classifier = tf.keras.Model(model.input, model.output["tags"])
    optimizer = tf.keras.optimizers.Adam(1e-4)
    classifier.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    fitted = classifier.fit(audio, np.array([labels.index(label)]), epochs=steps, verbose=0)
    print_tags("after")
    print("last step: " + ", ".join(f"{name} {values[-1]:.3f}" for name, values in fitted.history.items()))
    if save:
        model.save(save)


if __name__ == "__main__":
    try:
        typer.run(main)
    except (mcc_zoo.ExportError, ValueError, OSError) as error:  # wrong files and folders end in one sentence
        sys.exit(f"error: {error}")
