"""One update of each network, on small networks of the judge's, held against plain gradient descent computed here."""

from types import SimpleNamespace

import pytest
import solution
import torch
from torch import nn
from torch.nn.functional import softplus

from grader.suite import in_guest

NOISE, HIDDEN, PIXELS, RATE = 3, 6, 4, 0.3
SHAPES_G = [(HIDDEN, NOISE), (HIDDEN,), (PIXELS, HIDDEN), (PIXELS,)]
SHAPES_D = [(HIDDEN, PIXELS), (HIDDEN,), (1, HIDDEN), (1,)]


@in_guest
def network(weights, old_gradients, flat):
    """A small network with these weights, and with gradients that are left from something else."""
    net = nn.Sequential(nn.Linear(*weights[0].shape[::-1]), nn.Tanh(), nn.Linear(*weights[2].shape[::-1]))
    if flat:
        net.append(nn.Flatten(0))
    net.double()
    with torch.no_grad():
        for parameter, weight, gradient in zip(net.parameters(), weights, old_gradients, strict=True):
            parameter.copy_(weight)
            parameter.grad = gradient.clone() if gradient.any() else None
    return net


@in_guest
def sgd(net, rate, momentum):
    """Plain gradient descent on the parameters of one network."""
    return torch.optim.SGD(net.parameters(), lr=rate, momentum=momentum)


@in_guest
def state(net):
    """Copies of the parameters, of their gradients (zeros for none) and whether they still can be trained."""
    parameters = list(net.parameters())
    values = [p.detach().clone() for p in parameters]
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in parameters]
    return values, gradients, all(p.requires_grad for p in parameters)


def forward(weights, x):
    """What such a network computes."""
    a, b, c, d = weights
    return torch.tanh(x @ a.T + b) @ c.T + d


class Duel:
    """The candidate's side has two networks and their optimisers; this side has the same weights and the formulas."""

    def __init__(self, seed, *, old=0.0, momentum=0.0):
        self.random, self.momentum = torch.Generator().manual_seed(seed), momentum
        self.g, self.d = ([self.normal(*shape) for shape in shapes] for shapes in (SHAPES_G, SHAPES_D))
        self.old_g, self.old_d = ([old * self.normal(*w.shape) for w in weights] for weights in (self.g, self.d))
        self.speed = {"g": None, "d": None}
        net_g, net_d = network(self.g, self.old_g, flat=False), network(self.d, self.old_d, flat=True)
        optimizers = sgd(net_g, RATE, momentum), sgd(net_d, RATE, momentum)
        self.far = SimpleNamespace(g=net_g, d=net_d, optimizer_g=optimizers[0], optimizer_d=optimizers[1])

    def normal(self, *shape):
        return torch.randn(*shape, generator=self.random, dtype=torch.float64)

    def losses(self, real, noise, g, d):
        """Both losses: of the discriminator, of the generator."""
        fake = forward(d, forward(g, noise)).squeeze(1)
        if real is None:
            return softplus(-fake).mean()
        return softplus(-forward(d, real).squeeze(1)).mean() + softplus(fake).mean()

    def expect(self, which, real, noise):
        """Move the weights on this side by one step and return the loss before it."""
        moving = [w.clone().requires_grad_() for w in getattr(self, which)]
        loss = self.losses(real, noise, **({"g": self.g, "d": self.d} | {which: moving}))
        gradients = torch.autograd.grad(loss, moving)
        if self.speed[which] is not None:
            pairs = zip(gradients, self.speed[which], strict=True)
            gradients = [gradient + self.momentum * speed for gradient, speed in pairs]
        self.speed[which] = gradients
        pairs = zip(getattr(self, which), gradients, strict=True)
        setattr(self, which, [w - RATE * gradient for w, gradient in pairs])
        return loss.item()

    def step_d(self, real_size=5, fake_size=7):
        """A step of the candidate's discriminator and the same on this side: the loss found and the one expected."""
        real, noise = self.normal(real_size, PIXELS), self.normal(fake_size, NOISE)
        far = self.far
        found = called(solution.discriminator_step, far.g, far.d, far.optimizer_d, real, noise)
        return found, self.expect("d", real, noise)

    def step_g(self, fake_size=7):
        """The same for the generator."""
        noise = self.normal(fake_size, NOISE)
        far = self.far
        found = called(solution.generator_step, far.g, far.d, far.optimizer_g, noise)
        return found, self.expect("g", None, noise)

    def off(self, which):
        """The largest difference between the weights there and here."""
        values, _, _ = state(getattr(self.far, which))
        return largest_difference(values, getattr(self, which))


def called(step, *arguments):
    """What a step returned; an exception becomes a message."""
    try:
        return step(*arguments)
    except Exception as error:
        pytest.fail(
            f"{step.__name__} raised {type(error).__name__}: {str(error)[:300]}\nThe discriminator gives logits (B,). "
            "Both networks must still be trainable after a step, and fakes must not be detached where the generator "
            "learns from them"
        )


def largest_difference(found, expected):
    return max((a - b).abs().max().item() for a, b in zip(found, expected, strict=True))


@pytest.mark.points(5)
def test_discriminator_step_is_one_step_of_descent(seed):
    """With plain SGD the discriminator's parameters move by -lr times the gradient of its loss"""
    duel = Duel(seed)
    before = duel.d
    duel.step_d()
    values, _, _ = state(duel.far.d)
    assert largest_difference(values, before) > 1e-9, (
        "the discriminator did not move: zero_grad, backward, step, in this order"
    )
    off = duel.off("d")
    assert off < 1e-4, (
        f"the discriminator's parameters are up to {off:.2g} off. The loss is discriminator_loss of its logits for "
        "`real` and for generator(noise); one call is one step"
    )


@pytest.mark.points(5)
def test_discriminator_step_leaves_the_generator_alone(seed):
    """The discriminator's step changes neither the generator's parameters nor their gradients"""
    for old in (0.0, 1.0):
        duel = Duel(seed, old=old)
        duel.step_d()
        values, gradients, trainable = state(duel.far.g)
        assert largest_difference(values, duel.g) == 0, "the discriminator's step moved the generator"
        assert largest_difference(gradients, duel.old_g) == 0, (
            "the discriminator's step wrote gradients into the generator: make the fakes under torch.no_grad(), or "
            "detach() them, since only the discriminator learns here"
        )
        assert trainable, "after the discriminator's step the generator's parameters no longer require gradients"


@pytest.mark.points(3)
def test_discriminator_step_forgets_old_gradients(seed):
    """Gradients that were left in the discriminator do not take part in its step"""
    duel = Duel(seed, old=1.0)
    duel.step_d()
    off = duel.off("d")
    assert off < 1e-4, f"the parameters are up to {off:.2g} off: backward() adds to old gradients; zero them before it"


@pytest.mark.points(5)
def test_generator_step_is_one_step_of_descent(seed):
    """With plain SGD the generator's parameters move by -lr times the gradient of its loss"""
    duel = Duel(seed)
    before = duel.g
    duel.step_g()
    values, _, _ = state(duel.far.g)
    assert largest_difference(values, before) > 1e-9, (
        "the generator did not move: zero_grad, backward, step, in this order, and no detach() on the way from its "
        "parameters to the loss"
    )
    off = duel.off("g")
    assert off < 1e-4, (
        f"the generator's parameters are up to {off:.2g} off. The loss is generator_loss of the discriminator's logits "
        "for generator(noise); one call is one step"
    )


@pytest.mark.points(4)
def test_generator_step_leaves_the_discriminator_alone(seed):
    """The generator's step does not change the discriminator's parameters, and they can be trained afterwards"""
    duel = Duel(seed)
    duel.step_g()
    values, _, trainable = state(duel.far.d)
    assert largest_difference(values, duel.d) == 0, "the generator's step moved the discriminator"
    assert trainable, (
        "after the generator's step the discriminator's parameters no longer require gradients: freezing them is fine, "
        "but has to be undone"
    )


@pytest.mark.points(3)
def test_generator_step_forgets_old_gradients(seed):
    """Gradients that were left in the generator do not take part in its step"""
    duel = Duel(seed, old=1.0)
    duel.step_g()
    off = duel.off("g")
    assert off < 1e-4, f"the parameters are up to {off:.2g} off: backward() adds to old gradients; zero them before it"


@pytest.mark.points(3)
def test_steps_in_turn_do_not_disturb_each_other(seed):
    """Six steps in turn, with momentum, end where independent computations of each do"""
    duel = Duel(seed, momentum=0.5)
    for _ in range(3):
        duel.step_d()
        duel.step_g()
    off = max(duel.off("d"), duel.off("g"))
    assert off < 1e-4, (
        f"the parameters are up to {off:.2g} off. The generator's backward() leaves gradients in the discriminator, "
        "too: they must not reach its next step"
    )


@pytest.mark.points(2)
def test_steps_return_the_loss_before_the_update(seed):
    """Each step returns, as a number, the loss from before its update"""
    for name, (found, expected) in [
        ("discriminator_step", Duel(seed).step_d()),
        ("generator_step", Duel(seed + 1).step_g()),
    ]:
        assert isinstance(found, float), f"{name} must return a float (loss.item()), not {type(found).__name__}"
        assert found == pytest.approx(expected, abs=1e-4), (
            f"{name} returned {found:.4f}, the loss before the update was {expected:.4f}"
        )
