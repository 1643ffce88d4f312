"""Synthesised corpora of audio files, to run the whole system without a dataset.

The demo corpus (`make_demo`) has eight ballroom dances played by bands: drums, bass and chords from patterns on a grid.
Only rhythm, metre, tempo and the bass line differ between dances. Timbre, key, loudness, file format, sample rate,
channels and length are drawn from pools that all dances share. Scores on it show that the code works, not how well it
tags music. In the structure corpus (`make_structure`) only the order of sections differs between labels.

A track is made in three steps: `draw_piece` draws tempo, key and chords, `compose` turns a dance's patterns into notes,
and `render` plays them with a band's instruments. `write_corpus` writes the tracks, all or none.
"""

from mcc_zoo.datasets.synthetic.bands import Band, Timbre, draw_band
from mcc_zoo.datasets.synthetic.composition import CorpusError, Note, Piece, compose, draw_piece
from mcc_zoo.datasets.synthetic.dances import DANCES, Dance
from mcc_zoo.datasets.synthetic.demo import make_demo, plan_demo
from mcc_zoo.datasets.synthetic.files import PlannedTrack, write_corpus
from mcc_zoo.datasets.synthetic.sounds import render, synthesise
from mcc_zoo.datasets.synthetic.structure import ORDERS, make_structure

__all__ = [
    "DANCES",
    "ORDERS",
    "Band",
    "Dance",
    "CorpusError",
    "Note",
    "Piece",
    "PlannedTrack",
    "Timbre",
    "compose",
    "draw_band",
    "draw_piece",
    "make_demo",
    "make_structure",
    "plan_demo",
    "render",
    "synthesise",
    "write_corpus",
]
