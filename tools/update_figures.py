"""Writes the figures of the last export and of the benchmarks into README and docs/, between their markers.

    .venv/bin/python tools/update_figures.py dist/mobile_deblur-0.1.0
    .venv/bin/python tools/update_figures.py      # the support matrix alone

Reads the bundle's report, benchmarks/*.json and exporter/generators/support_matrix.json.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from exporter.bundle.report_file import Promise
from exporter.commands.generators import TITLES, read_verdicts
from exporter.figures import fixed
from exporter.judge.verdicts import Status, tally

REPO = Path(__file__).parent.parent
PAGES = {"summary": REPO / "README.md", "matrix": REPO / "docs/networks.md", "measured": REPO / "docs/verified.md"}


def main(bundle: Path | None) -> None:
    _put("matrix", support_matrix())
    if bundle is not None:
        _put("summary", _summary(_read(bundle / "report" / "report.json")))
        _put("measured", _measured())


def support_matrix() -> str:
    """Architectures by targets; what is refused, or takes an option, has a number, and its sentence below the table."""
    verdicts, notes = read_verdicts(), list[str]()
    rows = [
        (f"`{name}`", *(_mark(targets.get(target), notes) for target in TITLES)) for name, targets in verdicts.items()
    ]
    below = "\n".join(f"{number}. {note}" for number, note in enumerate(notes, 1))
    return f"{_table(('architecture', *TITLES.values()), rows)}\n\n{below}".rstrip()


def _mark(cell: dict[str, str] | None, notes: list[str]) -> str:
    """✓, "no" or "–" (not measured), with the number of its note."""
    if cell is None:
        return "–"
    option = re.search(r"\(with (.*)\)$", cell["reason"])
    note = f"with `{option[1]}`" if cell["status"] == "ok" and option else cell["reason"]
    if cell["status"] == "ok" and not option:
        return "✓"
    if note not in notes:
        notes.append(note)
    return f"{'✓' if cell['status'] == 'ok' else 'no'} <sup>{notes.index(note) + 1}</sup>"


def _summary(report: dict[str, Any]) -> str:
    titles = ("target", "runtime", "parity, worst", "gain", "lost to the float model", "median call", "size")
    rows = [
        (
            target["name"],
            target["runtime"],
            f"{target['parity']['worst_psnr_db']:.1f} dB",
            f"{fixed(target['quality']['gain_db'], 2, sign=True)} dB",
            f"{fixed(target['quality']['loss_db'], 3)} dB",
            f"{target['latency']['p50_ms']:.1f} ms",
            f"{target['model']['size_bytes'] / 1e3:.0f} kB",
        )
        for target in report["targets"]
    ]
    return f"{_table(titles, rows)}\n\n{promises(report)}; 256×256 px, two threads."


def promises(report: dict[str, Any]) -> str:
    """What the tool says of these promises at the end of a run, with the engines of `also_on` and without them."""
    judged = [Promise.model_validate(entry) for entry in report["promises"]]
    own = {target["name"]: target["runtime"] for target in report["targets"]}
    further = [p for p in judged if p.runtime != own[p.target]]
    absent = [p.model_copy(update={"status": Status.NOT_MEASURED, "demanded": False}) for p in further]
    without = tally([*(p for p in judged if p not in further), *absent])
    said = tally(judged).headline
    said = said[:1].upper() + said[1:]
    if not further:
        return said
    engines = f"{len(further)} of them on engines that `make runtimes` installs"
    return f"{said}, {engines}; without these it says “{without.headline}”"


def _measured() -> str:
    recipe, conversion = _read(REPO / "benchmarks/default_recipe.json"), _read(REPO / "benchmarks/conversion.json")
    ms, seconds = conversion["latency_p50_ms"], conversion["seconds"]
    whole, files = "`benchmarks/default_recipe.py`", "`benchmarks/conversion.py`"
    answers = f"{recipe['unchanged_run_s']:.1f} s · {recipe['plan_s']:.2f} s · {recipe['bad_recipe_s']:.2f} s"
    conversions = f"{seconds['ours']:.1f} s against {seconds['onnx2tf plain']:.1f} s"
    rows = [
        ("default recipe", f"{recipe['first_run_s']:.0f} s, peak {recipe['peak_memory_mb'] / 1e3:.1f} GB", whole),
        ("unchanged re-run · `plan` · a bad recipe", answers, whole),
        (
            "ONNX → fp32, fp16, INT8, against `onnx2tf -oiqt`",
            f"{conversions}: {conversion['conversion_speedup']}×",
            files,
        ),
        (
            "INT8 file against its fp32 sibling, LiteRT CPU",
            f"{ms['ours int8']} ms against {ms['ours fp32']} ms: {conversion['int8_speedup_over_own_fp32']}×",
            files,
        ),
        ("… against `onnx2tf -oiqt` of the same student", f"{conversion['int8_speedup_over_onnx2tf_plain']}×", files),
        (
            "… against `onnx2tf -oiqt` of a hard-swish MobileNetV3 student as it is",
            f"{conversion['int8_speedup_over_onnx2tf_hard_swish']}×",
            files,
        ),
    ]
    machine = f"{recipe['environment']['cores']} cores of {recipe['environment']['cpu']}, {recipe['date']}"
    return f"On {machine}; `make bench` measures again.\n\n{_table(('question', 'answer', 'script'), rows)}"


def _table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (titles, ("---",) * len(titles), *rows))


def _put(marker: str, content: str) -> None:
    page = PAGES[marker]
    pattern = rf"(<!-- {marker}:begin -->\n).*?(<!-- {marker}:end -->)"
    text = re.sub(pattern, lambda match: f"{match[1]}{content}\n{match[2]}", page.read_text(), flags=re.DOTALL)
    page.write_text(text)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else None)
