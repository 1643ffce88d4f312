"""The eight dances: metre, tempo, and the pattern of each voice of the band."""

from __future__ import annotations

from dataclasses import dataclass

DRUMS = ("kick", "snare", "hat", "bell")
VOICES = (*DRUMS, "bass", "chords")


@dataclass(frozen=True)
class Dance:
    """A dance.

    A pattern has one character per grid step; blanks and bars are for the reader. A dot is a rest. For drums and chords
    a digit is the accent, 9 the loudest; for the bass it is the degree of the chord: 1, 3, 5, 6 or 8.

    Attributes:
        name: The label.
        beats_per_bar: Quarter notes in a bar.
        tempo: Slowest and fastest, in beats per minute; competition rules as commonly given.
        steps_per_beat: Grid steps in a beat: 4 for sixteenths, 3 for swung eighths.
        gate: Share of the time to the next note for which bass and chords sound; small values are staccato.
        kick: Pattern of the bass drum.
        snare: Pattern of snare, clap or conga.
        hat: Pattern of hi-hat or maracas.
        bell: Pattern of cowbell, clave or block.
        bass: Pattern of the bass, in degrees.
        chords: Pattern of the chords.
    """

    name: str
    beats_per_bar: int
    tempo: tuple[float, float]
    steps_per_beat: int
    gate: float
    kick: str
    snare: str
    hat: str
    bell: str
    bass: str
    chords: str

    @property
    def steps_per_bar(self) -> int:
        """Grid steps in one bar."""
        return self.beats_per_bar * self.steps_per_beat

    def get_pattern(self, voice: str) -> str:
        """Get the pattern of a voice of `VOICES`, one character per step."""
        return str(getattr(self, voice)).translate(str.maketrans("", "", " |"))


# The voices are aligned as in a score.
# fmt: off
DANCES = (
    Dance("ChaChaCha", beats_per_bar=4, tempo=(120, 128), steps_per_beat=4, gate=0.7,
          kick=  "8... .... 7... ..5.",
          snare= ".... 7... .... 6.6.",
          hat=   "8... 6.5. 8... 6.5.",
          bell=  "9... 6... 8... 6...",
          bass=  "1... ..1. 5... 8.5.",
          chords="7... ..6. ..7. ..6."),
    Dance("Jive", beats_per_bar=4, tempo=(168, 176), steps_per_beat=3, gate=0.8,
          kick=  "8.. ... 7.. ..4",
          snare= "... 9.. ... 9..",
          hat=   "8.. 6.5 8.. 6.5",
          bell=  "..4 7.. ..4 7..",
          bass=  "1.. 3.. 5.. 6.. | 8.. 6.. 5.. 3..",
          chords="... 7.5 ... 7.."),
    Dance("Quickstep", beats_per_bar=4, tempo=(200, 208), steps_per_beat=4, gate=0.7,
          kick=  "8... .... 8... ....",
          snare= ".... 7... .... 7.5.",
          hat=   "5... 7.3. 5... 7.3.",
          bell=  "8... ..6. .... 6...",
          bass=  "1... .... 5... ....",
          chords=".... 8... .... 8..."),
    Dance("Rumba", beats_per_bar=4, tempo=(100, 108), steps_per_beat=4, gate=0.8,
          kick=  "6... .... .... 8...",
          snare= "4.4. 7... 4.4. 8.8.",
          hat=   "7.5. 7.5. 7.5. 7.5.",
          bell=  "8... ..8. .... 8... | .... 8... 8... ....",
          bass=  "1... .... 5... 8...",
          chords="7.5. 6.5. 7.5. 6.5."),
    Dance("Samba", beats_per_bar=2, tempo=(100, 104), steps_per_beat=4, gate=0.7,
          kick=  "5..3 9..3",
          snare= "7.47 .47. | 4.7. 7.47",
          hat=   "8468 8468",
          bell=  "8.8. 88.8 | .8.8 .88.",
          bass=  "1..1 5..5",
          chords="7..7 ..7. | .7.. 7..7"),
    Dance("Tango", beats_per_bar=4, tempo=(120, 132), steps_per_beat=4, gate=0.4,
          kick=  "8... 5... 8... 5...",
          snare= "6... 6... 6... 6.8.",
          hat=   "5... 7... 5... 7...",
          bell=  "8... .... .... ..7.",
          bass=  "1... 1... 5... 5...",
          chords="8... 6... 8... 6.7."),
    Dance("VienneseWaltz", beats_per_bar=3, tempo=(174, 180), steps_per_beat=4, gate=0.7,
          kick=  "9... .... ....",
          snare= ".... 6... 6...",
          hat=   "3... 7... 7...",
          bell=  "8... .... .... | .... .... 6...",
          bass=  "1... .... .... | 5... .... ....",
          chords=".... 8... 8..."),
    Dance("Waltz", beats_per_bar=3, tempo=(84, 90), steps_per_beat=4, gate=0.8,
          kick=  "8... .... ..3.",
          snare= ".... 5... 6...",
          hat=   "7.4. 6.4. 6.4.",
          bell=  "8... .... 5...",
          bass=  "1... .... .... | 5... .... 3...",
          chords="5.5. 7.5. 7.5."),
)
# fmt: on
