"""Tasks that misbehave, for the worker's tests."""

import os
import signal
import time

import numpy as np


def fine(params, report):
    print("noise")
    report(0.5)
    return {"twice": 2 * params["x"]}, {"a": np.arange(3.0)}


def slow(params, report):
    time.sleep(60)
    return {}, {}


def hungry(params, report):
    keep = bytearray(400_000_000)
    time.sleep(20)
    return {"n": len(keep)}, {}


def crash(params, report):
    os.kill(os.getpid(), signal.SIGSEGV)


def leave(params, report):
    from neuron import h

    h("quit()")


def fails(params, report):
    from nmc.errors import PackageError

    raise PackageError("L5_X: the reason")


def breaks(params, report):
    return 1 / 0
