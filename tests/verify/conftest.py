import pytest

from tests.runtimes.tiny_models import TinyFiles


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyFiles:
    # One folder for all test packages of a session: TensorFlow need not convert twice.
    return TinyFiles(tmp_path_factory.getbasetemp() / "tiny-models")
