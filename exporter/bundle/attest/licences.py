"""Licences as CycloneDX says them: an SPDX expression where the text is one, else the text as a name."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata

_LONGEST_NAME = 100  # some packages write the licence itself where its name belongs


def licence_choice(names: Sequence[str]) -> list[dict[str, object]]:
    """The value of `licenses` for something of which each of `names` covers a part; empty when there is none."""
    expressions = [_spdx(name) for name in names]
    known = [expression for expression in expressions if expression]
    if not names or len(known) < len(names):
        return [{"license": {"name": name}} for name in names]
    return [{"expression": known[0] if len(known) == 1 else " AND ".join(map(_one_operand, known))}]


def library_licences(name: str, version: str) -> tuple[str, ...]:
    """What the package that is installed here says of its licence; empty when it is another version, or silent."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return ()
    if _field(said, "Version") != version:
        return ()
    if expression := _field(said, "License-Expression"):
        return (expression,)
    kinds = [line.rpartition(" :: ")[2] for line in said.get_all("Classifier") or () if line.startswith("License ::")]
    line = _field(said, "License").strip()
    if line and "\n" not in line and len(line) <= _LONGEST_NAME and (_spdx(line) or not kinds):
        return (line,)
    return tuple(kinds)


def _field(said: PackageMetadata, name: str) -> str:
    """Empty without it: where importlib_metadata is loaded it answers for the standard library, and raises."""
    return next(iter(said.get_all(name) or ()), "")


def _spdx(text: str) -> str | None:
    """`text` as a canonical SPDX expression; None when it is none."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        return None


def _one_operand(expression: str) -> str:
    return f"({expression})" if " " in expression else expression
