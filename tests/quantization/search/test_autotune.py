"""Which settings are taken, from errors alone."""

import numpy as np
import pytest
from pydantic import ValidationError

from exporter.quantization.search.autotune import COUNT, Judges, Study, divided
from exporter.quantization.settings import Int8Settings


def studied(table):
    """A study told errors of two judging pictures by the settings' values; 0.010 and 0.020 where nothing is said."""
    study, asked = Study(), []
    for settings in study.ask():
        asked.append(tuple(settings.chosen.values()))
        study.tell(settings, table.get(asked[-1], (0.010, 0.020)))
    return study, asked


def test_nothing_is_changed_without_a_clear_gain():
    study, asked = studied({("adaptive",): (0.0096, 0.0192), ("percentile",): (0.0101, 0.0198)})
    assert study.best.settings == Int8Settings()
    assert len(study.trials) == len(asked) == COUNT
    assert study.best is study.trials[0]


def test_ranges_are_tried_on_the_best_weights():
    study, asked = studied({(True,): (0.005, 0.010), ("percentile", True): (0.004, 0.008)})
    assert study.best.settings == Int8Settings(equalize=True, ranges="percentile")
    assert asked[-1] == ("percentile", True)


def test_a_worse_worst_picture_is_not_bought():
    assert studied({("percentile",): (0.001, 0.022)})[0].best.settings == Int8Settings()
    assert studied({("percentile",): (0.001, 0.020)})[0].best.settings == Int8Settings(ranges="percentile")


def test_figures_are_decibels_of_the_mean_square_and_of_the_worst():
    trial = studied({})[0].best
    assert trial.to_report() == {"settings": {}, "parity_db": 18.24, "worst_db": 16.99}


def test_settings_that_do_not_exist_are_refused():
    for nonsense in ({"rounding": "nonsense"}, {"ranges": "percentile", "percentile": 101}, {"equalise": True}):
        with pytest.raises(ValidationError):
            Int8Settings(**nonsense)


def test_the_float_network_is_asked_once_for_each_picture(tmp_path):
    asked = []

    def original(picture):
        asked.append(picture)
        return picture / 2

    pictures = [np.full((2, 3, 3), value, np.float32) for value in (0.25, 1.0)]
    judges = Judges(pictures, original, tmp_path)
    assert judges.errors(lambda picture: picture / 2) == [0.0, 0.0]
    assert judges.errors(lambda picture: picture / 2 + picture / 4) == [0.00390625, 0.0625]
    beyond = judges.errors(lambda picture: picture / 2 + picture)
    assert beyond == [0.0625, 0.25], "1.5 is shown as 1"
    assert len(judges) == len(asked) == 2


@pytest.mark.parametrize("images", [8, 9, 31, 32, 33, 63, 64, 100, 500])
def test_judges_have_not_been_learned_from(images):
    learn, judge = divided(images, 16, 48)
    assert not set(learn) & set(judge)
    assert len(set(learn)) == min(16, images // 2)
    assert len(set(judge)) == min(48, images - len(learn))
    assert images - max(*learn, *judge) <= max(images / 16, 1)
