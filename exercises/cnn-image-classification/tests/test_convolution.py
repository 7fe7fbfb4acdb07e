"""The convolution by itself, held against torch's own and against what a convolution promises."""

import pytest
import solution
import torch

SIZES = [(1, 1, 1, 1, 0), (2, 3, 3, 1, 1), (3, 2, 3, 2, 0), (3, 4, 5, 2, 2), (2, 2, 2, 3, 1), (1, 5, 4, 3, 0)]


def convolution(seed, *sizes):
    """The candidate's Conv2d in float64 with weights that we draw, and these weights."""
    in_channels, out_channels, kernel, *_ = sizes
    g = torch.Generator().manual_seed(seed)
    weight = torch.randn(out_channels, in_channels, kernel, kernel, generator=g, dtype=torch.float64)
    bias = torch.randn(out_channels, generator=g, dtype=torch.float64)
    layer = solution.Conv2d(*sizes)
    layer.to(torch.float64)
    try:
        layer.load_state_dict({"weight": weight, "bias": bias})
    except Exception as error:
        pytest.fail(f"Conv2d must have the parameters weight (O, I, K, K) and bias (O): {str(error)[:300]}")
    return layer, weight, bias


def pictures(seed, channels, rows=4, height=9, width=12):
    """x (B, I, H, W) in float64; all sizes differ, so that mixing them up shows."""
    g = torch.Generator().manual_seed(seed + 1)
    return torch.randn(rows, channels, height, width, generator=g, dtype=torch.float64)


def apply(layer, x):
    """The layer's output, or a failure that says what was called."""
    try:
        return layer(x)
    except Exception as error:
        pytest.fail(f"Conv2d.forward raised {type(error).__name__} for x {tuple(x.shape)}: {str(error)[:300]}")


@pytest.mark.points(2)
def test_has_torchs_parameters():
    """The only parameters are weight (O, I, K, K) and bias (O)"""
    shapes = {name: tuple(value.shape) for name, value in solution.Conv2d(2, 5, 3).named_parameters()}
    assert shapes == {"weight": (5, 2, 3, 3), "bias": (5,)}, "parameters are named and shaped as in torch.nn.Conv2d"


@pytest.mark.points(4)
def test_outputs_have_the_right_shapes():
    """The output is (B, O, H', W') for images that are not square, with any kernel, stride and padding"""
    for sizes in SIZES:
        _, out_channels, kernel, stride, padding = sizes
        for height, width in [(8, 8), (7, 10)]:
            expected = (3, out_channels, *((n + 2 * padding - kernel) // stride + 1 for n in (height, width)))
            out = apply(solution.Conv2d(*sizes), torch.randn(3, sizes[0], height, width))
            assert tuple(out.shape) == expected, (
                f"Conv2d{sizes} (I, O, K, stride, padding) on {height} x {width} must give {expected}: the size is "
                "(H + 2P - K) // S + 1, and a kernel that does not fit any more is left out"
            )


@pytest.mark.points(4)
def test_kernel_is_not_flipped(seed):
    """A kernel with a single 1 reads the pixel at that place of each patch"""
    x = pictures(seed, 1)
    for row, column in [(0, 0), (0, 2), (2, 1)]:
        layer, weight, bias = convolution(seed, 1, 1, 3)
        weight.zero_()
        weight[0, 0, row, column] = 1
        layer.load_state_dict({"weight": weight, "bias": torch.zeros_like(bias)})
        out = apply(layer, x)
        assert tuple(out.shape) == (4, 1, 7, 10), "a 3 x 3 kernel makes 9 x 12 into 7 x 10"
        assert torch.allclose(out, x[:, :, row : row + 7, column : column + 10]), (
            f"with only weight[0, 0, {row}, {column}] = 1, out[b, 0, y, x] must be x[b, 0, y + {row}, x + {column}]; "
            "networks correlate, they do not flip the kernel"
        )


@pytest.mark.points(3)
def test_pads_with_zeros_on_all_sides():
    """A kernel of ones over an image of ones counts the pixels that are there: 9 inside, 6 at edges, 4 in corners"""
    layer, weight, bias = convolution(0, 1, 1, 3, 1, 1)
    layer.load_state_dict({"weight": torch.ones_like(weight), "bias": torch.zeros_like(bias)})
    out = apply(layer, torch.ones(1, 1, 4, 5, dtype=torch.float64))
    expected = torch.tensor([2.0, 3, 3, 2]).outer(torch.tensor([2.0, 3, 3, 3, 2])).double()
    assert tuple(out.shape) == (1, 1, 4, 5), "a 3 x 3 kernel with padding 1 keeps the size"
    assert torch.allclose(out[0, 0], expected), f"got {out[0, 0].tolist()}: padding adds zeros on all four sides"


@pytest.mark.points(6)
def test_matches_torch(seed):
    """With the same weights the output is that of torch.nn.functional.conv2d, for any kernel, stride and padding"""
    for case, sizes in enumerate(SIZES):
        layer, weight, bias = convolution(seed + case, *sizes)
        x = pictures(seed + case, sizes[0])
        out = apply(layer, x)
        expected = torch.nn.functional.conv2d(x, weight, bias, stride=sizes[3], padding=sizes[4])
        assert out.shape == expected.shape, f"Conv2d{sizes}: the shape must be {tuple(expected.shape)}"
        assert out.dtype == torch.float64, "a module that was moved to float64 must answer in float64"
        assert torch.allclose(out, expected, atol=1e-8), (
            f"Conv2d{sizes} (I, O, K, stride, padding) differs from torch's by up to "
            f"{(out - expected).abs().max().item():.3g}: a channel sums over all input channels and adds its bias"
        )


@pytest.mark.points(3)
def test_convolution_keeps_images_apart(seed):
    """An image alone gives the same output as in a batch"""
    layer, *_ = convolution(seed, 2, 3, 3, 1, 1)
    x = pictures(seed, 2)
    together = apply(layer, x)
    for row in range(4):
        alone = apply(layer, x[row : row + 1])
        assert torch.allclose(together[row : row + 1], alone, atol=1e-10), (
            "other images of the batch changed the output"
        )


@pytest.mark.points(3)
def test_shifted_image_gives_shifted_output(seed):
    """Shifting the image by two pixels shifts the output by two, and by one with stride 2"""
    for stride in (1, 2):
        layer, *_ = convolution(seed, 2, 3, 3, stride)
        x = pictures(seed, 2, height=11, width=13)
        before, after = apply(layer, x[..., :-2, :-2]), apply(layer, x[..., 2:, 2:])
        step = 2 // stride
        assert torch.allclose(before[..., step:, step:], after[..., :-step, :-step], atol=1e-8), (
            "the same kernel must be used at every place"
        )
        assert not torch.allclose(before, after, atol=1e-3), "the output does not depend on the image"


@pytest.mark.points(5)
def test_gradients_match_torch(seed):
    """Backward gives torch's gradients for the images, the weight and the bias"""
    sizes = (2, 3, 3, 2, 1)
    layer, weight, bias = convolution(seed, *sizes)
    x = pictures(seed, 2).requires_grad_()
    other = x.detach().clone().requires_grad_()
    weight.requires_grad_()
    bias.requires_grad_()
    expected = torch.nn.functional.conv2d(other, weight, bias, stride=2, padding=1)
    expected.square().sum().backward()
    out = apply(layer, x)
    assert out.requires_grad, "the output is cut off from the graph: something is detached"
    out.square().sum().backward()
    pairs = [
        ("x", x.grad, other.grad),
        ("weight", layer.weight.grad, weight.grad),
        ("bias", layer.bias.grad, bias.grad),
    ]
    for name, mine, theirs in pairs:
        assert mine is not None, f"no gradient reaches {name}: something is detached"
        assert torch.allclose(mine, theirs, atol=1e-7), f"the gradient of {name} is not that of a convolution"
