"""Tensors, modules and gradients: a torch suite runs as it would in one process."""

TENSORS = """
import numpy as np, pytest, torch, solution
from torch import nn

def test_tensors_cross_as_plain_ones():
    floats = (torch.float32, torch.float64, torch.bfloat16, torch.half, torch.complex64)
    for dtype in (*floats, torch.int8, torch.int64, torch.bool):
        sent = torch.ones(2, 3).to(dtype)
        got = solution.same(sent)
        assert type(got) is torch.Tensor and got.dtype == dtype and torch.equal(got, sent) and not got.requires_grad
    assert solution.same(torch.tensor(3)).shape == () and solution.same(torch.empty(0, 2)).shape == (0, 2)
    assert torch.equal(solution.same(torch.arange(6).reshape(2, 3).t()), torch.arange(6).reshape(2, 3).t())
    assert solution.dtype(torch.ones(1).half()) is torch.float16
    assert solution.same(torch.Size([1, 2])) == torch.Size([1, 2])
    assert isinstance(solution.shape(torch.ones(2, 3)), torch.Size) and solution.is_tensor(torch.ones(1))

def test_subclasses_come_plain():
    lying = solution.lying()
    assert type(lying) is torch.Tensor and not torch.equal(lying, torch.ones(2))
    assert not torch.allclose(lying, torch.ones(2))

def test_requires_grad_is_kept():
    leaf = solution.leaf()
    assert leaf.requires_grad and leaf.is_leaf and solution.wants(torch.ones(1, requires_grad=True))
    assert not solution.wants(torch.ones(1)) and solution.parameter().requires_grad
    assert isinstance(solution.parameter(), nn.Parameter)

def test_in_place_changes_stay_here():
    ours = torch.ones(3)
    solution.zero_(ours)
    assert ours.sum() == 3

def test_named_functions_change_our_tensors():
    ours, wanting = torch.ones(3), torch.ones(3, requires_grad=True)
    solution.fill(ours, wanting, torch.float32, torch.Size([1]))
    assert ours.sum() == 6 and wanting.sum() == 6 and wanting.requires_grad

def test_a_handle_is_no_tensor(): torch.exp(solution.Thing())
def test_nor_beside_one(): torch.ones(1) + solution.Thing()
def test_nor_in_a_list(): torch.stack([solution.Thing()])
def test_nor_made_into_one(): torch.tensor(solution.Thing())
def test_nor_equal_to_one(): assert torch.equal(torch.ones(1), solution.Thing())

def test_modules():
    net = solution.Net()
    assert isinstance(net, nn.Module) and isinstance(net.layer, nn.Linear) and issubclass(solution.Net, nn.Module)
    assert isinstance(net, solution.Net) and not isinstance(net, nn.Linear)
    assert sum(p.numel() for p in net.parameters()) == 9 and len(list(net.parameters())) == 2
    assert len(net.layer.weight) == 3
    assert [name for name, _ in net.named_parameters()] == ["layer.weight", "layer.bias"]
    assert all(isinstance(p, nn.Parameter) for p in net.parameters()) and net(torch.ones(4, 2)).shape == (4, 3)
    assert list(net.state_dict()) == ["layer.weight", "layer.bias"] and net.training
    assert net.eval() is net and not net.training and net.train().training
    assert net.layer.in_features == 2 and [type(m).__name__ for m in net.modules()] == ["Net", "Linear"]

def test_state_dicts():
    net, other = solution.Net(), solution.Net()
    other.load_state_dict(net.state_dict())
    x = torch.randn(4, 2)
    assert torch.equal(net(x), other(x))
    other.load_state_dict({name: torch.zeros_like(value) for name, value in net.state_dict().items()})
    assert other(x).abs().sum() == 0

def test_seeding_in_the_solution():
    torch.manual_seed(0)
    assert torch.equal(solution.seeded(3), solution.seeded(3))
    assert not torch.equal(solution.seeded(3), solution.seeded(4))

def test_numpy_of_what_came():
    assert np.allclose(solution.same(torch.ones(2)).numpy(), 1)
    assert solution.Net()(torch.ones(1, 2)).detach().numpy().shape == (1, 3)
    torch.testing.assert_close(solution.same(torch.ones(2)), torch.ones(2))
"""
TENSORS_SOLUTION = """
import torch
from torch import nn
def same(x): return x
def dtype(x): return x.dtype
def shape(x): return x.shape
def is_tensor(x): return type(x) is torch.Tensor
class Lying(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None): return True
def lying(): return torch.zeros(2).as_subclass(Lying)
def leaf(): return torch.ones(2, requires_grad=True)
def parameter(): return nn.Parameter(torch.ones(2))
def wants(x): return x.requires_grad
def zero_(x): x.zero_()
def fill(a, b, dtype, size):
    with torch.no_grad():
        a.fill_(2)
        b.fill_(2)
class Thing: pass
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 3)
    def forward(self, x): return self.layer(x)
def seeded(seed):
    torch.manual_seed(seed)
    return torch.randn(3)
"""


def test_tensors_and_modules(grade):
    flaws = grade(TENSORS, TENSORS_SOLUTION, runtime="torch", copy_back=["fill"]).flaws
    refused = [flaws.pop(name) for name in list(flaws) if name.startswith(("test_a_handle", "test_nor"))]
    assert len(refused) == 5
    assert all(shown.startswith("failed") for shown in refused)
    assert flaws == {}


GRADIENTS = """
import pytest, torch, solution
from torch import nn
from torch.autograd import gradcheck, gradgradcheck, grad
from solution import Net, cube

def test_backward_to_an_input():
    x = torch.tensor([2.0], requires_grad=True)
    cube(x).sum().backward()
    assert x.grad.item() == 12
    cube(x).sum().backward()
    assert x.grad.item() == 24

def test_grad():
    x = torch.tensor([2.0], requires_grad=True)
    assert grad(cube(x).sum(), x)[0].item() == 12 and x.grad is None
    (first,) = grad(cube(x), x, create_graph=True)
    assert first.item() == 12 and grad(first, x)[0].item() == 12
    with pytest.raises(RuntimeError):
        grad(cube(torch.ones(1)), x)

def test_gradcheck_and_gradgradcheck():
    x = torch.randn(3, 2, dtype=torch.double, requires_grad=True)
    assert gradcheck(cube, (x,)) and gradgradcheck(cube, (x,))
    a = torch.randn(2, 3, dtype=torch.double, requires_grad=True)
    b = torch.randn(3, 2, dtype=torch.double, requires_grad=True)
    assert gradcheck(solution.product, (a, b)) and gradgradcheck(solution.product, (a, b))
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradcheck(solution.wrong_gradient, (x,))

def test_training_with_an_optimizer_of_the_suite():
    torch.manual_seed(0)
    net = Net()
    x, y = torch.randn(32, 2), torch.randn(32, 1)
    sgd = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for optimizer in (sgd, torch.optim.Adam(net.parameters(), lr=0.05)):
        losses = []
        for _ in range(15):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(net(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0]

def test_training_equals_training_in_one_process():
    torch.manual_seed(0)
    net, twin = Net(), nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    twin.load_state_dict({name.removeprefix("layers."): value for name, value in net.state_dict().items()})
    x, y = torch.randn(8, 2), torch.randn(8, 1)
    for model in (net, twin):
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1, weight_decay=0.01)
        for _ in range(5):
            optimizer.zero_grad()
            ((model(x) - y) ** 2).mean().backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
    for ours, theirs in zip(net.parameters(), twin.parameters()):
        torch.testing.assert_close(ours, theirs)

def test_gradients_of_parameters():
    net = Net()
    assert all(p.grad is None for p in net.parameters())
    net(torch.ones(3, 2)).sum().backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in net.parameters())
    before = [p.grad.clone() for p in net.parameters()]
    net(torch.ones(3, 2)).sum().backward()
    for p, old in zip(net.parameters(), before): torch.testing.assert_close(p.grad, 2 * old)
    net.zero_grad()
    assert all(p.grad is None or not p.grad.any() for p in net.parameters())
    net(torch.ones(3, 2)).sum().backward()
    for p, old in zip(net.parameters(), before): torch.testing.assert_close(p.grad, old)

def test_gradients_that_only_the_solution_sees():
    net = Net()
    net(torch.ones(3, 2)).sum().backward()
    assert solution.gradient_norm(net) > 0
    for p in net.parameters(): p.grad = None
    assert solution.gradient_norm(net) == 0

def test_parameters_changed_in_place():
    net = Net()
    with torch.no_grad():
        for p in net.parameters(): p.zero_()
    assert net(torch.ones(1, 2)).item() == 0
    net.layers[2].bias.data.fill_(3.0)
    assert net(torch.ones(1, 2)).item() == 3
    with torch.no_grad():
        for p in net.parameters(): p.add_(1.0)
    assert solution.total(net) == pytest.approx(4 + 17 * 1.0 - 1 + 0.0)
    nn.init.constant_(next(net.parameters()), 0.5)
    assert solution.first_weight(net) == 0.5

def test_no_grad_and_detach():
    net = Net()
    with torch.no_grad():
        assert not net(torch.ones(1, 2)).requires_grad
    assert net(torch.ones(1, 2)).requires_grad and not net(torch.ones(1, 2)).detach().requires_grad
    with torch.inference_mode():
        net(torch.ones(1, 2))
    assert net(torch.ones(1, 2)).grad_fn is not None

def test_two_models_in_one_graph():
    one, two = Net(), Net()
    x = torch.ones(3, 2)
    (one(x) * two(x)).sum().backward()
    assert all(p.grad is not None for net in (one, two) for p in net.parameters())
    torch.testing.assert_close(list(one.parameters())[-1].grad, two(x).sum().detach().reshape(1))
    solution.chained(one, two, torch.ones(3, 2)).sum().backward()

def test_a_graph_that_crosses_twice():
    x = torch.tensor([2.0], requires_grad=True)
    y = solution.square(solution.square(x) + x)
    y.sum().backward()
    assert x.grad.item() == 2 * (4 + 2) * (2 * 2 + 1)

def test_a_leaf_passed_through_two_calls():
    x = torch.tensor([3.0], requires_grad=True)
    (solution.square(x) + cube(x)).sum().backward()
    assert x.grad.item() == 6 + 27
    w = nn.Parameter(torch.tensor([2.0]))
    (solution.times(w, x) + solution.times(x, w)).sum().backward()
    assert w.grad.item() == 6 and w.is_leaf

def test_a_non_leaf_input():
    x = torch.tensor([2.0], requires_grad=True)
    cube(x * 2).sum().backward()
    assert x.grad.item() == 3 * 16 * 2
    h = x * 3
    h.retain_grad()
    solution.square(h).sum().backward()
    assert h.grad.item() == 12

def test_masks_and_parts_of_outputs():
    x = torch.randn(4, 2, requires_grad=True)
    a, b = solution.pair(x)
    a.sum().backward(retain_graph=True)
    assert torch.equal(x.grad, torch.ones(4, 2))
    (a.sum() + b[0].sum()).backward()
    assert x.grad[0, 0] == 5 and x.grad[1, 0] == 2

def test_a_detached_output_has_no_gradient():
    x = torch.ones(1, requires_grad=True)
    assert not solution.detached(x).requires_grad
    with pytest.raises(RuntimeError, match="does not require grad"):
        solution.detached(x).sum().backward()

def test_hidden_state_carried_over():
    cell, h = nn.RNNCell(1, 2), None
    x = torch.ones(5, 1, 1, requires_grad=True)
    state = torch.zeros(1, 2)
    for step in x: state = solution.step(step, state)
    state.sum().backward()
    assert x.grad.abs().min() > 0

def test_losses_of_the_solution():
    logits = torch.randn(3, 4, requires_grad=True)
    loss = solution.loss(logits, torch.tensor([0, 1, 2]))
    torch.testing.assert_close(loss, nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2])))
    loss.backward()
    assert logits.grad.shape == (3, 4)

def test_frozen_parameters():
    net = Net()
    for p in net.layers[0].parameters(): p.requires_grad = False
    net(torch.ones(1, 2)).sum().backward()
    assert [p.grad is None for p in net.parameters()] == [True, True, False, False]
    assert solution.trainable(net) == 5

def test_backward_inside_the_solution():
    net = Net()
    assert solution.train(net, torch.ones(8, 2), torch.zeros(8, 1), 20) < 0.1
    assert net(torch.ones(8, 2)).abs().max() < 1

def test_vectorised_and_functional():
    x = torch.randn(3)
    jacobian = torch.autograd.functional.jacobian(cube, x)
    torch.testing.assert_close(jacobian, torch.diag(3 * x ** 2))
    hessian = torch.autograd.functional.hessian(lambda v: cube(v).sum(), x)
    torch.testing.assert_close(hessian, torch.diag(6 * x))
"""
GRADIENTS_SOLUTION = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    def forward(self, x): return self.layers(x)
def cube(x): return x ** 3
def square(x): return x * x
def times(a, b): return a * b
def product(a, b): return (a @ b).tanh()
class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x * 2
    @staticmethod
    def backward(ctx, g): return g * 3
def wrong_gradient(x): return Wrong.apply(x)
def gradient_norm(net): return sum(float(p.grad.norm()) for p in net.parameters() if p.grad is not None)
def total(net): return float(sum(p.sum() for p in net.parameters()))
def first_weight(net): return float(next(net.parameters())[0, 0])
def chained(one, two, x): return one(x) * two(x)
def pair(x): return x * 1, x * 3
def detached(x): return x.detach() * 2
_cell = nn.RNNCell(1, 2)
def step(x, h): return _cell(x, h)
def loss(logits, target): return nn.functional.cross_entropy(logits, target)
def trainable(net): return sum(p.numel() for p in net.parameters() if p.requires_grad)
def train(net, x, y, n):
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(n):
        optimizer.zero_grad()
        value = ((net(x) - y) ** 2).mean()
        value.backward()
        optimizer.step()
    return value.item()
"""


def test_gradients_run_through_the_wall(grade):
    assert grade(GRADIENTS, GRADIENTS_SOLUTION, runtime="torch").flaws == {}
