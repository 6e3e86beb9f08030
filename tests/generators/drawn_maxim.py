"""A small MAXIM whose weights follow from their names, and what the official JAX code makes of a picture with them.

The picture and the result are recorded in golden/maxim.npz by this module, in an environment with jax, flax and
einops and a checkout of google-research/maxim (recorded with revision 3c82651, jax 0.6.2, flax 0.10.7):

    python -m tests.generators.drawn_maxim CHECKOUT/maxim/models/maxim.py PHOTOGRAPH
"""

import importlib.util
import sys
import zlib
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parent / "golden" / "maxim.npz"
KWARGS = {"features": 8, "num_stages": 2, "num_groups": 1, "num_bottleneck_blocks": 1}


def drawn(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Values for the parameter `key` in PyTorch's layout: uniform, quiet enough for a picture to come out."""
    values = np.random.default_rng(zlib.crc32(key.encode())).random(shape) * 2 - 1
    if key.endswith("bias"):
        return (values * 0.2).astype(np.float32)
    if len(shape) == 1:  # a norm's scale
        return (1 + values * 0.3).astype(np.float32)
    inputs = shape[0] if "ConvTranspose" in key else np.prod(shape[1:])
    return (values / np.sqrt(inputs)).astype(np.float32)


def _flax_leaf(path: tuple[str, ...], shape: tuple[int, ...]) -> np.ndarray:
    """The same values in flax's layout: (H, W, in, out); a transposed convolution's kernel is turned by 180 degrees."""
    *layer, leaf = path
    key = ".".join([*layer, "bias" if leaf == "bias" else "weight"])
    if leaf != "kernel":
        return drawn(key, shape)
    if len(shape) == 2 or shape[:2] == (1, 1):
        return drawn(key, (shape[-1], shape[-2])).T.reshape(shape)
    if "ConvTranspose" in key:
        return drawn(key, (shape[2], shape[3], *shape[:2])).transpose(2, 3, 0, 1)[::-1, ::-1]
    return drawn(key, (shape[3], shape[2], *shape[:2])).transpose(2, 3, 1, 0)


def record(official: Path, photograph: Path) -> None:
    import jax
    from flax import traverse_util
    from PIL import Image

    spec = importlib.util.spec_from_file_location("official_maxim", official)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    network = module.MAXIM(**KWARGS, num_supervision_scales=3)
    image = np.asarray(Image.open(photograph).convert("RGB"))[:64, :128]
    x = image[None].astype(np.float32) / 255
    shapes = jax.eval_shape(network.init, jax.random.PRNGKey(0), x)["params"]
    leaves = {path: _flax_leaf(path, leaf.shape) for path, leaf in traverse_util.flatten_dict(shapes).items()}
    outputs = jax.jit(network.apply)({"params": traverse_util.unflatten_dict(leaves)}, x)
    GOLDEN.parent.mkdir(exist_ok=True)
    np.savez_compressed(GOLDEN, picture=image, restored=np.asarray(outputs[-1][-1][0, ::3]))


if __name__ == "__main__":
    record(Path(sys.argv[1]), Path(sys.argv[2]))
