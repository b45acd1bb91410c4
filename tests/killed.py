"""A pre-training that ends at the beginning of a step, as a kill would end it."""


class Killed(Exception):
    """The end of the training."""


class KilledObjective:
    """An objective as another one, but for one step, whose batch raises ``Killed``."""

    def __init__(self, objective, step):
        self.objective, self.step = objective, step

    def __getattr__(self, name):
        return getattr(self.objective, name)

    def batch(self, positions, step, generator):
        if step == self.step:
            raise Killed
        return self.objective.batch(positions, step, generator)
