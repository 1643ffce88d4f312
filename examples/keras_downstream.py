"""A tagger inside an app of Keras: load it, ask it, and train it further with `compile` and `fit`.

    python examples/keras_downstream.py exported_models/my_tagger song.mp3 jazz

It prints the tags of the song, takes a few steps towards the label that you say it has, and prints them again. An app
would do so with many songs, and keep some to see that others have not got worse: `mcc-zoo finetune` does that.
"""

import argparse
import sys

import numpy as np
import tensorflow as tf

import mcc_zoo  # makes the layers known to Keras


def main() -> None:
    """Load, predict, train, predict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", help="exported_models/NAME, or a version's folder in it")
    parser.add_argument("song", help="audio file")
    parser.add_argument("label", help="the song's label, one of the model's")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--save", help="a file NAME.keras for the trained model")
    arguments = parser.parse_args()

    model = tf.keras.models.load_model(mcc_zoo.latest(arguments.export))  # Keras wants the version's folder
    labels = mcc_zoo.labels_of(model)
    if arguments.label not in labels:
        parser.error(f"label {arguments.label!r} is not one of {', '.join(labels)}")
    sample_rate = mcc_zoo.front_end_of(model).sample_rate  # another rate would give wrong tags
    audio = mcc_zoo.audio.reading.read(arguments.song, sample_rate)[np.newaxis]  # (batch, samples)

    def say(when: str) -> None:
        tags = model.predict(audio, verbose=0)["tags"][0]
        print(f"{when}: " + ", ".join(f"{label} {tag:.3f}" for label, tag in zip(labels, tags, strict=True)))

    say("before")
    model.compile(tf.keras.optimizers.Adam(1e-4), loss={"tags": "sparse_categorical_crossentropy"})
    model.fit(audio, {"tags": np.array([labels.index(arguments.label)])}, epochs=arguments.steps, verbose=0)
    say("after")
    if arguments.save:
        model.save(arguments.save)


if __name__ == "__main__":
    try:
        main()
    except (mcc_zoo.ExportError, ValueError, OSError) as error:  # of files and folders, in a sentence
        sys.exit(f"error: {error}")
