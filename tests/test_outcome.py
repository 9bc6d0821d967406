"""Outcomes: a sentence whose remedy each surface says in its own words."""

import json
import pickle
from dataclasses import asdict

import numpy as np
import pytest

import fastnn
from fastnn.outcome import ENDINGS, REMEDIES, Outcome
from fastnn.training.control import NonFiniteStart

X = np.random.default_rng(0).standard_normal((60, 3))
Y = (X[:, 0] > 0) + 0

# Trainings that end with each remedy.
TRAININGS = {
    "maxiter": (X, {"maxiter": 1}),
    "max_seconds": (X, {"max_seconds": 1e-9}),
    "max_evaluations": (X, {"max_evaluations": 2}),
    "standardize": (1e4 * X, {}),
    "scale": (np.random.default_rng(0).integers(0, 256, (60, 50), np.uint8), {}),
    "columns": (np.ones((60, 3)), {}),
    "": (X, {"target_cost": 1e9}),
}


@pytest.mark.parametrize("remedy", TRAININGS)
def test_sentence_has_the_words_of_the_surface(remedy):
    inputs, options = TRAININGS[remedy]
    outcome = fastnn.train(inputs, Y, 2, **options).outcome
    assert outcome.remedy == remedy
    assert outcome.sentence({}) == outcome.message
    if remedy:
        assert outcome.message.endswith(f"; {REMEDIES[remedy]}")
        want = outcome.message.removesuffix(REMEDIES[remedy]) + "turn it off"
        assert outcome.sentence({remedy: "turn it off"}) == outcome.reworded({remedy: "turn it off"}).message == want
    assert outcome.reworded({}) == outcome


def test_advice_is_a_part_of_the_sentence_in_the_same_words():
    outcome = fastnn.train(1e4 * X, Y, 2).outcome.reworded({"standardize": "turn it off"})
    assert outcome.advice == f"{outcome.finding}; turn it off"
    assert outcome.message == f"{outcome.fact}; {outcome.advice}"


def test_every_ending_has_a_remedy_that_is_known():
    assert {remedy for _, remedy in ENDINGS.values()} <= {*REMEDIES, ""}


def test_remedies_name_no_option_of_a_command():
    assert not [words for words in REMEDIES.values() if "--" in words or "command" in words]


@pytest.mark.parametrize("missing", [["fact", "finding", "remedy"], ["fact", "finding", "remedy", "advice"]])
def test_outcome_of_an_earlier_version_has_its_message(missing):
    fields = asdict(fastnn.train(X, Y, 2, maxiter=1).outcome)
    old = Outcome(**json.loads(json.dumps({name: value for name, value in fields.items() if name not in missing})))
    assert old.sentence({"maxiter": "turn it off"}) == old.message == fields["message"]
    assert old.reworded({"maxiter": "turn it off"}) == old


@pytest.mark.parametrize(("size", "remedy"), [(1e200, "smaller start"), (1e4, "standardize")])
def test_start_that_is_not_finite_names_the_remedy(size, remedy):
    weights = [1e200 * W for W in fastnn.init_weights((3, 2, 2))]
    data = X if remedy == "smaller start" else size * X
    with pytest.raises(NonFiniteStart, match=f"not finite; .*{REMEDIES[remedy]}$") as caught:
        fastnn.train(data, Y, weights=weights, lmbda=1e200)
    error = pickle.loads(pickle.dumps(caught.value))
    assert str(error) == error.sentence({}) == str(caught.value)
    assert error.sentence({remedy: "turn it off"}) == str(error).removesuffix(REMEDIES[remedy]) + "turn it off"
