"""Weights, flat parameters and sizes."""

import numpy as np
import pytest

import fastnn
from fastnn import network


def test_order_of_theta():
    weights = (np.array([[1, 2, 3], [4, 5, 6]]), np.array([[7, 8, 9]]))
    assert fastnn.pack(weights).tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert fastnn.pack(weights, order="F").tolist() == [1, 4, 2, 5, 3, 6, 7, 8, 9]
    assert fastnn.pack(weights).dtype == np.float64


@pytest.mark.parametrize("sizes", [(1, 1), (400, 25, 10), (2, 3, 4, 5, 6)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_round_trip(sizes, order):
    theta = np.random.default_rng(0).standard_normal(network.parameter_count(sizes))
    weights = fastnn.unpack(theta, sizes, order)
    assert network.sizes_of(weights) == sizes
    assert np.array_equal(fastnn.pack(weights, order), theta)
    weights[0][:] = 0.0
    assert theta.all()


def test_parameters_of_the_seeds_network():
    assert network.parameter_count((400, 25, 10)) == 10285


def test_decay_spares_the_biases():
    want = [[0, 3, 3], [0, 3, 3]], [[0, 3, 3]]
    got = network.matrices(network.decay((2, 2, 1), 3.0), (2, 2, 1))
    assert [matrix.tolist() for matrix in got] == list(want)


def test_initial_weights():
    sizes = (400, 25, 10)
    weights = fastnn.init_weights(sizes, seed=3)
    again = fastnn.init_weights(sizes, seed=3)
    other = fastnn.init_weights(sizes, seed=4)
    for l, width in enumerate([np.sqrt(6 / 425), np.sqrt(6 / 35)]):
        assert weights[l].shape == (sizes[l + 1], sizes[l] + 1)
        assert 0.9 * width < np.abs(weights[l]).max() <= width
        assert np.array_equal(weights[l], again[l])
        assert not np.array_equal(weights[l], other[l])
    assert np.abs(fastnn.pack(fastnn.init_weights(sizes, epsilon=0.5))).max() <= 0.5
    assert len(np.unique(weights[0])) == weights[0].size
