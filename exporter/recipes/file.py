"""Reading recipe text: YAML, `extends`, key=value overrides, the line of every value. Knows no option's meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.errors import RecipeError
from exporter.failures import WRONG_PATH, pass_on
from exporter.files.yaml_text import BadYaml, Lines, Path_, read_scalar, read_yaml
from exporter.suggestions import did_you_mean, nearest, shortened

Tree = dict[str, Any]
MAX_BYTES = 1_000_000
MAX_PARENTS = 20
COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class RecipeTree:
    """A recipe as written, merged: `places` say where each value stands, `folders` where its file names may lie."""

    values: Tree
    places: Mapping[Path_, str]
    folders: tuple[Path, ...]  # own first, then parents'
    path: Path

    def place(self, *path: str | int) -> str:
        """`demo.yaml:12`, or `command line`, for a value or the nearest one above it that is written somewhere."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return str(self.path)


def find_recipe(name: str) -> Path:
    """The recipe as given, or in `recipes/`. Raises RecipeError with what is there."""
    for path in (Path(name), Path("recipes") / name):
        if _is_file(path):
            return path
    there = {path.name: path for folder in (Path(name).parent, Path("recipes")) for path in _recipes(folder)}
    close = nearest(Path(name).name, there, cutoff=0.5)
    known = ", ".join(sorted(there)[:20]) or "none here"
    hint = f"did you mean recipe={_shortest(there[close])}?" if close else f"there are: {known}"
    raise RecipeError(f"recipe={shortened(name)}: no such file, nor recipes/{shortened(name)}", hint=hint)


def _shortest(path: Path) -> Path:
    """As it may be named on a command line: what lies in `recipes/` needs no folder."""
    return Path(path.name) if path.parent == Path("recipes") else path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a loop of links, a folder that may not be looked into
        return False


def _recipes(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.glob("*.yaml") if path.name[0] != ".")
    except (OSError, ValueError):
        return []


def read_recipe_tree(path: Path, overrides: Mapping[str, str]) -> RecipeTree:
    """`path` with what it extends below it and `overrides` on top. Raises RecipeError."""
    folders: list[Path] = []
    places: dict[Path_, str] = {}
    tree = _read_with_parents(path, (), folders, places)
    for dotted, text in overrides.items():
        _override(tree, places, dotted, _value(dotted, text))
    found = RecipeTree(tree, places, (*dict.fromkeys(folders), Path.cwd()), path)
    _refuse_interpolation(found, tree, ())
    return found


def _read_with_parents(path: Path, children: tuple[Path, ...], folders: list[Path], places: dict[Path_, str]) -> Tree:
    """The merged tree; `places` of a child lie over those of its parent."""
    real = path.resolve()
    if real in children:
        chain = " → ".join(child.name for child in (*children[children.index(real) :], real))
        raise RecipeError(f"{path}: extends itself: {chain}")
    if len(children) > MAX_PARENTS:
        raise RecipeError(f"{path}: more than {MAX_PARENTS} recipes extend one another")
    tree, lines = _read_file(path)
    folders.append(real.parent)
    parent = tree.pop("extends", None)
    if parent is not None:
        at = f"{path}:{lines['extends',]}: extends"
        if not isinstance(parent, str):
            raise RecipeError(f"{at}: takes one file name, not {parent!r}")
        above = path.parent / parent
        if not _is_file(above):
            raise RecipeError(f"{at}: there is no {above}", hint=_nearest_file(above))
        tree = merge(_read_with_parents(above, (*children, real), folders, places), tree)
    for where in [where[:-1] for where in lines if where[-1:] == (0,)]:
        _forget(places, where)  # a list replaces its parent's
    places |= {where: f"{path}:{line}" for where, line in lines.items()}
    return tree


def _nearest_file(missing: Path) -> str:
    close = nearest(missing.name, [path.name for path in _recipes(missing.parent)], cutoff=0.5)
    return f"did you mean {close}?" if close else ""


def _read_file(path: Path) -> tuple[Tree, Lines]:
    try:
        content = path.read_bytes() if path.stat().st_size <= MAX_BYTES else None
    except OSError as error:
        pass_on(error, path, but=WRONG_PATH)
        raise RecipeError(f"{path} cannot be read: {error.strerror}") from None
    if content is None:
        raise RecipeError(f"{path} is larger than {MAX_BYTES} bytes; that is no recipe")
    try:
        tree, lines = read_yaml(content.decode("utf-8-sig"))
    except BadYaml as error:
        raise RecipeError(f"{path}:{error.line}: {error}" if error.line else f"{path}: {error}") from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} is not text in UTF-8: byte {error.start} is {content[error.start]:#04x}") from None
    if not isinstance(tree, dict):
        held = "nothing" if tree is None else kind_of(tree)
        raise RecipeError(f"{path} holds {held}, not a recipe of key: value lines")
    return tree, lines


def kind_of(value: Any) -> str:
    """What a value is, in the words of YAML."""
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "key: value lines"
    if isinstance(value, list | tuple):
        return "a list"
    shown = shortened(repr(value))
    return f"text {shown}" if isinstance(value, str) else shown


def merge(below: Tree, above: Tree) -> Tree:
    """`above` laid over `below`: mappings merge key by key, everything else (lists too) replaces."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def _refuse_interpolation(tree: RecipeTree, value: Any, path: Path_) -> None:
    """`${…}` once took values from the environment: what a recipe holds goes into bundles, so it holds only itself."""
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            _refuse_interpolation(tree, child, (*path, key))
    elif isinstance(value, str) and "${" in value:
        key = shortened(".".join(map(str, path)))
        raise RecipeError(
            f"{tree.place(*path)}: {key}: '${{' is refused, a value stands for itself alone",
            hint="write the value out, or give it on the command line: key=value",
        )


def _value(dotted: str, text: str) -> Any:
    """What stands behind `=`: YAML where it begins as a list, mapping or quotes; else one word, number or text.

    `description=a: b: c` is text: only a file has lines.
    """
    try:
        return read_yaml(text)[0] if text[:1] in ("[", "{", '"', "'") else read_scalar(text)
    except BadYaml as error:
        raise RecipeError(
            f"{shortened(dotted)}={shortened(text)}: {error}",
            hint="text that begins like this stands in quotes: key='\"[…\"'",
        ) from None


def _override(tree: Tree, places: dict[Path_, str], dotted: str, value: Any) -> None:
    """Set a.b.c; where the first word is a stage's name, in every place that stage stands."""
    keys = dotted.split(".")
    if not all(keys):
        raise RecipeError(f"{shortened(dotted)!r} is no key: words with single dots between them")
    first, rest = keys[0], keys[1:]
    found = list(stage_options(tree, first)) if rest and first not in tree else []
    for path, options in found:
        _set(options, rest, value, places, path)
    if not found:
        _set(tree, keys, value, places, ())


def _set(tree: Tree, keys: list[str], value: Any, places: dict[Path_, str], path: Path_) -> None:
    dotted = shortened(".".join(keys))
    for i, key in enumerate(keys[:-1]):
        below = tree.get(key)
        path = (*path, key)
        if below is None:
            below = tree[key] = {}
            places[path] = COMMAND_LINE
        if isinstance(below, list):
            if i + 2 >= len(keys):
                raise RecipeError(
                    f"{dotted}: {shortened('.'.join(keys[: i + 1]))} is a list; name a stage's option or all of it"
                )
            inner = list(stage_options({"stages": below}, keys[i + 1]))
            if len(inner) != 1:
                names = [word for stage in below for word in ([stage] if isinstance(stage, str) else stage)]
                meant = did_you_mean(keys[i + 1], map(str, names)) if not inner else ""
                raise RecipeError(
                    f"{dotted}: {len(inner)} stages are named {shortened(keys[i + 1])!r}, expected one{meant}"
                )
            (_, *place), options = inner[0]
            return _set(options, keys[i + 2 :], value, places, (*path, *place))
        if not isinstance(below, dict):
            raise RecipeError(f"{dotted}: {shortened('.'.join(keys[: i + 1]))} is {kind_of(below)}, it has no options")
        tree = below
    tree[keys[-1]] = value
    _forget(places, (*path, keys[-1]))
    places[*path, keys[-1]] = COMMAND_LINE
    return None


def _forget(places: dict[Path_, str], path: Path_) -> None:
    """What lay at `path` and below it has been replaced."""
    for inside in [known for known in places if known[: len(path)] == path]:
        del places[inside]


def stage_options(tree: Tree, name: str) -> Iterator[tuple[Path_, Tree]]:
    """Path and option mapping of every stage called `name`, in the recipe's own list and in its targets'."""
    lists: list[tuple[Path_, Any]] = [(("stages",), tree.get("stages"))]
    targets = tree.get("targets")
    if isinstance(targets, dict):
        entries = [(key, target) for key, target in targets.items() if isinstance(target, dict)]
        lists += [(("targets", key, "stages"), target.get("stages")) for key, target in entries]
    for path, stages in lists:
        stages = stages if isinstance(stages, list) else []
        for i, entry in enumerate(stages):
            if entry == name or (isinstance(entry, dict) and list(entry) == [name] and entry[name] is None):
                stages[i] = entry = {name: {}}
            if isinstance(entry, dict) and list(entry) == [name] and isinstance(entry[name], dict):
                yield (*path, i, name), entry[name]
