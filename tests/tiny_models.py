"""Small torch models that several test files share: not in ``helpers``, which loads no torch."""

from torch import nn


class Layer(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.fc1 = nn.Linear(*weight.T.shape, bias=False)
        self.fc1.weight = nn.Parameter(weight)

    def forward(self, x):
        return self.fc1(x)


class Net(nn.Module):
    """A chain of blocks of one linear layer, ``layers.0.fc1`` and so on, with these weight matrices."""

    def __init__(self, *matrices):
        super().__init__()
        self.layers = nn.ModuleList(Layer(weight.clone()) for weight in matrices)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
