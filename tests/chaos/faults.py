"""How is a disk made small, full, broken or slow under a running process?"""

import contextlib
import os
import pathlib
import shutil
import subprocess

from house import wait_until


@contextlib.contextmanager
def small_disk(folder, size):
    """A disk of its own at `folder`, made and mounted. Only root may do that; without it the test fails and says so."""
    assert os.geteuid() == 0, "a disk of its own is mounted by root; run as root, or leave this out with -k 'not disk'"
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "leadgate-chaos", folder], check=True)
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


class Disk:
    def __init__(self, folder):
        self.folder = folder
        self.ballast = folder / "ballast"

    def fill(self, leave=0):
        """Takes all but `leave` bytes, a page at a time at the end: others are writing, too."""
        with self.ballast.open("ab", buffering=0) as ballast:
            for step in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while shutil.disk_usage(self.folder).free > leave:
                        os.posix_fallocate(ballast.fileno(), os.fstat(ballast.fileno()).st_size, step)

    def free(self):
        self.ballast.unlink()


@contextlib.contextmanager
def tampered_sync(house, how, file=None):
    """Every fsync of the process behaves as `how` says (strace's words), or only those of one file of its data."""
    said = house.folder / "strace.txt"
    only = ["-P", house.data / file] if file else []
    line = ["strace", "-f", "-qq", "-o", said, *only, "-e", "trace=fsync", "-e", f"inject=fsync:{how}"]
    tracer = subprocess.Popen([*line, "-p", str(house.process.pid)], stderr=subprocess.PIPE)
    try:
        wait_until(lambda: is_traced(house.process.pid) or tracer.poll() is not None, 10)
        assert tracer.poll() is None, f"strace refused: {tracer.stderr.read().decode()}"
        yield said
    finally:
        tracer.terminate()
        tracer.wait(20)
        tracer.stderr.close()


def is_traced(pid):
    """Every thread of it."""
    try:
        tasks = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
        return all("TracerPid:\t0\n" not in (task / "status").read_text() for task in tasks)
    except FileNotFoundError:
        return False
