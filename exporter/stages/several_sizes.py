"""From .tflite files of one network at several sizes to one file. A recipe says `input.sizes`, and not these stages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import PrivateAttr

from exporter.artifact import Artifact, Format, Signature, TensorSpec
from exporter.errors import Refused, StageError, WrongPicture
from exporter.stages.base import Stage, Workspace
from exporter.stages.quantize_tflite import BEFORE_COPIES, by_copies
from exporter.stages.self_check import lopsided_image, require_close, run_tflite

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_GROWTH = 1.05  # what a file of all sizes may have, in sizes of the largest single one
NAMED_TENSORS = 3
DIGITS = 16
FARTHER_DB, ENOUGH_DB = 15.0, 36.0


class Resize(Stage):
    """The INT8 file of the first size at another one: the same codes and scales. Its source is the float file there.

    `given`, `quantized`: digests of the first size's float file, and of the INT8 file that was made of it, as far as
    people read them.
    """

    name: ClassVar[str] = "resize"
    takes: ClassVar[Format] = Format.TFLITE
    gives: ClassVar[Format] = Format.TFLITE
    needs: ClassVar[tuple[str, ...]] = ("ai_edge_litert",)

    given: str
    quantized: str
    _given: Artifact = PrivateAttr()
    _quantized: Artifact = PrivateAttr()

    @classmethod
    def of(cls, given: Artifact, quantized: Artifact) -> Self:
        made = cls(given=given.sha256[:DIGITS], quantized=quantized.sha256[:DIGITS])
        made._given, made._quantized = given, quantized
        return made

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Raises Refused for a network that is another one at this size, WrongPicture where that was not seen."""
        from exporter.quantization.tflite.other_size import at_other_size

        other, given = source.path.read_bytes(), self._given.path.read_bytes()
        copies = self._quantized.path.with_name(BEFORE_COPIES)
        quantized = (copies if copies.exists() else self._quantized.path).read_bytes()
        size = f"{source.input.height}×{source.input.width} px"
        with workspace.quiet():
            try:
                resized, there = _pictures(source.input, at_other_size(given, given, other), other)
                require_close(self.name, resized, there)
                made = at_other_size(quantized, given, other)
                self._require_alike(
                    _shown_db(self._given.input, quantized, given), _shown_db(source.input, made, other)
                )
            except ValueError as error:
                raise Refused(
                    f"{self.name}: INT8 at {size}: {error}", hint="leave the size out of input.sizes"
                ) from error
        path = workspace.folder / "model.tflite"
        path.write_bytes(by_copies(made) if copies.exists() else made)
        ends = ((self._quantized.input, source.input), (self._quantized.output, source.output))
        given_ends, made_ends = (replace(coded, shape=there.shape) for coded, there in ends)
        return Artifact.of_file(
            path, self.gives, like=self._quantized, step=str(self), input=given_ends, output=made_ends
        )

    def _require_alike(self, first_db: float, other_db: float) -> None:
        """Raises WrongPicture where the INT8 file is much farther from the float one than it is at the first size.

        What is lost by ranges that do not fit is for the recipe's promises; this is about a file that is broken.
        """
        if not other_db >= min(first_db - FARTHER_DB, ENOUGH_DB):
            found = f"{other_db:.1f} dB from the float one, {first_db:.1f} dB at the first size"
            raise WrongPicture(
                f"{self.name}: the INT8 file is {found}",
                hint="leave the size out of input.sizes, or name another first",
            )

    def __str__(self) -> str:
        return self.name


class JoinSizes(Stage):
    """One file of several, a signature each; the source is the first. `own`: the digest of each by its signature."""

    name: ClassVar[str] = "join_sizes"
    takes: ClassVar[Format] = Format.TFLITE
    gives: ClassVar[Format] = Format.TFLITE
    needs: ClassVar[tuple[str, ...]] = ("ai_edge_litert",)

    own: dict[str, str]
    _files: Mapping[str, Artifact] = PrivateAttr()

    @classmethod
    def of(cls, files: Mapping[str, Artifact]) -> Self:
        made = cls(own={name: file.sha256[:DIGITS] for name, file in files.items()})
        made._files = files
        return made

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Raises StageError when a signature does not give the bits of its own file."""
        from exporter.graph.tflite_signatures import join_signatures

        contents = {name: file.path.read_bytes() for name, file in self._files.items()}
        joined = join_signatures(contents)
        with workspace.quiet():
            for name, content in contents.items():
                self._require_equal(joined, name, content)
        largest = max(map(len, contents.values()))
        facts: dict[str, Any] = {
            "bytes": len(joined),
            "largest_file_bytes": largest,
            "all_files_bytes": sum(map(len, contents.values())),
            "of_largest": round(len(joined) / largest, 3),
        }
        if len(joined) > MOST_GROWTH * largest:
            times = f"{len(joined) / largest:.2f} times the bytes of the largest"
            line = f"the file of all sizes has {times}: {_grown_by(contents)}"
            facts["warnings"] = [line]
            workspace.progress.say(f"{self.name}: {line}")
        (workspace.folder / "facts.json").write_text(json.dumps(facts))
        path = workspace.folder / "model.tflite"
        path.write_bytes(joined)
        signatures = tuple(
            Signature(name, file.input, file.output, file.sha256, file.size_bytes) for name, file in self._files.items()
        )
        return Artifact.of_file(path, self.gives, like=source, step=str(self), signatures=signatures)

    def _require_equal(self, joined: bytes, name: str, own: bytes) -> None:
        """The signature beside its own file, both on LiteRT, on one picture, bit by bit."""
        fed, expected = _answer(own)
        made = _of_signature(joined, name, fed)
        if made.dtype != expected.dtype or made.tobytes() != expected.tobytes():
            raise StageError(
                f"{self.name}: the signature {name} does not give what its own file gives",
                hint="report this: the two hold the same graph",
            )

    def __str__(self) -> str:
        return f"{self.name} {' '.join(self.own)}"


def _pictures(given: TensorSpec, *files: bytes) -> list[NDArray[Any]]:
    """What each makes of the lopsided image."""
    image = lopsided_image(given.height, given.width, given.channels)
    return [run_tflite(content, image)[0] for content in files]


def _shown_db(given: TensorSpec, *files: bytes) -> float:
    """PSNR of two files' pictures as they are shown."""
    import numpy as np

    from exporter.data.metrics import psnr_of_error_db

    made, expected = (np.clip(picture, 0, 1).astype(np.float64) for picture in _pictures(given, *files))
    return psnr_of_error_db(float(np.mean((made - expected) ** 2)))


def _answer(content: bytes) -> tuple[NDArray[Any], NDArray[Any]]:
    """The lopsided image as the file's input holds it, and what comes out."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    image = lopsided_image(*source["shape"][1:])
    scale, zero_point = source["quantization"]
    fed = np.clip(np.rint(image / scale) + zero_point, -128, 127) if scale else image
    fed = fed.astype(source["dtype"])
    interpreter.set_tensor(source["index"], fed)
    interpreter.invoke()
    return fed, interpreter.get_tensor(result["index"])


def _of_signature(content: bytes, name: str, fed: NDArray[Any]) -> NDArray[Any]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner(name)
    (source,) = runner.get_input_details()
    (made,) = runner(**{source: fed}).values()
    return made  # type: ignore[no-any-return]


def _grown_by(contents: Mapping[str, bytes]) -> str:
    """The largest constants that one size has and the largest file has not."""
    from exporter.graph.tflite_editor import TfliteGraph

    largest = max(contents, key=lambda name: len(contents[name]))
    known = {digest for digest, _, _ in _constants(TfliteGraph(contents[largest]))}
    own: dict[bytes, tuple[int, str]] = {}
    for name, content in contents.items():
        for digest, size_bytes, tensor in _constants(TfliteGraph(content)):
            if digest not in known:
                own[digest] = (size_bytes, f"{tensor} at {name}")
    if not own:
        return "it is small, and descriptions of tensors weigh more than weights"
    heaviest = sorted(own.values(), reverse=True)
    named = ", ".join(f"{tensor} ({size_bytes / 1000:.0f} kB)" for size_bytes, tensor in heaviest[:NAMED_TENSORS])
    more = len(heaviest) - NAMED_TENSORS
    return f"constants depend on the size: {named}{f' and {more} more' if more > 0 else ''}"


def _constants(graph: Any) -> list[tuple[bytes, int, str]]:
    values = ((number, graph.constant(number)) for number in range(len(graph.tensors)))
    return [(sha256(v.tobytes()).digest(), v.nbytes, graph.name(number)) for number, v in values if v is not None]
