"""Reading recipe text: YAML, `extends`, key=value overrides, interpolation. Knows no option's meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from exporter.errors import RecipeError

Tree = dict[str, Any]


def find_recipe(name: str) -> Path:
    """The recipe as given, or in `recipes/`. Raises RecipeError with what is there."""
    for path in (Path(name), Path("recipes") / name):
        if path.is_file():
            return path
    there = sorted(p.name for p in Path("recipes").glob("*.yaml"))
    close = get_close_matches(Path(name).name, there, n=1, cutoff=0.5)
    hint = f"did you mean recipe={close[0]}?" if close else f"there are: {', '.join(there) or 'none here'}"
    raise RecipeError(f"recipe={name}: no such file, nor recipes/{name}", hint=hint)


def read_recipe_tree(path: Path, overrides: Mapping[str, str]) -> tuple[Tree, tuple[Path, ...]]:
    """The merged, resolved tree, and the folders its file names may be relative to (own first, then parents')."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    folders: list[Path] = []
    tree = _read_with_parents(path, (), folders)
    for dotted, text in overrides.items():
        _override(tree, dotted, _yaml_value(dotted, text))
    try:
        resolved = OmegaConf.to_container(OmegaConf.create(tree), resolve=True)
    except OmegaConfBaseException as error:
        raise RecipeError(f"{path}: {str(error).splitlines()[0]}") from None
    assert isinstance(resolved, dict)
    return {str(key): value for key, value in resolved.items()}, (*dict.fromkeys(folders), Path.cwd())


def _read_with_parents(path: Path, children: tuple[Path, ...], folders: list[Path]) -> Tree:
    if path.resolve() in children:
        raise RecipeError(f"{path}: extends itself through {' → '.join(p.name for p in children)}")
    tree = _read_yaml(path)
    folders.append(path.resolve().parent)
    parent = tree.pop("extends", None)
    for key in ("stages", *([] if "targets" not in tree else ["targets"])):
        _check_shape(path, tree, key)
    if parent is None:
        return tree
    above = path.parent / str(parent)
    if not above.is_file():
        raise RecipeError(f"{path}: extends: there is no {above}")
    return merge(_read_with_parents(above, (*children, path.resolve()), folders), tree)


def _read_yaml(path: Path) -> Tree:
    import yaml

    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise RecipeError(f"{path} holds {type(tree).__name__}, not a recipe of key: value lines")
    return tree


def _check_shape(path: Path, tree: Tree, key: str) -> None:
    value = tree.get(key)
    if key == "targets" and not isinstance(value, dict):
        raise RecipeError(f"{path}: targets must be name: {{…}} lines, not {type(value).__name__}")
    if key == "stages" and value is not None and not isinstance(value, list):
        raise RecipeError(f"{path}: stages must be a list, not {type(value).__name__}")


def merge(below: Tree, above: Tree) -> Tree:
    """`above` laid over `below`: mappings merge key by key, everything else (lists too) replaces."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def _yaml_value(dotted: str, text: str) -> Any:
    """The value as OmegaConf reads it from a command line: 1e-4 is a number, null is nothing."""
    from omegaconf import OmegaConf

    parsed = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]))
    assert isinstance(parsed, dict)
    return parsed["value"]


def _override(tree: Tree, dotted: str, value: Any) -> None:
    """Set a.b.c; where the first word is a stage's name, in every place that stage stands."""
    first, *rest = dotted.split(".")
    places = list(stage_options(tree, first)) if rest and first not in tree else []
    for options in places:
        _set(options, rest, value)
    if not places:
        _set(tree, [first, *rest], value)


def _set(tree: Tree, keys: list[str], value: Any) -> None:
    for i, key in enumerate(keys[:-1]):
        below = tree.get(key)
        if below is None:
            below = tree[key] = {}
        if isinstance(below, list):
            inner = [options for entry in [{"stages": below}] for options in stage_options(entry, keys[i + 1])]
            if len(inner) != 1 or i + 2 >= len(keys):
                raise RecipeError(f"{'.'.join(keys)}: {len(inner)} stages are named {keys[i + 1]!r}, expected one")
            return _set(inner[0], keys[i + 2 :], value)
        if not isinstance(below, dict):
            raise RecipeError(f"{'.'.join(keys)}: {'.'.join(keys[: i + 1])} is {below!r}, it has no options")
        tree = below
    tree[keys[-1]] = value
    return None


def stage_options(tree: Tree, name: str) -> Iterator[Tree]:
    """The option mapping of every stage called `name`, in the recipe's own list and in its targets'."""
    lists = [tree.get("stages")]
    targets = tree.get("targets")
    if isinstance(targets, dict):
        lists += [target.get("stages") for target in targets.values() if isinstance(target, dict)]
    for stages in lists:
        stages = stages if isinstance(stages, list) else []
        for i, entry in enumerate(stages):
            if entry == name or (isinstance(entry, dict) and list(entry) == [name] and entry[name] is None):
                stages[i] = entry = {name: {}}
            if isinstance(entry, dict) and list(entry) == [name] and isinstance(entry[name], dict):
                yield entry[name]
