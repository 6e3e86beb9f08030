from tests.bundle.conftest import finished

__all__ = ["finished"]
