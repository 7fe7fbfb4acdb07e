"""How fit_gan trains: what it gives to the two steps, and what becomes of it when they do nothing."""

from types import SimpleNamespace

import pytest
import solution
import torch
from digits import Digits

from grader.suite import in_guest, threshold

STEPS = 40


@in_guest
def watched(images, steps, seed):
    """Run fit_gan and note what it gives to the two steps; runs beside the candidate's code."""
    noted = {
        "order": "",
        "noise": [],
        "noise_d": [],
        "real": [],
        "sum": 0.0,
        "squares": 0.0,
        "numbers": 0,
        "foreign": 0,
        "moved": 0,
    }
    step_d, step_g = solution.discriminator_step, solution.generator_step
    left = {}

    def leave(generator):
        left.clear()
        left.update((id(p), (p, p.detach().clone())) for p in generator.parameters())

    def moved(generator):
        return any(
            bool((parameter != left[id(parameter)][1]).any())
            for parameter in generator.parameters()
            if id(parameter) in left
        )

    def note(letter, network, optimizer, noise):
        own = {id(parameter) for parameter in network.parameters()}
        held = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        noted["foreign"] += sum(id(parameter) not in own for parameter in held)
        noted["order"] += letter
        noted["sum"] += noise.double().sum().item()
        noted["squares"] += noise.double().square().sum().item()
        noted["numbers"] += noise.numel()

    def discriminator_step(generator, discriminator, optimizer, real, noise):
        note("d", discriminator, optimizer, noise)
        noted["moved"] += moved(generator)
        noted["noise_d"].append(noise.detach().flatten()[:4].tolist())
        noted["real"].append(hash(tuple(real.detach().flatten(1).sum(1).sort().values.tolist())))
        loss = step_d(generator, discriminator, optimizer, real, noise)
        leave(generator)
        return loss

    def generator_step(generator, discriminator, optimizer, noise):
        note("g", generator, optimizer, noise)
        noted["moved"] += moved(generator)
        noted["noise"].append(noise.detach().flatten()[:4].tolist())
        loss = step_g(generator, discriminator, optimizer, noise)
        leave(generator)
        return loss

    solution.discriminator_step, solution.generator_step = discriminator_step, generator_step
    try:
        solution.fit_gan(images, steps, seed)
    finally:
        solution.discriminator_step, solution.generator_step = step_d, step_g
    return noted


@in_guest
def without_steps(images, steps, seed):
    """Run fit_gan with two steps that do nothing but return a loss; runs beside the candidate's code."""
    import random

    step_d, step_g = solution.discriminator_step, solution.generator_step
    solution.discriminator_step = lambda generator, discriminator, optimizer, real, noise: random.uniform(1.1, 1.5)
    solution.generator_step = lambda generator, discriminator, optimizer, noise: random.uniform(0.6, 1.0)
    try:
        return solution.fit_gan(images, steps, seed)
    finally:
        solution.discriminator_step, solution.generator_step = step_d, step_g


def fit(function, images, steps, seed):
    """What `function` makes of fit_gan's training; an exception becomes a message."""
    try:
        return function(images, steps, seed % 1000)
    except Exception as error:
        pytest.fail(f"fit_gan raised {type(error).__name__}: {str(error)[:400]}")


@pytest.fixture
def notes(seed):
    return SimpleNamespace(**fit(watched, Digits(seed).train, STEPS, seed))


@pytest.mark.points(3)
def test_trains_with_its_steps_in_turn(notes):
    """fit_gan calls generator_step exactly `steps` times, each time after at least one discriminator_step"""
    assert notes.order.count("g") == STEPS, (
        f"with steps={STEPS}, generator_step was called {notes.order.count('g')} times. fit_gan must call the two "
        "functions of your module by their names"
    )
    assert "gg" not in "g" + notes.order, "a generator_step came without a discriminator_step right before it"


@pytest.mark.points(3)
def test_each_optimizer_has_one_network(notes):
    """The optimiser that a step gets holds parameters of the network that this step updates, and no others"""
    assert notes.order, "neither step was called"
    assert notes.foreign == 0, (
        "an optimiser holds parameters of the other network. One optimiser over both lets each step move both "
        "networks, by gradients that were meant for the opponent"
    )


@pytest.mark.points(3)
def test_noise_and_batches_are_fresh(notes):
    """Each call of either step gets new noise, standard normal; the real batches change from call to call"""
    assert notes.noise, "generator_step was never called"
    assert notes.real, "discriminator_step was never called"
    for name, rows in [("generator_step", notes.noise), ("discriminator_step", notes.noise_d)]:
        assert len(set(map(tuple, rows))) == len(rows), (
            f"{name} got the same noise more than once: the generator would learn these few points only"
        )
    assert set(map(tuple, notes.noise)).isdisjoint(map(tuple, notes.noise_d)), (
        "generator_step got noise that discriminator_step had got before. Each call gets new noise: with the same one, "
        "the generator meets a discriminator that has just been trained on these very fakes"
    )
    mean = notes.sum / notes.numbers
    deviation = (notes.squares / notes.numbers - mean**2) ** 0.5
    assert abs(mean) < 0.1, f"the noise has a mean of {mean:.2f}; it must be standard normal"
    assert abs(deviation - 1) < 0.1, (
        f"the noise has a standard deviation of {deviation:.2f}; it must be standard normal"
    )
    assert len(set(notes.real)) > STEPS // 4, (
        "the real batches are the same again and again: draw them anew, or shuffle in each epoch"
    )


@pytest.mark.points(2)
def test_generator_moves_in_its_own_step_only(notes):
    """Between two calls of the steps the generator's parameters stay as they are"""
    assert notes.order, "neither step was called"
    assert notes.moved == 0, (
        f"before {notes.moved} of {len(notes.order)} calls the generator's parameters were not those that the call "
        "before had left: something else trains it, and what it learns does not come from the discriminator alone"
    )


@pytest.mark.points(2)
def test_same_seed_same_generator(seed):
    """The same arguments give the same generator, another seed gives another one"""
    images = Digits(seed).train
    first, again, other = (fit(solution.fit_gan, images, 12, number) for number in (seed, seed, seed + 1))
    noise = torch.randn(20, first.noise_size)
    with torch.no_grad():
        first, again, other = first(noise), again(noise), other(noise)
    assert torch.allclose(first, again, atol=1e-4), (
        "two runs with the same seed gave different generators: torch.manual_seed(seed) comes before the networks"
    )
    assert not torch.allclose(first, other, atol=1e-4), "two runs with different seeds gave the same generator"


@pytest.mark.points(5)
def test_learns_through_its_steps_alone(seed):
    """If the two steps do nothing, at most 20% of the images look like digits"""
    digits = Digits(seed)
    generator = fit(without_steps, digits.train, 500, seed)
    made = generator(torch.randn(len(digits.held), generator.noise_size)).detach()
    realism = max(digits.realism(made), digits.realism(generator.sample(len(digits.held), seed % 1000)))
    assert threshold("realism without the steps", realism, at_most=0.2), (
        f"with two steps that do nothing, {realism:.0%} of the samples look like digits: they come from the images by "
        "another way. The generator must learn by generator_step, from the discriminator's gradient alone"
    )
