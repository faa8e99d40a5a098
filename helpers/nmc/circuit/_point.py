"""Compiled loops of point neurons: one neuron under steps of current, and a network.

Units: ms, mV, nA, nF, µS.  A neuron's parameters are one row: capacitance, leak, rest, threshold,
slope, reset, adaptation's jump (nA), its time constant, refractory time.
"""

from __future__ import annotations

import numpy as np
from numba import njit

SPIKE_MV = -20.0
NMDA_MS = (0.29, 43.0)
GABAB_MS = (3.5, 260.9)
RISE_MS = 0.2


@njit(cache=True)
def _step(v, w, current, p, fall, fade):
    """One exponential-Euler step; `fall`, `fade`: what is left of deflection and adaptation."""
    kick = p[4] * np.exp(min((v - p[3]) / p[4], 12.0))
    target = p[2] + (current - w) / p[1] + kick
    return target + (v - target) * fall, w * fade


@njit(cache=True)
def run_step(p, hold, amplitude, start, stop, dt):
    """Spike times (ms) and voltage under a holding current and a step from start to stop."""
    n = int(round(stop / dt))
    v, w, quiet = p[2], 0.0, 0.0
    fall, fade = np.exp(-dt * p[1] / p[0]), np.exp(-dt / p[7])
    times = np.empty(int(stop))
    trace = np.empty(n)
    count = 0
    for k in range(n):
        t = k * dt
        current = hold + (amplitude if t >= start else 0.0)
        if quiet > 0:
            quiet -= dt
            w *= fade
        else:
            v, w = _step(v, w, current, p, fall, fade)
            if v > SPIKE_MV and count < len(times):
                times[count] = t
                count += 1
                v = p[5]
                w += p[6]
                quiet = p[8]
        trace[k] = v
    return times[:count], trace


@njit(cache=True)
def _draw(state, k):
    """Uniform number of a contact's own stream (xorshift64*)."""
    x = state[k]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[k] = x
    return np.float64((x * np.uint64(2685821657736338717)) >> np.uint64(11)) / 9007199254740992.0


@njit(cache=True)
def _release(link, t, slot, links, contacts, dynamics, state, ring):
    """Let the contacts of a connection release, as the packages' two-state synapses do."""
    first, post = links[link, 1], links[link, 2]
    for k in range(first, first + links[link, 3]):
        U, D, F = contacts[k, 0], contacts[k, 1], contacts[k, 2]
        if F > 0:
            u = dynamics[k, 0] * np.exp(-(t - dynamics[k, 1]) / F)
            u += U * (1 - u)
        else:
            u = U
        dynamics[k, 0] = u
        dynamics[k, 1] = t
        if dynamics[k, 2] == 0:
            if _draw(state, k) > np.exp(-(t - dynamics[k, 3]) / D):
                dynamics[k, 2] = 1
            else:
                dynamics[k, 3] = t
        if dynamics[k, 2] == 1 and _draw(state, k) < u:
            dynamics[k, 2] = 0
            dynamics[k, 3] = t
            kind = 0 if contacts[k, 5] > 0 else 2
            ring[slot, post, kind] += contacts[k, 3]
            ring[slot, post, kind + 1] += contacts[k, 4]


@njit(cache=True, nogil=True)
def run_network(
    cells, drive, taus, reversals, pointer, links, contacts, state, events, event_links,
    recorded, steps, dt,
):  # fmt: skip
    """Run the network; returns spike times, who spiked, and recorded voltages.

    ``pointer`` (N + 1) a sender's rows of ``links`` (delay in steps, first contact, receiver,
    contacts); ``contacts`` (U, D, F, fast weight, slow weight, excitatory); ``events`` a step's
    rows of ``event_links``; ``reversals`` GABA-A, GABA-B, magnesium (mM).
    """
    n = len(cells)
    depth = links[:, 0].max() + 2 if len(links) else 2
    ring = np.zeros((depth, n, 4))
    dynamics = np.zeros((len(contacts), 4))
    dynamics[:, 2] = 1
    g = np.zeros((n, 8))  # rise and decay of AMPA, NMDA, GABA-A, GABA-B
    decay = np.empty((n, 8))
    for i in range(n):
        times = (RISE_MS, taus[i, 0], NMDA_MS[0], NMDA_MS[1],
                 RISE_MS, taus[i, 1], GABAB_MS[0], GABAB_MS[1])  # fmt: skip
        for k in range(8):
            decay[i, k] = np.exp(-dt / times[k])
    fall, fade = np.exp(-dt * cells[:, 1] / cells[:, 0]), np.exp(-dt / cells[:, 7])
    v, w, quiet = cells[:, 2].copy(), np.zeros(n), np.zeros(n)
    out_t, out_i = np.empty(n * steps // 10 + 10), np.empty(n * steps // 10 + 10, np.int64)
    traces = np.empty((len(recorded), steps))
    count = 0
    for step in range(steps):
        t, slot = step * dt, step % depth
        for k in range(events[step], events[step + 1]):
            _release(event_links[k], t, slot, links, contacts, dynamics, state, ring)
        for i in range(n):
            for k in range(8):
                g[i, k] = g[i, k] * decay[i, k] + ring[slot, i, k // 2]
            ampa, nmda = g[i, 1] - g[i, 0], g[i, 3] - g[i, 2]
            fast, slow = g[i, 5] - g[i, 4], g[i, 7] - g[i, 6]
            ring[slot, i] = 0.0
            if quiet[i] > 0:
                quiet[i] -= dt
                w[i] *= fade[i]
                continue
            nmda /= 1 + np.exp(-0.062 * v[i]) * reversals[i, 2] / 3.57
            current = drive[i] - (ampa + nmda) * v[i]
            current -= fast * (v[i] - reversals[i, 0]) + slow * (v[i] - reversals[i, 1])
            v[i], w[i] = _step(v[i], w[i], current, cells[i], fall[i], fade[i])
            if v[i] > SPIKE_MV:
                v[i] = cells[i, 5]
                w[i] += cells[i, 6]
                quiet[i] = cells[i, 8]
                if count < len(out_t):
                    out_t[count], out_i[count] = t, i
                    count += 1
                for link in range(pointer[i], pointer[i + 1]):
                    at = (step + max(links[link, 0], 1)) % depth
                    _release(link, t, at, links, contacts, dynamics, state, ring)
        for k in range(len(recorded)):
            traces[k, step] = v[recorded[k]]
    return out_t[:count], out_i[:count], traces
