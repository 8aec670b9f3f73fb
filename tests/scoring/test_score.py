"""Scoring: what a user gets for a region, its prompts and its length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

from agri_clip.detections import BACKGROUND, FOUND, OTHER
from agri_clip.prompts import Negative, PromptSet, Target
from agri_clip.scoring.score import (
    LOOKS_WEIGHT,
    PRIOR,
    USUAL_REGIONS,
    LabelVectors,
    combine,
    competing_insects,
    embed_prompts,
    length_likelihood,
    photo_priors,
    score,
)

DIM = 24


class WordEncoder:
    """Texts become the unit sum of a fixed random direction for each word: related texts are close."""

    name, fingerprint, dim = "words", "words-1", DIM

    def __init__(self, activation="softmax", logit_scale=30.0, logit_bias=0.0):
        self.activation, self.logit_scale, self.logit_bias = activation, logit_scale, logit_bias
        self.calls = []

    def encode_texts(self, texts):
        self.calls.append(tuple(texts))
        return unit(np.stack([sum(self.direction(word) for word in text.split()) for text in texts]))

    def encode_images(self, crops):
        raise NotImplementedError

    @staticmethod
    def direction(word):
        return np.random.default_rng(list(word.encode())).normal(size=DIM)


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def prompt_set(targets=("aphid", "whitefly", "thrips"), negatives=("glue", "dirt"), **fields):
    return PromptSet(
        targets=[t if isinstance(t, Target) else Target(name=t) for t in targets],
        negatives=[Negative(name=n) for n in negatives],
        templates=["{}", "a photo of {}"],
        **fields,
    )


def embedded(labels, negatives=(), others=0, lengths=None, thresholds=None, seed=0, **kind):
    random = np.random.default_rng(seed)
    encoder = {"activation": "softmax", "logit_scale": 30.0, "logit_bias": 0.0} | kind
    return LabelVectors(
        labels=tuple(labels),
        negatives=tuple(negatives),
        vectors=unit(random.normal(size=(len(labels) + len(negatives), DIM))),
        others=unit(random.normal(size=(others, DIM))) if others else np.zeros((0, DIM), np.float32),
        lengths_mm=np.array(lengths if lengths is not None else [(np.nan, np.nan)] * len(labels), float),
        own_thresholds=np.array(thresholds if thresholds is not None else [np.nan] * len(labels), float),
        fingerprint="test",
        **encoder,
    )


KINDS = pytest.mark.parametrize(
    "kind", [{}, {"activation": "sigmoid", "logit_scale": 100.0, "logit_bias": -16.0}], ids=["softmax", "sigmoid"]
)


@KINDS
def test_a_region_that_looks_like_a_prompt_is_found_under_it(kind):
    prompts = embed_prompts(WordEncoder(**kind), prompt_set())
    result = score(prompts.vectors[:3], prompts)
    assert result.label_index.tolist() == [0, 1, 2]
    assert result.status.tolist() == [FOUND] * 3
    assert (result.score > 0.5).all()
    assert (result.margin > 0).all()
    assert (result.insect > 0.5).all()


@KINDS
def test_a_region_that_looks_like_a_negative_is_background(kind):
    prompts = embed_prompts(WordEncoder(**kind), prompt_set())
    result = score(prompts.vectors[3:], prompts)
    assert result.status.tolist() == [BACKGROUND] * 2
    assert (result.insect < 0.5).all()
    assert result.negatives.argmax(axis=1).tolist() == [0, 1]


@KINDS
def test_an_insect_nobody_asked_for_is_not_counted_as_the_only_label(kind):
    prompts = embed_prompts(WordEncoder(**kind), prompt_set(["aphid"]))
    fly = WordEncoder().encode_texts(["a fly"])
    result = score(fly, prompts)
    assert result.status.tolist() == [OTHER]
    assert result.insect[0] > 0.5
    assert result.other[0] > result.score[0]
    without = score(fly, embed_prompts(WordEncoder(**kind), prompt_set(["aphid"]), others=()))
    assert without.score[0] > result.score[0]


def test_insects_that_are_asked_for_do_not_compete_with_their_own_label():
    def left(*names, **fields):
        return competing_insects([Target(name=name, **fields) for name in names], ["a fly", "an aphid", "a midge"])

    assert left("green aphid") == ("a fly", "a midge")
    assert left("flies", "aphids") == ("a midge",)
    assert left("MYZPE", synonyms=("green aphid",)) == ("a fly", "a midge")
    assert left("whitefly") == ("a fly", "a midge", "an aphid")
    # Who asks for insects, or by looks, asks for every insect.
    assert left("an insect") == left("a small green insect", "aphid") == left("bugs") == ()


def test_softmax_probabilities_of_all_kinds_sum_to_one():
    prompts = embedded("abcd", "xyz", others=4)
    result = score(unit(np.random.default_rng(1).normal(size=(50, DIM))), prompts)
    np.testing.assert_allclose(result.labels.sum(1) + result.other, result.insect, atol=1e-6)
    np.testing.assert_allclose(result.negatives.sum(1), 1 - result.insect, atol=1e-6)


def test_repeating_negatives_or_labels_does_not_change_whether_it_is_an_insect():
    prompts = embedded(["a"], ["x"])
    vectors = unit(np.random.default_rng(2).normal(size=(20, DIM)))
    once = score(vectors, prompts).insect
    many = LabelVectors(
        labels=("a",),
        negatives=tuple(f"x{i}" for i in range(16)),
        vectors=np.concatenate([prompts.vectors[:1], np.repeat(prompts.vectors[1:], 16, axis=0)]),
        **{k: v for k, v in vars(prompts).items() if k not in ("labels", "negatives", "vectors")},
    )
    np.testing.assert_allclose(score(vectors, many).insect, once, atol=1e-6)


def test_sigmoid_labels_do_not_take_from_each_other():
    kind = {"activation": "sigmoid", "logit_scale": 100.0, "logit_bias": -16.0}
    one, two = embedded(["a"], ["x"], **kind), embedded(["a", "b"], ["x"], **kind)
    two.vectors[0], two.vectors[2] = one.vectors[0], one.vectors[1]
    two.vectors[1] = one.vectors[0]
    region = unit(one.vectors[:1] + 0.1)
    assert score(region, two).labels[0].tolist() == [score(region, one).labels[0, 0]] * 2


def test_without_negatives_everything_is_an_insect_for_softmax_models():
    result = score(unit(np.random.default_rng(3).normal(size=(9, DIM))), embedded("ab"))
    assert (result.insect == 1).all()
    assert result.negatives.shape == (9, 0)
    assert BACKGROUND not in result.status


def test_one_label_has_its_score_as_margin():
    result = score(unit(np.random.default_rng(4).normal(size=(9, DIM))), embedded("a", "x", others=2))
    np.testing.assert_array_equal(result.margin, result.score)


def test_no_regions_give_an_empty_result():
    result = score(np.zeros((0, DIM), np.float32), embedded("ab", "x", others=2), objectness=np.zeros(0))
    assert len(result) == 0
    assert result.labels.shape == (0, 2)
    assert result.insect.shape == result.margin.shape == (0,)


def test_thresholds_of_the_prompt_set_go_before_the_default():
    prompts = embedded("ab", thresholds=[0.9, np.nan])
    assert prompts.thresholds(0.4) == {"a": 0.9, "b": 0.4}
    region = unit(prompts.vectors.sum(axis=0, keepdims=True) + 0.01)
    loose = score(region, embedded("ab"), threshold=0.1)
    assert loose.status[0] == FOUND
    assert score(region, embedded("ab", thresholds=[1.0, 1.0]), threshold=0.1).status[0] == OTHER


def test_equal_labels_are_decided_by_name():
    for labels in ("ba", "ab"):
        prompts = embedded(labels, "x")
        prompts.vectors[1] = prompts.vectors[0]
        result = score(prompts.vectors[:1], prompts)
        assert labels[result.label_index[0]] == "a"
        assert result.margin[0] == 0


def test_length_decides_between_labels_that_look_alike():
    prompts = embedded(["whitefly", "moth"], ["glue"], lengths=[(1, 1.5), (8, 15)])
    prompts.vectors[1] = prompts.vectors[0]
    region = np.repeat(prompts.vectors[:1], 3, axis=0)
    result = score(region, prompts, lengths_mm=np.array([1.2, 10.0, np.nan]))
    assert result.label_index[:2].tolist() == [0, 1]
    assert (result.score[:2] > 0.95).all()
    assert result.score[2] == pytest.approx(0.5, abs=0.01)
    # Length says which insect, not whether it is one.
    np.testing.assert_allclose(result.insect, result.insect[0])


@KINDS
def test_an_insect_whose_length_fits_no_label_is_another_insect(kind):
    prompts = embedded(["whitefly"], ["glue"], lengths=[(1, 1.5)], **kind)
    result = score(np.repeat(prompts.vectors[:1], 2, axis=0), prompts, lengths_mm=np.array([1.4, 12.0]))
    assert result.status.tolist() == [FOUND, OTHER]


def test_length_is_no_evidence_where_range_or_scale_is_unknown():
    fits = length_likelihood(np.array([0.5, 2.0, np.nan]), np.array([[1, 3], [np.nan, np.nan]]))
    assert fits[:, 1].tolist() == [1, 1, 1]
    assert fits[2, 0] == 1
    assert fits[1, 0] == 1
    assert 0 < fits[0, 0] < 0.1


@given(st.floats(0.01, 200), st.floats(0.05, 50), st.floats(1, 4))
@settings(deadline=None)
def test_length_likelihood_is_one_inside_and_falls_outside(length, shortest, ratio):
    fit = length_likelihood(np.array([length, length * 1.1]), np.array([[shortest, shortest * ratio]]))[:, 0]
    assert ((fit > 0) & (fit <= 1)).all()
    if shortest <= length <= shortest * ratio:
        assert fit[0] == 1
    elif length > shortest * ratio:
        assert fit[1] <= fit[0]


@given(
    st.permutations(range(4)),
    st.permutations(range(3)),
    st.permutations(range(12)),
    st.sampled_from(["softmax", "sigmoid"]),
    st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_the_order_of_prompts_and_regions_changes_nothing_else(labels, negatives, regions, activation, seed):
    random = np.random.default_rng(seed)
    prompts = embedded("abcd", "xyz", others=3, lengths=[(1, 2)] * 4, seed=seed, activation=activation)
    turned = LabelVectors(
        labels=tuple("abcd"[i] for i in labels),
        negatives=tuple("xyz"[i] for i in negatives),
        vectors=prompts.vectors[[*labels, *(4 + i for i in negatives)]],
        **{k: v for k, v in vars(prompts).items() if k not in ("labels", "negatives", "vectors")},
    )
    vectors, lengths = unit(random.normal(size=(12, DIM))), random.uniform(0.2, 9, 12)
    objectness = random.uniform(size=12)
    plain = score(vectors, prompts, lengths_mm=lengths, objectness=objectness)
    order = list(regions)
    other = score(vectors[order], turned, lengths_mm=lengths[order], objectness=objectness[order])
    for name in ("status", "score", "margin", "insect", "other"):
        np.testing.assert_array_equal(getattr(other, name), getattr(plain, name)[order], err_msg=name)
    np.testing.assert_array_equal(other.labels, plain.labels[order][:, labels])
    np.testing.assert_array_equal(other.negatives, plain.negatives[order][:, negatives])
    assert [turned.labels[i] for i in other.label_index] == [prompts.labels[i] for i in plain.label_index[order]]


@given(st.permutations(["aphid", "whitefly", "thrips"]), st.permutations(["glue", "dirt"]))
@settings(max_examples=12, deadline=None)
def test_a_prompt_set_in_another_order_gives_the_same_vectors(targets, negatives):
    plain = embed_prompts(WordEncoder(), prompt_set())
    other = embed_prompts(WordEncoder(), prompt_set(targets, negatives))
    for name in other.names:
        np.testing.assert_array_equal(other.vectors[other.names.index(name)], plain.vectors[plain.names.index(name)])


@given(st.integers(1, 30), st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_regions_scored_in_parts_get_what_they_get_together(cut, seed):
    vectors = unit(np.random.default_rng(seed).normal(size=(31, DIM)))
    prompts = embedded("abc", "xy", others=2, seed=seed)
    whole = score(vectors, prompts)
    parts = [score(part, prompts) for part in (vectors[:cut], vectors[cut:])]
    np.testing.assert_array_equal(whole.score, np.concatenate([part.score for part in parts]))
    np.testing.assert_array_equal(whole.status, np.concatenate([part.status for part in parts]))


def test_embedding_averages_templates_and_phrasings_to_one_unit_vector_a_label():
    encoder = WordEncoder()
    prompts = embed_prompts(encoder, prompt_set([Target(name="aphid", phrasings=("a green bug", "a louse"))]))
    texts = ["a green bug", "a photo of a green bug", "a louse", "a photo of a louse"]
    mean = encoder.encode_texts(texts).astype(float).mean(axis=0)
    np.testing.assert_allclose(prompts.vectors[0], mean / np.linalg.norm(mean), atol=1e-6)
    assert prompts.names == ("aphid", "glue", "dirt")
    np.testing.assert_allclose(np.linalg.norm(prompts.vectors, axis=1), 1, atol=1e-6)
    # One call, so the encoder can batch.
    assert len(encoder.calls[:-1]) == 1


def test_extreme_logits_stay_finite():
    for kind in ({"logit_scale": 1e4}, {"logit_scale": 1e4, "logit_bias": -500.0, "activation": "sigmoid"}):
        prompts = embedded("ab", "x", others=2, lengths=[(1, 2), (3, 4)], **kind)
        result = score(np.concatenate([prompts.vectors, -prompts.vectors]), prompts, lengths_mm=np.full(6, 500.0))
        for name in ("score", "margin", "insect", "labels", "other", "negatives"):
            values = getattr(result, name)
            assert np.isfinite(values).all(), name
            assert ((values >= 0) & (values <= 1)).all(), name


def test_a_higher_temperature_makes_scores_less_sure():
    prompts = embedded("ab", "x")
    sure, unsure = (score(prompts.vectors[:1], prompts, temperature=t) for t in (1.0, 5.0))
    assert sure.label_index == unsure.label_index
    assert unsure.score[0] < sure.score[0]


def test_combining_is_the_mean_of_log_odds():
    np.testing.assert_allclose(combine(np.array([0.9, 0.2]), np.array([0.9, 0.8]), 0.5), [0.9, 0.5])
    np.testing.assert_allclose(combine(np.array([0.7]), np.array([0.1]), 0.0), [0.7])
    np.testing.assert_allclose(combine(np.array([0.5]), np.array([0.5]), 0.5, np.log(3)), [0.75])
    assert np.isfinite(combine(np.array([0.0, 1.0]), np.array([1.0, 1.0]), 0.5)).all()


def test_a_photo_full_of_clutter_has_a_lower_prior_and_no_photo_a_higher_one():
    clean, dirty = np.array([0.9, 0.8, 0.1]), np.concatenate([[0.9, 0.8], np.full(200, 0.1)])
    owner = np.repeat([0, 2], [len(clean), len(dirty)])
    both, usual = np.concatenate([clean, dirty]), 0.4
    priors = photo_priors(both, owner, 4, usual)
    mean = (dirty.sum() + USUAL_REGIONS * usual) / (len(dirty) + USUAL_REGIONS)
    assert priors[2] == pytest.approx(PRIOR + logit(mean) - logit(usual))
    assert priors[2] < PRIOR - 0.3
    assert priors[[0, 1, 3]].tolist() == [PRIOR] * 3  # photos with little clutter, and without regions
    (alone,) = photo_priors(dirty, np.zeros(len(dirty), int), 1, usual)
    assert alone == priors[2]
    assert photo_priors(both, owner, 4, None).tolist() == [PRIOR] * 4  # a proposer of which nothing is known


def test_priors_move_the_insect_and_leave_the_shares_of_labels():
    prompts = embedded("ab", "x")
    vectors, objectness = prompts.vectors[:2], np.array([0.6, 0.6])
    usual, low = (score(vectors, prompts, objectness=objectness, priors=np.full(2, p)) for p in (PRIOR, PRIOR - 2))
    np.testing.assert_allclose(logit(low.insect.astype(float)), logit(usual.insect.astype(float)) - 2, atol=1e-3)
    np.testing.assert_allclose(low.labels / low.insect[:, None], usual.labels / usual.insect[:, None], rtol=1e-4)
    assert score(vectors, prompts, objectness=objectness).insect.tolist() == usual.insect.tolist()


def test_what_does_not_fit_together_is_refused():
    prompts = embedded("ab")
    with pytest.raises(ValueError, match="vectors are"):
        score(np.zeros((2, DIM + 1)), prompts)
    with pytest.raises(ValueError, match="temperature"):
        score(np.zeros((2, DIM)), prompts, temperature=0)
    with pytest.raises(ValueError, match="lengths"):
        score(np.zeros((2, DIM)), prompts, lengths_mm=np.ones(3))
    with pytest.raises(ValueError, match="weight"):
        combine(np.ones(2), np.ones(2), 1.5)


def test_the_proposers_objectness_raises_and_lowers_every_label_alike():
    prompts = embedded("ab", "xy", others=2)
    vectors = unit(np.random.default_rng(3).normal(size=(30, DIM)))
    plain = score(vectors, prompts)
    likely, unlikely = (score(vectors, prompts, objectness=np.full(30, value)) for value in (0.99, 0.01))
    assert (likely.insect > unlikely.insect).all()
    assert (likely.labels >= unlikely.labels).all()
    for result in (plain, likely, unlikely):
        np.testing.assert_allclose(result.labels.sum(axis=1) + result.other, result.insect, atol=1e-5)
        np.testing.assert_allclose(result.negatives.sum(axis=1), 1 - result.insect, atol=1e-5)
    same = np.flatnonzero(plain.insect > 1e-3)
    np.testing.assert_allclose(
        likely.labels[same] / likely.insect[same, None], plain.labels[same] / plain.insect[same, None], rtol=1e-3
    )


def test_looks_count_for_their_share_however_many_they_are():
    class Axes(WordEncoder):
        def encode_texts(self, texts):
            return np.stack([np.eye(self.dim)[0 if "aphid" in text else 1] for text in texts]).astype(np.float32)

    for looks in (("small and green",), ("small and green", "soft", "round")):
        target = {"name": "aphid", "phrasings": ["an aphid"], "looks": looks}
        prompts = PromptSet.model_validate({"targets": [target], "templates": ["{}"]})
        vector = embed_prompts(Axes(), prompts, others=()).vectors[0]
        assert vector[1] / vector[0] == pytest.approx(LOOKS_WEIGHT / (1 - LOOKS_WEIGHT), rel=1e-5)


class TaughtEncoder(WordEncoder):
    """Says which words it learnt."""

    known_words = frozenset(["an", "insect", "aphid", "whitefly", "thrips", "fly", "a", "photo", "of", "glue", "dirt"])


@KINDS
@pytest.mark.parametrize("threshold", [None, 0.0])
def test_a_label_that_the_encoder_never_learnt_counts_nothing_and_changes_no_other(kind, threshold):
    encoder = TaughtEncoder(**kind)
    with pytest.warns(UserWarning, match="counts nothing"):
        mixed = embed_prompts(encoder, prompt_set(["aphid", "zorb", "thrips"]))
    plain = embed_prompts(encoder, prompt_set(["aphid", "thrips"]))
    vectors = np.concatenate([mixed.vectors, unit(np.random.default_rng(5).normal(size=(40, DIM)))])
    with_it, without = (score(vectors, prompts, threshold=threshold) for prompts in (mixed, plain))
    np.testing.assert_array_equal(with_it.labels[:, [0, 2]], without.labels)
    np.testing.assert_array_equal(with_it.status, without.status)
    np.testing.assert_array_equal(with_it.insect, without.insect)
    assert not with_it.labels[:, 1].any()
    assert (with_it.label_index != 1).all()


@KINDS
@pytest.mark.parametrize("name", ["zorb", "a frumious insect"])
def test_where_no_label_was_learnt_insects_are_others(kind, name):
    encoder = TaughtEncoder(**kind)
    with pytest.warns(UserWarning, match="counts nothing"):
        prompts = embed_prompts(encoder, prompt_set([name]))
    fly, glue = encoder.encode_texts(["a fly"]), prompts.vectors[1:2]
    result = score(np.concatenate([prompts.vectors[:1], fly, glue]), prompts, threshold=0)
    assert (result.status != FOUND).all()
    assert result.status[1:].tolist() == [OTHER, BACKGROUND]
    assert not result.score.any()
    assert len(score(np.zeros((0, DIM)), prompts)) == 0


def test_force_counts_words_that_the_encoder_never_learnt():
    with pytest.warns(UserWarning, match="counted all the same"):
        forced = embed_prompts(TaughtEncoder(), prompt_set(["zorb", "aphid"]), force=True)
    assert not forced.unlearnt
    plain = embed_prompts(WordEncoder(), prompt_set(["zorb", "aphid"]))
    vectors = plain.vectors[:2]
    assert score(vectors, forced).status.tolist() == score(vectors, plain).status.tolist() == [FOUND] * 2
