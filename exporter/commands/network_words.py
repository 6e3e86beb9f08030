"""A network on the command line, and how it is built and called, in words that a recipe's `model` has, too."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from exporter.commands.words import completes
from exporter.errors import RecipeError
from exporter.files.hub_reference import FORM, SCHEME
from exporter.suggestions import likely_file, shortened

if TYPE_CHECKING:
    from pydantic import BaseModel

    from exporter.generators.interface import Carried
    from exporter.probe.wanted import Wanted

COLOURS = ("rgb", "bgr", "grey", "y", "rgba", "rggb")


def add_network(parser: argparse.ArgumentParser) -> None:
    """The network and how it is built, in words that a recipe's `model` has, too."""
    what = "package.module:Class, a name of `exporter generators`, or a checkpoint"
    completes(parser.add_argument("network", help=what), _networks)
    parser.add_argument("--kwargs", metavar="JSON", default="{}", help="arguments of the class, as a JSON object")
    parser.add_argument("--checkpoint", metavar="FILE", help=f"its weights, also {FORM}; without: random ones")
    parser.add_argument("--weights", metavar="PART", help="the part of a checkpoint that holds several networks")
    parser.add_argument("--range", metavar="LOW,HIGH", help="of the network's own values, such as -1,1")
    parser.add_argument("--multiple", type=int, metavar="PX", help="what height and width must be multiples of")
    parser.add_argument("--output", metavar="WAY", help="the picture among several outputs, such as 1 or image.0")
    parser.add_argument(
        "--inputs", metavar="JSON", default="{}", help="further arguments of forward: '{\"sigma\": 0.06}'"
    )
    parser.add_argument("--extra-channels", metavar="A,B", help="constant maps behind the picture's channels")
    parser.add_argument("--colour", choices=COLOURS, help="what the picture's channels are")
    parser.add_argument("--state", metavar="A,B", help="arguments of forward that go on from frame to frame, or JSON")
    parser.add_argument("--frames", type=int, default=1, metavar="N", help="pictures of a film that go in together")


def _networks(prefix: str, **_: object) -> list[str]:
    from argcomplete.completers import FilesCompleter

    from exporter.generators.table import GENERATORS

    return [*(known.name for known in GENERATORS), *FilesCompleter()(prefix)]


def _states(text: str | None) -> tuple[Carried, ...]:
    """`h,c` or '{"h": {"output": 1}}', as a recipe's input.state."""
    from pydantic import ValidationError

    from exporter.recipes.input import Input

    if text is None:
        return ()
    said = _json_object("--state", text) if text.lstrip().startswith("{") else dict.fromkeys(text.split(","), {})
    try:
        return Input.model_validate({"state": said}).states
    except ValidationError as error:
        raise RecipeError(f"--state: {_first(error)}") from None


def wanted_of(args: argparse.Namespace) -> Wanted:
    """What the command line names. Raises RecipeError."""
    from exporter.probe.wanted import Wanted
    from exporter.recipes.input import Input
    from exporter.recipes.model import Model

    arch, checkpoint = args.network, args.checkpoint
    if arch.startswith(SCHEME) or (":" not in arch and _is_file(arch)):
        if checkpoint:
            raise RecipeError(f"{arch} is a checkpoint already, and --checkpoint names another")
        arch, checkpoint = None, arch
    elif ":" not in arch and ("/" in arch or Path(arch).suffix):
        raise RecipeError(f"{shortened(arch)}: there is no such file{likely_file(Path(arch))}")
    return Wanted(
        arch,
        _weights(checkpoint) if checkpoint else None,
        kwargs=_json_object("--kwargs", args.kwargs),
        size=_size(getattr(args, "size", None)),
        range=_range(args.range),
        multiple=_as_in_recipe("--multiple", Model, "multiple", args.multiple) if args.multiple is not None else None,
        output=_as_in_recipe("--output", Model, "output", args.output) if args.output is not None else (),
        inputs=_as_in_recipe("--inputs", Model, "inputs", _json_object("--inputs", args.inputs)),
        extra_channels=_numbers("--extra-channels", args.extra_channels) if args.extra_channels else (),
        colour=args.colour,
        weights=args.weights,
        states=_states(args.state),
        frames=_as_in_recipe("--frames", Input, "frames", args.frames),
    )


def _weights(word: str) -> Path:
    from exporter.files.recipe_path import weights_path

    try:
        return weights_path(word)
    except ValueError as error:
        raise RecipeError(f"--checkpoint: {error}") from None


def _is_file(word: str) -> bool:
    path = Path(word)
    return path.is_file() or (path / "model.json").is_file()


def _json_object(option: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise RecipeError(
            f"{option} is not JSON: {error}", hint=f"""for example: {option} '{{"width": 32}}'"""
        ) from None
    if not isinstance(value, dict):
        raise RecipeError(f"{option} must be a JSON object, not {type(value).__name__}")
    return value


def _size(text: str | None) -> tuple[int, int] | None:
    from pydantic import ValidationError

    from exporter.recipes.input import Input

    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6})(?:[x×X](\d{1,6}))?", text.strip())
    if not found:
        raise RecipeError(f"--size: {text[:40]!r} is not HxW", hint="for example: --size 256x256")
    try:
        sides = Input(height=int(found[1]), width=int(found[2] or found[1]))
    except ValidationError as error:
        raise RecipeError(f"--size {text}: {_first(error)}") from None
    return sides.height, sides.width


def _range(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    low, *others = _numbers("--range", text)
    if len(others) != 1 or not low < others[0]:
        raise RecipeError(f"--range: {text[:40]!r} is not LOW,HIGH", hint="for example: --range=-1,1")
    return low, others[0]


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(map(float, text.split(",")))
    except ValueError:
        raise RecipeError(f"{option}: {text[:40]!r} is no list of numbers such as 0.06,0.5") from None


def _as_in_recipe(option: str, part: type[BaseModel], key: str, value: Any) -> Any:
    """`value` as a recipe reads it. Raises RecipeError in the recipe's own words."""
    from pydantic import TypeAdapter, ValidationError

    field = part.model_fields[key]
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise RecipeError(f"{option}: {_first(error)}") from None


def _first(error: Any) -> str:
    return str(error.errors()[0]["msg"]).removeprefix("Value error, ")
