"""What to write in a network instead of an operator that no exported file can hold, by PyTorch's or ONNX's name."""

from __future__ import annotations

import re

_MASKS = (
    "keep every place and weigh it: torch.where(mask, x, 0) for x[mask], (x * mask).sum() / mask.sum() for the mean "
    "over a mask; how many places there are may not change from picture to picture"
)
_ONE_PATH = (
    "a file has one path for all pictures: torch.where(condition, a, b) for `if`, a tensor (y.mean()) for a number "
    "(y.mean().item()), a fixed number of steps for `while`; the exact choice can be made by the app before the network"
)
_MATRICES = (
    "no engine of phones decomposes or solves matrices: compute it once in __init__ when it does not depend on the "
    "picture (register_buffer), else a fixed number of products (Newton-Schulz for an inverse, power iteration for the "
    "largest singular value)"
)
_ORDER = (
    "no engine has it: max, min and mean over an axis say much of what an order does, torch.topk and torch.sort are "
    "exported where their axis is short"
)
_STEPS = "a sum of comparisons with fixed bounds: sum((x > bound).float() for bound in bounds)"
_BEHIND = "it belongs behind the network, into the app: end the network before it"
_DEFORMED = (
    "F.grid_sample at each place of the kernel, joined by a 1×1 convolution, says the same and is taken; "
    "or train with plain convolutions of more dilation"
)
_COMPLEX = "two real tensors, real and imaginary part: (a + ib)(c + id) = (ac - bd) + i(ad + bc)"
_RECURRENT = "write its steps out, as many as there are places, with nn.LSTMCell or nn.GRUCell"
_RANDOM = (
    "noise inside the network makes every picture another, and no file can be held against that: leave it out in eval "
    "mode (if self.training), or take a fixed one (register_buffer)"
)
_DROPOUT = "F.dropout drops in eval mode, too, unless it is told: F.dropout(x, p, self.training), or nn.Dropout"
_NUMPY = (
    "numpy and OpenCV compute outside PyTorch, so that a file holds the numbers of one picture: write it with torch's "
    "own operators, compute it once in __init__ (register_buffer), or leave it to the app"
)
_OWN = (
    "an operator of your own, in C++, CUDA or torch.library, has no form in a file: write its forward with torch's own "
    "operators (it need not be quick here), or replace the layer by a plain one and train on"
)
_SCRIPT = "a part that torch.jit.script made cannot be read: build the same nn.Module without it"
_PLACES = (
    "where the picture decides the place, compare and multiply: weight = (torch.arange(n) == index).float(), then "
    "(x * weight).sum(), in place of gather and scatter"
)
_GRADIENT = "no file holds gradients: write the derivative out as a formula, or leave the step out"

_INSTEAD: tuple[tuple[str, str], ...] = (  # of whole names, in lower case, without underlines at the ends
    (r"nonzero|argwhere|masked_select|masked_scatter|unique\w*|where_nonzero|index|compress", _MASKS),
    (r"local_scalar_dense|item|bool|float|int|tolist|equal|is_nonzero|if|loop|scan", _ONE_PATH),
    (r"linalg_\w+|svd|qr|inverse|pinverse|det|logdet|slogdet|cholesky\w*|eig|eigh|lstsq|lu\w*|matrix_exp", _MATRICES),
    (r"triangular_solve|solve", _MATRICES),
    (r"quantile|nanquantile|mode|nanmedian|msort", _ORDER),
    (r"searchsorted|bucketize|histc|histogram\w*|bincount", _STEPS),
    (r"nms|batched_nms|nonmaxsuppression|roi_?\w+|ps_roi_\w+|maxroipool", _BEHIND),
    (r"deform_conv2d\w*|deformconv|\w*deform\w*|dcn\w*", _DEFORMED),
    (r"complex|polar|view_as_complex|view_as_real|angle|conj\w*|resolve_conj|fft_\w+|stft|istft|dft", _COMPLEX),
    (r"lstm\w*|gru\w*|rnn\w*", _RECURRENT),
    (r"bernoulli|native_dropout|dropout\w*|alpha_dropout|feature_dropout", _DROPOUT),
    (r"rand\w*|normal\w*|uniform|multinomial|poisson|exponential|rrelu_with_noise\w*", _RANDOM),
    (r"numpy|array|from_numpy|lift_fresh", _NUMPY),
    (r"scatter\w*|gatherelements|gathernd|gather|onehot|index_put|index_add|take|put", _PLACES),
    (r"autograd|grad|backward", _GRADIENT),
)
_RANDOM_KERNELS = re.compile(
    r"bernoulli|native_dropout|alpha_dropout|feature_dropout|rand|rand_like|randn|randn_like|randint|randint_like|randperm"
    r"|normal\w*|uniform|multinomial|poisson|exponential|log_normal|cauchy|geometric|rrelu_with_noise\w*"
)
_LEAVES_TORCH = frozenset({"numpy", "__array__", "tolist", "item", "__bool__", "__float__", "__int__"})


_SPELLED = {
    "_local_scalar_dense": "a number taken out of a tensor (.item(), float(), int(), if)",
    "_unique2": "torch.unique",
    "bernoulli_": "dropout (bernoulli_)",
    "native_dropout": "dropout",
    "lift_fresh": "a tensor made of numbers from outside (torch.tensor, torch.from_numpy)",
    "__array__": "numpy",
}


def spelled(operator: str) -> str:
    """The name of PyTorch's operator as a user writes it."""
    return _SPELLED.get(operator, operator)


def instead_of(operator: str) -> str:
    """What to write in place of `operator`; "" when nothing is known."""
    namespace, _, name = operator.rpartition("::")
    plain = name.strip("_").lower()
    found = next((words for names, words in _INSTEAD if re.fullmatch(names, plain)), "")
    return found or (_OWN if namespace not in ("", "aten", "prim", "onnx") else "")


def draws_random_numbers(kernel: str) -> bool:
    """Whether PyTorch's kernel of that name gives other numbers every time."""
    return bool(_RANDOM_KERNELS.fullmatch(kernel.strip("_")))


def leaves_torch(function: str) -> bool:
    """Whether the function hands numbers of a tensor to Python or numpy, where nobody follows them."""
    return function in _LEAVES_TORCH


def hint_of_words(said: str) -> str:
    """What to do about an error that PyTorch words like this, in whatever network; "" when nothing is known."""
    return next((hint for words, hint in _WORDS if re.search(words, said)), "")


_WORDS: tuple[tuple[str, str], ...] = (
    (
        r"not compiled with CUDA|no NVIDIA driver|CUDA (error|driver)|Expected all tensors to be on the same device",
        "a network is exported on the CPU: write torch.ones(…, device=x.device) or register_buffer for what it makes "
        "itself, in place of .cuda() and device='cuda'",
    ),
    (r"call numpy\(\)|\.numpy\(\) is not|cv2|__array__", _NUMPY),
    (r"not part of the active trace|TorchScript|ScriptModule", _SCRIPT),
    (r"does not require grad|grad_fn|requires_grad|torch\.autograd\.grad", _GRADIENT),
    (
        r"tensor\((bfloat16|float16)\)|BFloat16|c10::Half",
        "a network is exported in float32, and each target's file chooses its own precision: leave out torch.autocast, "
        ".half() and .bfloat16() in forward",
    ),
    (
        r"must match the size of tensor|is invalid for input of size|shapes cannot be multiplied|size mismatch",
        "a size is written into the network (a position embedding, a view, a Linear over pixels): name the size it was "
        "built for, or take it from x.shape",
    ),
)
