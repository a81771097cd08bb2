"""How a weight follows its gradient: the update rules, each a pure function of what it is given.

A rule takes the weights, the gradient and a state, and gives the new weights and the new state; the first state is
`{}`. The settings' names and defaults are those of keras.optimizers, and so are the results.

Lesson: optimisation of neural networks. `sgd` is the course's SGD and its GradientDescent: they differ in how many
samples the gradient is the mean of, not in the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

State = Mapping[str, np.ndarray]
Step = tuple[np.ndarray, State]
Rule = Callable[..., Step]


def sgd(weights: np.ndarray, gradient: np.ndarray, state: State, *, learning_rate: float = 0.01) -> Step:
    """Downhill, in proportion to the slope: w <- w - rate g."""
    return weights - learning_rate * gradient, state


def momentum(
    weights: np.ndarray, gradient: np.ndarray, state: State, *, learning_rate: float = 0.01, momentum: float = 0.9
) -> Step:
    """A ball that keeps its velocity: v <- momentum v - rate g, w <- w + v.

    Source: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """
    velocity = momentum * state.get("velocity", 0.0) - learning_rate * gradient
    return weights + velocity, {"velocity": velocity}


def nesterov(
    weights: np.ndarray, gradient: np.ndarray, state: State, *, learning_rate: float = 0.01, momentum: float = 0.9
) -> Step:
    """Momentum that looks ahead: after v <- momentum v - rate g it goes where the next step would lead.

    w <- w + momentum v - rate g. The weights that it keeps are those of the place looked at.

    Source: Nesterov 1983, in the form of Sutskever et al., "On the importance of initialization and momentum in deep
    learning", ICML 2013.
    """
    velocity = momentum * state.get("velocity", 0.0) - learning_rate * gradient
    return weights + momentum * velocity - learning_rate * gradient, {"velocity": velocity}


def adagrad(
    weights: np.ndarray,
    gradient: np.ndarray,
    state: State,
    *,
    learning_rate: float = 0.001,
    initial_accumulator_value: float = 0.1,
    epsilon: float = 1e-7,
) -> Step:
    """A rate of its own for each weight, which every gradient so far has made smaller: w <- w - rate g / sqrt(sum g^2).

    Source: Duchi, Hazan, Singer, "Adaptive subgradient methods", JMLR 2011.
    """
    squares = state.get("squares", initial_accumulator_value) + gradient**2
    return weights - learning_rate * gradient / np.sqrt(squares + epsilon), {"squares": squares}


def rmsprop(
    weights: np.ndarray,
    gradient: np.ndarray,
    state: State,
    *,
    learning_rate: float = 0.001,
    rho: float = 0.9,
    epsilon: float = 1e-7,
) -> Step:
    """Adagrad that forgets: a running mean of g^2 for the sum, so that the rate does not fade away.

    Source: Hinton, Neural networks for machine learning, lecture 6e, 2012.
    """
    squares = rho * state.get("squares", 0.0) + (1 - rho) * gradient**2
    return weights - learning_rate * gradient / np.sqrt(squares + epsilon), {"squares": squares}


def adadelta(
    weights: np.ndarray,
    gradient: np.ndarray,
    state: State,
    *,
    learning_rate: float = 0.001,
    rho: float = 0.95,
    epsilon: float = 1e-7,
) -> Step:
    """RMSprop whose rate is the size of its own past steps, so that a step has the weights' unit.

    Source: Zeiler, "ADADELTA: an adaptive learning rate method", 2012, algorithm 1. There is no rate in the paper,
    which is `learning_rate=1`.
    """
    squares = rho * state.get("squares", 0.0) + (1 - rho) * gradient**2
    moves = state.get("moves", np.zeros_like(gradient))
    move = -np.sqrt(moves + epsilon) / np.sqrt(squares + epsilon) * gradient
    return weights + learning_rate * move, {"squares": squares, "moves": rho * moves + (1 - rho) * move**2}


def adam(
    weights: np.ndarray,
    gradient: np.ndarray,
    state: State,
    *,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> Step:
    """Momentum and RMSprop together, with both means made right for having begun at 0.

    Source: Kingma, Ba, "Adam: a method for stochastic optimization", ICLR 2015, in the order of the end of section 2,
    where epsilon is not corrected.
    """
    time = state.get("time", np.array(0)) + 1
    mean = beta_1 * state.get("mean", 0.0) + (1 - beta_1) * gradient
    squares = beta_2 * state.get("squares", 0.0) + (1 - beta_2) * gradient**2
    rate = learning_rate * np.sqrt(1 - beta_2**time) / (1 - beta_1**time)
    return weights - rate * mean / (np.sqrt(squares) + epsilon), {"time": time, "mean": mean, "squares": squares}


def adamax(
    weights: np.ndarray,
    gradient: np.ndarray,
    state: State,
    *,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> Step:
    """Adam with the greatest gradient of late for the mean square.

    Source: the same, section 7.1.
    """
    time = state.get("time", np.array(0)) + 1
    mean = beta_1 * state.get("mean", 0.0) + (1 - beta_1) * gradient
    greatest = np.maximum(beta_2 * state.get("greatest", 0.0), np.abs(gradient))
    moved = weights - learning_rate / (1 - beta_1**time) * mean / (greatest + epsilon)
    return moved, {"time": time, "mean": mean, "greatest": greatest}


def ftrl(
    weights: np.ndarray,
    gradient: np.ndarray,
    state: State,
    *,
    learning_rate: float = 0.001,
    learning_rate_power: float = -0.5,
    initial_accumulator_value: float = 0.1,
    l1_regularization_strength: float = 0.0,
    l2_regularization_strength: float = 0.0,
) -> Step:
    """Follow the regularised leader: the weights are worked out anew from the sum of all gradients.

    A weight whose sum stays within the L1 strength is exactly 0: made for models with very many inputs.

    Source: McMahan et al., "Ad click prediction: a view from the trenches", KDD 2013, algorithm 1 with beta = 0.
    """
    squares = state.get("squares", initial_accumulator_value)
    summed = squares + gradient**2
    before, after = (total**-learning_rate_power / learning_rate for total in (squares, summed))
    leader = state.get("leader", 0.0) + gradient - (after - before) * weights
    shrunk = np.clip(leader, -l1_regularization_strength, l1_regularization_strength) - leader
    return shrunk / (after + 2 * l2_regularization_strength), {"squares": summed, "leader": leader}


RULES: dict[str, Rule] = {
    "SGD": sgd,
    "momentum": momentum,
    "Nesterov": nesterov,
    "Adagrad": adagrad,
    "RMSprop": rmsprop,
    "Adadelta": adadelta,
    "Adam": adam,
    "Adamax": adamax,
    "Ftrl": ftrl,
}
"""By the name that the course uses."""


def descend(
    slope: Callable[[np.ndarray], np.ndarray], start: np.ndarray, rule: Rule, *, steps: int, **settings: float
) -> np.ndarray:
    """Follow `rule` from `start` for `steps`: the weights before the first step and after each, (steps + 1, ...).

    Args:
        slope: gradient at given weights.
        settings: of the rule, such as `learning_rate`.
    """
    state: State = {}
    weights, path = start, [start]
    for _ in range(steps):
        weights, state = rule(weights, slope(weights), state, **settings)
        path.append(weights)
    return np.stack(path)
