"""What an epoch draws depends on its number, not on what was drawn before in this process."""

from __future__ import annotations

import keras
import pytest
import tensorflow as tf

from mcc_zoo.training.draws import EpochDraws


def shuffled() -> tf.data.Dataset:
    return tf.data.Dataset.range(9).shuffle(9, seed=3, reshuffle_each_iteration=True).batch(9)


@pytest.fixture(autouse=True)
def _seed() -> None:
    keras.utils.set_random_seed(5)


def read(draws: EpochDraws, epoch: int) -> list[int]:
    draws.begin_epoch(epoch)
    return [int(value) for value in draws.dataset]


def test_an_epoch_has_its_own_draw_whatever_came_before() -> None:
    in_order = [read(draws, epoch) for draws in [EpochDraws(shuffled)] for epoch in range(5)]
    assert len({tuple(epoch) for epoch in in_order}) == 5
    assert all(sorted(epoch) == list(range(9)) for epoch in in_order)
    assert [read(EpochDraws(shuffled), epoch) for epoch in range(5)] == in_order  # each in a process of its own
    draws = EpochDraws(shuffled)
    assert [read(draws, epoch) for epoch in (3, 3, 0, 4, 1)] == [in_order[epoch] for epoch in (3, 3, 0, 4, 1)]


def test_iterators_that_others_make_change_nothing() -> None:
    draws, expected = EpochDraws(shuffled), read(EpochDraws(shuffled), 1)
    for _ in range(3):
        iter(draws.dataset)
    draws.begin_epoch(1)
    made_before = draws.dataset
    early = iter(made_before)  # Keras makes one for the next epoch, whose number it does not know yet
    assert [int(value) for value in draws.dataset] == [int(value) for value in early] == expected
    assert [int(value) for value in made_before] == expected


def test_draws_are_those_of_earlier_versions() -> None:
    """They let tf.data draw, of whose iterations Keras read every second one."""
    dataset = shuffled()
    iterations = [[int(value) for values in dataset for value in values] for _ in range(6)]
    draws = EpochDraws(shuffled)
    assert [read(draws, epoch) for epoch in range(3)] == iterations[::2]
