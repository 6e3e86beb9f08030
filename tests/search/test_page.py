"""What a search says of itself."""

from html import unescape

from exporter.recipes.space import Objective
from exporter.search.front import front_of
from exporter.search.page import markdown, page
from exporter.search.results import Pace, Trial
from exporter.search.search import Found

MS, GAIN = Objective(target="a", figure="p50_ms"), Objective(target="a", figure="gain_db")


def trial(number: int, low: float, high: float, **told) -> Trial:
    pace = {"a": Pace(ms=5.0 * (low + high), ratio=(low + high) / 2, low=low, high=high)}
    words = {"distill.student": '"<b>"'} if number else {}
    return Trial(
        number=number, point={}, words=words, figures={"a": {"gain_db": 1.0}}, pace=pace, **{"state": "kept"} | told
    )  # fmt: skip


def found(*trials: Trial) -> Found:
    own = trial(0, 1, 1)
    return Found((MS, GAIN), own, trials, tuple(front_of([own, *trials], (MS, GAIN))), None)


def test_what_was_too_noisy_to_tell_is_said():
    known = found(trial(1, 0.4, 0.6), trial(2, 1.1, 1.12), trial(3, 0.9, 0.9, state="missed", reasons=("a is late",)))
    assert known.sentence.endswith("better than the recipe's own settings; 1 of them too noisy to tell")
    text = markdown("demo 1.0", known)
    assert "2 kept, 1 missed, 0 pruned, 0 failed, 1 of the kept too noisy to be trusted" in text
    assert "| the recipe's own | 10 | 1 |" in text and "trial 1" not in text
    shown = unescape(page("demo 1.0", known))
    assert "noisy: 0.40 to 0.60 times the recipe's own" in shown and "a is late" in shown


def test_a_strangers_word_is_text():
    shown = page("demo <i>", found(trial(1, 1.1, 1.12)))
    assert "<b>" not in shown and "<i>" not in shown and "&lt;b&gt;" in shown and "<script" not in shown
    assert shown.count("<svg") == 1
