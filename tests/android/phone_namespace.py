"""Runs inside `unshare`: builds a phone's root folder out of this machine's, starts the network, becomes adbd.

    python phone_namespace.py ROOT FAKES -- ADBD …

ROOT (an empty folder) becomes /: every top folder of this machine is bound into it, but /data, /sdcard and /system are
its own, so that nothing of this machine is written to. /system/bin holds the fakes. Needs a mount and a network
namespace, nothing else; the standard library only.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import uuid
from pathlib import Path

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
OWN = ("data", "sdcard", "system", "proc")


def main(root: Path, fakes: Path, adbd: list[str]) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "phone", root], check=True)
    for entry in Path("/").iterdir():
        target = root / entry.name
        if entry.is_symlink():
            target.symlink_to(entry.readlink())
        elif entry.is_dir() and entry.name not in OWN:
            target.mkdir()
            subprocess.run(["mount", "--rbind", entry, target], check=True)
    for own in ("proc", "data/local/tmp", "sdcard/Android/data", "system/bin"):
        (root / own).mkdir(parents=True)
    subprocess.run(["mount", "--rbind", "/proc", root / "proc"], check=True)
    (root / "data/boot_id").write_text(f"{uuid.uuid4()}\n")  # two phones of this machine are two
    subprocess.run(["mount", "--bind", root / "data/boot_id", root / "proc/sys/kernel/random/boot_id"], check=True)
    for fake in fakes.iterdir():
        shutil.copy(fake, root / "system/bin" / fake.name)
        (root / "system/bin" / fake.name).chmod(0o755)
    start_loopback()
    os.chroot(root)
    os.chdir("/")
    os.execve(adbd[0], adbd, {"PATH": "/system/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/", "LC_ALL": "C.UTF-8"})


def start_loopback() -> None:
    """`ip link set lo up`, without iproute2."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = bytearray(struct.pack("16sh14x", b"lo", 0))
        fcntl.ioctl(any_socket, SIOCGIFFLAGS, request)
        (flags,) = struct.unpack_from("h", request, 16)
        struct.pack_into("h", request, 16, flags | IFF_UP)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, request)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[4:])
