"""Runs one target in this process, and ends this process's group when its parent is gone.

Run as a script, by a Python that may know nothing of this package: standard library only.

    python -I launcher.py PARENT_PID FOLDERS TARGET [ARGUMENT ...]

FOLDERS are added to the end of the import path: a JSON list, `[]` for none. TARGET is `module` or `module:function`.
The parent holds the other end of standard input. However it ends, even by SIGKILL, that end closes.
"""

import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
import threading
import time

CHECK_SECONDS = 1.0
# Every so many rounds of collecting garbage, the old objects are looked at too: this takes long.
_ROUNDS_OF_YOUNG = 30


def main() -> None:
    """Watch the parent from a thread, then become the target."""
    parent, folders, target, *arguments = sys.argv[1:]
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # the target must not eat the lifeline
    threading.Thread(target=_watch, args=(lifeline, int(parent)), daemon=True).start()
    if sys.version_info < (3, 12):
        gc.disable()
        threading.Thread(target=_collect, daemon=True).start()
    sys.path += json.loads(folders)
    module, _, function = target.partition(":")
    sys.argv = [module, *arguments]
    if function:
        getattr(importlib.import_module(module), function)()
    else:
        runpy.run_module(module, run_name="__main__", alter_sys=True)


def _collect() -> None:
    """Have garbage collected in the main thread, between two of its steps, as Python does from 3.12 on.

    Before, it collects wherever something is allocated, also half-way through setting a context variable. Where a
    finalizer then sets another one, the process dies of a segmentation fault (github.com/python/cpython/issues/148891).
    LiteLLM died so, about once in fifteen runs. This thread must not collect either: what it would free belongs to the
    event loop (uvloop's handles), and no other thread may touch that.
    """
    due = True

    def collect(_nothing: int | None) -> int:
        nonlocal due
        due = True
        gc.collect(1 if rounds % _ROUNDS_OF_YOUNG else 2)
        return 0

    rounds, called = 0, ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(collect)
    while True:
        time.sleep(CHECK_SECONDS)
        if due:
            due = False
            rounds += 1
            ctypes.pythonapi.Py_AddPendingCall(called, None)


def _watch(lifeline: int, parent: int) -> None:
    try:
        while _parent_is_there(lifeline, parent):
            pass
    finally:
        _end()


def _parent_is_there(lifeline: int, parent: int) -> bool:
    if os.name == "posix":
        # Asking who the parent is covers a lifeline that another child of the parent inherited.
        if os.getppid() != parent:
            return False
        if not select.select([lifeline], [], [], CHECK_SECONDS)[0]:
            return True
    return os.read(lifeline, 1024) != b""


def _end() -> None:
    """Nothing here is worth a slow goodbye: end at once, with everything this process started."""
    if os.name == "posix":
        os.killpg(os.getpgid(0), signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main()
