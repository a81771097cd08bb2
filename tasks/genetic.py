"""A search by evolution, behind Keras Tuner's interface: the better a trial, the likelier it has offspring.

The first individual is the architecture's defaults. Random ones follow until a population of them has lived;
from then on each trial is a child of two parents, the winners of two tournaments among the best of all that
came before: it has each hyperparameter from either parent (uniform crossover), and in half of the children
one of them is drawn anew from its declared range (mutation). A child so enters the population when it is
better than the worst one there, without generations, which with some tens of trials would be too few to
select anything.

Paper: Syswerda, "A study of reproduction in generational and steady-state genetic algorithms", FOGA 1991;
Goldberg and Deb, "A comparative analysis of selection schemes used in genetic algorithms", FOGA 1991, for
tournaments. Departures: a few trials are expensive, so no individual is tried twice, and none dies of age.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import keras_tuner
from keras_tuner.engine.hyperparameters import Fixed, HyperParameter

Values = dict[str, Any]

TOURNAMENT = 3
"""How many individuals compete to be a parent."""

MUTATION = 0.5
"""Which fraction of the children has one hyperparameter drawn anew."""

ATTEMPTS = 500
"""How often an untried individual is looked for; then the space is taken for exhausted."""


def population(trials: int) -> int:
    """How many individuals may have offspring in a search of `trials`: a quarter of them, from 3 to 20."""
    return min(20, max(3, trials // 4))


def defaults(space: list[HyperParameter]) -> Values:
    """The default of each hyperparameter of `space` that is active when its parents have theirs."""
    return dict(assemble(space, lambda one: one.default).values)


def assemble(space: list[HyperParameter], choose: Callable[[HyperParameter], Any]) -> keras_tuner.HyperParameters:
    """An individual: what `choose` gives for each hyperparameter that is active, and what is fixed as it is fixed.

    Keras Tuner registers a hyperparameter with a condition apart from a fixed one of the same name.
    """
    fixed = {one.name: one.value for one in space if isinstance(one, Fixed) and not one.conditions}
    individual = keras_tuner.HyperParameters()
    for one in space:  # those that it depends on come before it
        individual.merge([one])
        if individual.is_active(one):
            individual.values[one.name] = fixed[one.name] if one.name in fixed else choose(one)
    return individual


def inherited(parents: list[keras_tuner.HyperParameters], one: HyperParameter, rng: random.Random) -> Any:
    """The value that one of `parents` has, each as likely; drawn from the range where none has any."""
    having = [parent for parent in parents if parent.is_active(one) and one.name in parent.values]
    return rng.choice(having).values[one.name] if having else drawn(one, rng)


def drawn(one: HyperParameter, rng: random.Random) -> Any:
    return one.prob_to_value(rng.random())


class GeneticOracle(keras_tuner.Oracle):
    """Says what the next trial tries.

    All its chance comes from the oracle's seed and a number that goes up with every individual; that number is
    part of the state that Keras Tuner saves before a trial starts, so a search that was killed goes on as if it
    had not been.

    Args:
        max_trials: how many individuals live; fewer where the space has fewer.
        population_size: how many of the best may have offspring; None takes `population(max_trials)`.
    """

    def __init__(self, *, max_trials: int, population_size: int | None = None, **rest: Any) -> None:
        super().__init__(max_trials=max_trials, **rest)
        self.population_size = population_size or population(max_trials)

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        del trial_id
        values = defaults(self.hyperparameters.space) if not self.start_order else self.untried()
        return {"status": "RUNNING" if values else "STOPPED", "values": values}

    def untried(self) -> Values | None:
        """An individual that has not lived yet; None if none can be found."""
        parents = self.population()
        enough = len(parents) >= self.population_size
        for attempt in range(ATTEMPTS):
            self._seed_state += 1
            rng = random.Random(f"{self.seed} {self._seed_state}")
            bred = enough and attempt < ATTEMPTS // 2  # relatives may all have lived
            found = self.child(parents, rng) if bred else self.stranger(rng)
            if not self._duplicate(found.values):
                return dict(found.values)
        return None

    def population(self) -> list[keras_tuner.HyperParameters]:
        """Those of whom there may be children, the best first; of equals the older one."""
        lived = [trial for trial in self.trials.values() if trial.status == "COMPLETED"]
        sign = 1 if self.objective.direction == "min" else -1
        lived.sort(key=lambda trial: (sign * trial.score, int(trial.trial_id)))
        return [trial.hyperparameters for trial in lived[: self.population_size]]

    def stranger(self, rng: random.Random) -> keras_tuner.HyperParameters:
        return assemble(self.hyperparameters.space, lambda one: drawn(one, rng))

    def child(self, parents: list[keras_tuner.HyperParameters], rng: random.Random) -> keras_tuner.HyperParameters:
        """Crossover of two winners, then perhaps mutation.

        Args:
            parents: the best first, so that the first of some that are drawn wins their tournament.
        """
        places = [min(rng.randrange(len(parents)) for _ in range(TOURNAMENT)) for _ in range(2)]
        couple = [parents[place] for place in places]
        child = assemble(self.hyperparameters.space, lambda one: inherited(couple, one, rng))
        return self.mutant(child, rng) if rng.random() < MUTATION else child

    def mutant(self, child: keras_tuner.HyperParameters, rng: random.Random) -> keras_tuner.HyperParameters:
        """`child` with one open hyperparameter drawn anew, and what becomes active by that too."""
        space = self.hyperparameters.space
        fixed = {one.name for one in space if isinstance(one, Fixed)}
        names = [name for name in child.values if name not in fixed]
        if not names:
            return child
        chosen = rng.choice(names)
        return assemble(space, lambda one: drawn(one, rng) if one.name == chosen else inherited([child], one, rng))

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "population_size": self.population_size}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.population_size = state["population_size"]


class Genetic(keras_tuner.Tuner):
    """The search, to be used as `keras_tuner.RandomSearch` is.

    Args:
        objective, max_trials, seed, hyperparameters: of the oracle.
        rest: what every tuner takes: directory, project_name.
    """

    def __init__(
        self,
        hypermodel: Any = None,
        *,
        objective: Any = None,
        max_trials: int,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        **rest: Any,
    ) -> None:
        oracle = GeneticOracle(objective=objective, max_trials=max_trials, seed=seed, hyperparameters=hyperparameters)
        super().__init__(oracle, hypermodel, **rest)
