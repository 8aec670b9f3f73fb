"""Models that several visitors use at once."""

from __future__ import annotations

import threading

import numpy as np

from agri_clip.encoders import get_encoder
from agri_clip.encoders.adapted import AdaptedEncoder
from agri_clip.ui.fair_lock import EncoderInTurn, Turns


def test_whoever_waits_comes_before_who_wants_it_again():
    turns, order, held = Turns(), [], threading.Event()

    def batch():
        for number in range(2):
            with turns, turns:  # several calls in one turn
                order.append("batch")
                held.set()
                while number == 0 and not turns.wanted:
                    assert visitor.is_alive()

    def visit():
        assert held.wait(60)
        with turns:
            order.append("visitor")

    visitor, worker = threading.Thread(target=visit), threading.Thread(target=batch)
    visitor.start()
    worker.start()
    visitor.join(60)
    worker.join(60)
    assert order == ["batch", "visitor", "batch"]


def test_vectors_made_in_turns_are_those_of_the_encoder():
    encoder = get_encoder("builtin")
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (40, 40, 3), np.uint8) for _ in range(encoder.batch_size + 3)]
    turned = EncoderInTurn(encoder, Turns())
    np.testing.assert_array_equal(turned.encode_images(crops), encoder.encode_images(crops))
    np.testing.assert_array_equal(turned.encode_texts(["a moth"]), encoder.encode_texts(["a moth"]))
    assert turned.encode_images([]).shape == (0, encoder.dim)


def test_crops_of_an_adapted_encoder_come_in_as_many_turns_as_those_of_its_base():
    taken = []

    class CountedTurns(Turns):
        def __enter__(self):
            taken.append(1)
            super().__enter__()

    base = get_encoder("builtin")
    adapted = AdaptedEncoder("farm", base, None, None, "card")
    crops = [np.zeros((8, 8, 3), np.uint8)] * (2 * base.batch_size + 1)
    EncoderInTurn(adapted, CountedTurns()).encode_images(crops)
    assert len(taken) == 3
