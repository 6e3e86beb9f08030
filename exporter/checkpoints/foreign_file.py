"""What is often taken for a checkpoint and is none: told by its first bytes, with what to do instead."""

from __future__ import annotations

import zipfile
from pathlib import Path

from exporter.errors import CheckpointError

_HEAD_BYTES = 512
_UNPACK = "unpack it and name the file inside"
_SAVE = "take the weights of PyTorch: torch.save(network.state_dict(), 'weights.pth')"
# (what the file begins with, what it is, what to do)
_HEADS: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "is a git-lfs pointer: it names the weights but does not hold them", "git lfs pull"),
    (b"\x89HDF\r\n\x1a\n", "is an HDF5 file, as Keras writes them, not of PyTorch", _SAVE),
    (b"\x93NUMPY", "is a single numpy array, not the weights of a network by name", _SAVE),
    (b"GGUF", "is a GGUF file of a quantised model", _SAVE),
    (b"\x1f\x8b", "is compressed with gzip", _UNPACK),
    (b"BZh", "is compressed with bzip2", _UNPACK),
    (b"\xfd7zXZ\x00", "is compressed with xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstandard", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive", _UNPACK),
    (b"Rar!\x1a\x07", "is a RAR archive", _UNPACK),
    (b"\x7fELF", "is a program", _SAVE),
    (b"%PDF", "is a PDF document", "download the weights themselves"),
    (b"\x89PNG", "is a picture", "name the weights"),
    (b"\xff\xd8\xff", "is a picture", "name the weights"),
)
_OF_TORCH = (".pth", ".pt", ".ckpt", ".bin", ".pkl", ".tar", ".safetensors")
_PAGE = "download it again with a browser or the tool of the site, and look at its size: an error page has a few kB"


def refuse_foreign(path: Path) -> None:
    """Raises CheckpointError that says what the plain file `path` is when it is known to hold no checkpoint."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise CheckpointError(f"{path} is empty (0 bytes)", hint="copy or download it again")
    for begins, what, do in (*_HEADS, *_by_looking_closer(path, head)):
        if head.startswith(begins):
            raise CheckpointError(f"{path} {what}", hint=do)


def _by_looking_closer(path: Path, head: bytes) -> list[tuple[bytes, str, str]]:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<script")):
        return [(head, "is a web page, not a file of weights: a download that went wrong", _PAGE)]
    if path.suffix.lower() in _OF_TORCH and head.isascii() and _is_text(head):
        begins = " ".join(head.decode().split())[:40]
        return [(head, f"is a text that begins {begins!r}, not a file of weights: a download that went wrong", _PAGE)]
    if head[4:8] == b"TFL3":
        return [(head, "is a TFLite model, which has lost what training and pruning need", _SAVE)]
    if path.suffix == ".onnx" or _begins_as_onnx(head):
        say = "exporter lint and bench take it as it is; a recipe begins with " + _SAVE.removeprefix("take ")
        return [(head, "is an ONNX model, not a checkpoint of PyTorch", say)]
    if head[257:262] == b"ustar" or (path.suffix == ".tar" and b"\x00ustar" in head):
        return [(head, *_tar(path))]
    if head.startswith(b"PK\x03\x04"):
        return [(head, *found) for found in _zip(path)]
    return []


def _is_text(head: bytes) -> bool:
    """Whether these bytes are words; a pickle of the oldest kind, which is text, too, begins with an open bracket."""
    text = head.decode().strip()
    return bool(text) and not text.startswith(("(", "]", "}")) and all(c.isprintable() or c.isspace() for c in text)


def _begins_as_onnx(head: bytes) -> bool:
    """Its first field is a small version number, its second the name of the producer: plain text."""
    name = head[4 : 4 + head[3]] if len(head) > 4 else b""
    return len(head) > 4 and head[0] == 8 and head[1] < 32 and head[2] == 0x12 and name.isascii() and len(name) > 2


def _tar(path: Path) -> tuple[str, str]:
    import tarfile

    try:
        with tarfile.open(path) as archive:
            names = [member.name for _, member in zip(range(20), archive, strict=False)]
    except (tarfile.TarError, OSError, ValueError):
        return "is a damaged tar archive", "copy it again"
    if {"pickle", "storages"} <= set(names):
        again = f"torch.save(torch.load({path.name!r}, weights_only=False), 'weights.pth')"
        return (
            "is a torch file in the tar format of before 2017, which cannot be read without running code from it",
            f"if you trust it, save it again: {again}",
        )
    return f"is a tar archive (of {_some(names)})", _UNPACK


def _zip(path: Path) -> list[tuple[str, str]]:
    """What a zip archive is when it is no file of torch.save, of torch.jit.save or of numpy."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, EOFError):
        return []  # whoever reads it says what is wrong
    ends = {name.rpartition("/")[2] for name in names}
    if any(name.endswith("archive_format") or "/models/" in name for name in names):
        again = f"torch.save(dict(torch.export.load({path.name!r}).state_dict), 'weights.pth')"
        return [("is a program of torch.export (.pt2), not a state dict", f"save its weights: {again}")]
    if "data.pkl" in ends or any(name.endswith((".pkl", ".npy")) for name in ends):
        return []
    return [(f"is a zip archive (of {_some(names)})", _UNPACK)]


def _some(names: list[str], shown: int = 3) -> str:
    plain = [name[:80] for name in names if name.isprintable()]
    return f"{', '.join(plain[:shown])}{' …' if len(plain) > shown else ''}" if plain else "nothing"
