"""Disks of the tests' own that fill, turn read-only, and lose their power: a tmpfs, and ext4 in a file."""

import contextlib
import fcntl
import functools
import os
import struct
import subprocess

from .places import scratch

_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
_NO_LOG_FLUSH = 2  # what was not synced is lost, the file system's own log too


def _call(*argv):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise OSError(f"{' '.join(map(str, argv))}: {done.stderr.strip()}")


class _Disk:
    def __init__(self):
        self.path = scratch("disk")
        self.mount()

    def remove(self):
        subprocess.run(["umount", "--lazy", self.path], check=False, stderr=subprocess.DEVNULL, timeout=60)

    def read_only(self, on=True):
        """Where nobody writes."""
        _call("mount", "-o", f"remount,{'ro' if on else 'rw'}", self.path)


class Small(_Disk):
    """It has so many megabytes."""

    def __init__(self, megabytes):
        self._size = f"size={megabytes}m"
        super().__init__()

    def mount(self):
        _call("mount", "-t", "tmpfs", "-o", self._size, "tmpfs", self.path)

    def resize(self, megabytes):
        _call("mount", "-o", f"remount,size={megabytes}m", self.path)


class Real(_Disk):
    """With a log, and a cache that is lost with its power."""

    def __init__(self, megabytes=256):
        self._image = scratch("image") / "disk"
        with open(self._image, "wb") as file:
            file.truncate(megabytes << 20)
        _call("mkfs.ext4", "-q", self._image)
        super().__init__()

    def mount(self):
        _call("mount", "-o", "loop,errors=remount-ro", self._image, self.path)

    def _device(self):
        with open("/proc/self/mounts", encoding="utf-8") as file:
            return next(os.path.basename(line.split()[0]) for line in file if line.split()[1] == str(self.path))

    def break_down(self):
        """It finds a fault of its own, and turns read-only under those who write."""
        with open(f"/sys/fs/ext4/{self._device()}/trigger_fs_error", "w", encoding="ascii") as file:
            file.write("1")

    def lose_power(self):
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(folder)

    def mount_again(self):
        """What is on it, on a new one: the old may still be mounted in another namespace, and would be given again."""
        self.remove()
        new = scratch("image") / "disk"
        _call("cp", "--sparse=always", self._image, new)
        self._image.unlink()
        self._image = new
        self.mount()


@contextlib.contextmanager
def disk(kind, *arguments):
    made = kind(*arguments)
    try:
        yield made
    finally:
        made.remove()


@functools.cache
def fault(kind):
    """Why there can be none of this kind here; None: there can."""
    if os.geteuid() != 0:
        return "mounting needs root"
    try:
        with disk(kind, 16):
            return None
    except (OSError, subprocess.SubprocessError) as e:
        return f"no disk can be mounted here: {e}"
