"""A corpus of real audio files made from nothing, so that newcomers can run the whole system without data.

Eight ballroom dances are played by made-up bands: drums, bass and chords from patterns on a grid. Only rhythm, metre,
tempo and the bass line tell the dances apart. Timbre, key, loudness, file format, sample rate, channels and length are
drawn from pools that all dances share. Scores on this corpus say that the machinery works; they say nothing of music.

The way of a track: `draw_piece` decides tempo, key and chords, `compose` turns a dance's patterns into notes, `render`
plays them with a band's instruments. `make_structure` makes a second corpus, in which only the order of sections tells.
`write_corpus` puts tracks on disk, whole or not at all. Each is of use alone.
"""

from mcc_zoo.datasets.synthetic.bands import Band, Timbre, draw_band
from mcc_zoo.datasets.synthetic.composition import DemoCorpusError, Note, Piece, compose, draw_piece
from mcc_zoo.datasets.synthetic.dances import DANCES, Dance
from mcc_zoo.datasets.synthetic.files import Track, make, plan, write_corpus
from mcc_zoo.datasets.synthetic.sounds import render, synthesise
from mcc_zoo.datasets.synthetic.structure import ORDERS, make_structure

__all__ = [
    "DANCES",
    "Band",
    "Dance",
    "ORDERS",
    "DemoCorpusError",
    "Note",
    "Piece",
    "Timbre",
    "Track",
    "compose",
    "draw_band",
    "draw_piece",
    "make",
    "make_structure",
    "plan",
    "render",
    "synthesise",
    "write_corpus",
]
