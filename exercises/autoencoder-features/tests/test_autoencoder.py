"""The autoencoder as a module, before any training: sizes, dtypes, gradients, and a code that all has to pass."""

import pytest
import solution
import torch


def untrained(height, width, n_code, dtype=torch.float32):
    """A new autoencoder in eval mode."""
    model = solution.Autoencoder(height, width, n_code)
    model.to(dtype)
    model.eval()
    return model


def images(seed, rows, height, width, dtype=torch.float32):
    """Random images (rows, height, width)."""
    return torch.rand(rows, height, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.points(5)
def test_sizes_of_codes_and_images(seed):
    """Codes are (B, n_code) and images come back in their size, odd and oblong ones too"""
    for rows, height, width, n_code in [(3, 8, 8, 4), (1, 9, 11, 6), (2, 7, 5, 1), (2, 28, 28, 10), (4, 13, 6, 3)]:
        model = untrained(height, width, n_code)
        x = images(seed, rows, height, width)
        code = model.encode(x)
        assert tuple(code.shape) == (rows, n_code), (
            f"encode returned {tuple(code.shape)} for {rows} images, expected (B, n_code) = {(rows, n_code)}"
        )
        for name, found in [("decode", model.decode(code)), ("forward", model(x))]:
            assert tuple(found.shape) == (rows, height, width), (
                f"{name} returned {tuple(found.shape)}, expected {(rows, height, width)}. Halving an odd size rounds, "
                "and doubling it again does not give it back"
            )


@pytest.mark.points(4)
def test_forward_is_decode_of_encode(seed):
    """forward gives what decode makes of the code, and nothing goes around the code"""
    model = untrained(9, 7, 3)
    x = images(seed, 5, 9, 7)
    assert torch.allclose(model(x), model.decode(model.encode(x)), atol=1e-5), (
        "forward(x) is not decode(encode(x)): does something of the image reach the output without passing the code?"
    )


@pytest.mark.points(2)
def test_keeps_the_dtype(seed):
    """A model that was moved to float64 answers in float64"""
    for dtype in (torch.float32, torch.float64):
        model = untrained(6, 5, 2, dtype)
        code = model.encode(images(seed, 2, 6, 5, dtype))
        assert code.dtype == dtype, f"encode of a model and images in {dtype} returned {code.dtype}"
        assert model.decode(code).dtype == dtype, f"decode of a model and codes in {dtype} returned other numbers"


@pytest.mark.points(4)
def test_gradient_passes_the_code(seed):
    """The gradient of the restored images goes back through the code to every pixel, as finite differences say"""
    model = untrained(6, 5, 2, torch.float64)
    x = images(seed, 2, 6, 5, torch.float64).requires_grad_()
    model(x).square().sum().backward()
    assert x.grad is not None, "the restored images are cut off from the input: something is detached"
    assert (x.grad != 0).any(), "no gradient reaches the input: something is detached, or a constant is returned"
    try:
        torch.autograd.gradcheck(model, (x,), atol=1e-5)
    except RuntimeError as error:
        pytest.fail(f"the gradient is not that of what forward computes; is the code detached? {str(error)[:300]}")


@pytest.mark.points(2)
def test_code_and_image_tell_inputs_apart(seed):
    """Different images have different codes, and different codes different images"""
    model = untrained(8, 9, 3)
    code = model.encode(images(seed, 6, 8, 9))
    assert code.std(0).max() > 0, "encode gives the same code for all images"
    restored = model.decode(torch.randn(6, 3)).flatten(1)
    assert restored.std(0).max() > 0, "decode gives the same image for all codes"
