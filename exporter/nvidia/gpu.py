"""The NVIDIA GPU of this machine, asked through its driver: no torch, no TensorRT needed."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

DRIVER_LIBRARY = "libcuda.so.1"
_DRIVER_FILE = Path("/proc/driver/nvidia/version")
_CC_MAJOR, _CC_MINOR, _L2_BYTES = 75, 76, 38  # CUdevice_attribute


@dataclass(frozen=True, slots=True)
class Gpu:
    name: str
    uuid: str
    compute_capability: str  # "8.9"
    driver: str
    l2_bytes: int

    def __str__(self) -> str:
        return f"{self.name} (compute capability {self.compute_capability}), driver {self.driver}"


def missing_gpu() -> str | None:
    """Why there is no GPU to work on, in one line; None when there is one."""
    found = find_gpu()
    return found if isinstance(found, str) else None


@cache
def find_gpu() -> Gpu | str:
    """The first GPU, or why there is none."""
    try:
        driver = ctypes.CDLL(DRIVER_LIBRARY)
    except OSError:
        return f"there is no NVIDIA driver here ({DRIVER_LIBRARY} is not found): run on a machine with an NVIDIA GPU"
    return _ask(driver)


def _ask(driver: Any) -> Gpu | str:
    count, device = ctypes.c_int(), ctypes.c_int()
    if code := driver.cuInit(0):
        return f"the NVIDIA driver does not start (CUDA error {code}): is a GPU visible to this process?"
    if driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return "the NVIDIA driver shows no GPU to this process"
    driver.cuDeviceGet(ctypes.byref(device), 0)
    name, uuid = ctypes.create_string_buffer(256), ctypes.create_string_buffer(16)
    driver.cuDeviceGetName(name, len(name), device)
    driver.cuDeviceGetUuid(uuid, device)

    def attribute(number: int) -> int:
        value = ctypes.c_int()
        driver.cuDeviceGetAttribute(ctypes.byref(value), number, device)
        return value.value

    capability = f"{attribute(_CC_MAJOR)}.{attribute(_CC_MINOR)}"
    return Gpu(name.value.decode(), uuid.raw.hex(), capability, _driver_version(driver), attribute(_L2_BYTES))


def _driver_version(driver: Any) -> str:
    """`580.65.06` where Linux tells, else the CUDA version the driver knows."""
    if _DRIVER_FILE.exists():
        words = _DRIVER_FILE.read_text().split()
        for word in words:
            if word.count(".") in (1, 2) and word.replace(".", "").isdigit():
                return word
    version = ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(version))
    return f"CUDA {version.value // 1000}.{version.value % 1000 // 10}"
