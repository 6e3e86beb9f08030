"""A report as flat figures, and back."""

from __future__ import annotations

from exporter.tracking.figures import LONGEST_NAME, figures_of


def test_every_field_has_its_name() -> None:
    document = {
        "verdict": "kept",
        "exit_code": 0,
        "targets": [
            {"name": "int8", "parity": {"worst_psnr_db": 48.1}},
            {"name": "fp32", "parity": {"reason": "absent"}},
        ],
        "samples_ms": [2.5, 2.75],
        "shapes": [[1, 64, 64, 3], []],
        "findings": [{"rule": "a"}, {"rule": "b"}],
        "excused": None,
        "demanded": True,
        "infinite": "inf",
        "notes": {},
    }
    found = figures_of(document, {})
    assert found.numbers == {
        "exit_code": ((0, 0.0),),
        "targets/int8/parity/worst_psnr_db": ((0, 48.1),),
        "samples_ms": ((0, 2.5), (1, 2.75)),
        "shapes/0": ((0, 1.0), (1, 64.0), (2, 64.0), (3, 3.0)),
    }
    assert found.texts == {
        "verdict": "kept",
        "targets/int8/name": "int8",
        "targets/fp32/name": "fp32",
        "targets/fp32/parity/reason": "absent",
        "shapes/1": "[]",
        "findings/0/rule": "a",
        "findings/1/rule": "b",
        "excused": "null",
        "demanded": "true",
        "infinite": "inf",
        "notes": "{}",
    }


def test_a_number_that_no_double_holds_is_a_text() -> None:
    found = figures_of({"seed": 2**63 - 1, "huge": 10**400, "fine": 2**60}, {})
    assert found.texts == {"seed": "9223372036854775807", "huge": "1" + "0" * 400}
    assert found.numbers == {"fine": ((0, float(2**60)),)}


def test_curves_keep_their_steps() -> None:
    lines = [{"step": 10, "pixel": 0.5}, {"step": 20, "pixel": 0.25, "psnr_db": 30.0}]
    found = figures_of({}, {"distill": lines})
    assert found.numbers == {
        "training/distill/pixel": ((10, 0.5), (20, 0.25)),
        "training/distill/psnr_db": ((20, 30.0),),
    }


def test_names_are_such_as_trackers_take_and_no_two_are_alike() -> None:
    found = figures_of({"a:b": 1, "a*b": 2, "..": {"x" * 400: 3}, "é": "ü"}, {})
    names = [*found.numbers, *found.texts]
    assert names[:2] == ["a_b", "a_b-2"] and names[2].startswith("_/xxx") and names[3] == "_"
    assert len(set(names)) == 4 and max(map(len, names)) == LONGEST_NAME
