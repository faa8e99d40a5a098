"""A compartment model in numpy: resting state, steady and transient response to a current.

Solves many models of one shape class at once: every array is (compartments, models).  It
stands beside NEURON, not on it, so that a measurement on a sample cell has a known answer.
"""

from __future__ import annotations

import numpy as np

from tools.sample.cells import biophysics, channels
from tools.sample.cells.channels import CHANNELS
from tools.sample.cells.morphology import APIC, AXON, CONTOUR_POINTS, DEND, Tree

PER_SECTION = 3  # compartments of a dendritic section
STUB_UM = 30.0
_LIST_OF = {DEND: 1, APIC: 2}  # index into biophysics.SECTION_LISTS; soma 0, axon 3


class Cable:
    """The passive frame of models that share a branching pattern, and their densities."""

    def __init__(self, trees: list[Tree], tables: list[tuple[biophysics.Density, ...]]):
        kind, parent_of = trees[0].kind, trees[0].parent
        sections = np.flatnonzero((kind == DEND) | (kind == APIC))
        length = np.array([t.length_um for t in trees]).T
        diameter = np.array([t.diameter_um for t in trees]).T
        start = np.array([t.distance_um for t in trees]).T

        parent, lists = [-1], [0]
        lengths, diameters, middle = [length[0]], [diameter[0]], [length[0] / 2]
        last = {0: 0}
        for s in sections:
            for k in range(PER_SECTION):
                parent.append(last[parent_of[s]] if k == 0 else len(parent) - 1)
                lists.append(_LIST_OF[kind[s]])
                lengths.append(length[s] / PER_SECTION)
                diameters.append(diameter[s])
                middle.append(start[s] + (k + 0.5) * length[s] / PER_SECTION)
            last[s] = len(parent) - 1
        near, far = stub_diameters(trees)
        for k, thick in enumerate((near, far)):
            parent.append(0 if k == 0 else len(parent) - 1)
            lists.append(3)
            lengths.append(np.full_like(thick, STUB_UM))
            diameters.append(thick)
            middle.append(length[0] + (k + 0.5) * STUB_UM)

        self.parent, self.lists = np.array(parent), np.array(lists)
        lengths, diameters = np.array(lengths), np.array(diameters)
        self.distance = np.array(middle)
        self.area = np.pi * diameters * lengths  # um2
        self.area[0] *= contour_share()
        self.capacity = 1e-5 * biophysics.CM * self.area  # nF
        self.axial = self._axial(lengths, diameters)  # uS, to the parent
        self.batches = self._batches()
        self.density = self._densities(tables)

    def _axial(self, lengths, diameters):
        half = 1e-2 * biophysics.RA * (lengths / 2) / (np.pi / 4 * diameters**2)  # MOhm
        half[0] = 0.0  # neurites sit on the middle of the soma
        out = np.zeros_like(half)
        out[1:] = 1 / (half[1:] + half[self.parent[1:]])
        return out

    def _batches(self):
        """Children and parents to eliminate together: by depth, no parent twice in a batch."""
        depth = np.zeros(len(self.parent), int)
        rank = np.zeros(len(self.parent), int)
        seen: dict[int, int] = {}
        for i in range(1, len(self.parent)):
            p = self.parent[i]
            depth[i] = depth[p] + 1
            rank[i] = seen.get(p, 0)
            seen[p] = rank[i] + 1
        groups: dict[tuple[int, int], list[int]] = {}
        for i in range(1, len(self.parent)):
            groups.setdefault((-depth[i], rank[i]), []).append(i)
        nodes = [np.array(groups[key]) for key in sorted(groups)]
        return [(n, self.parent[n]) for n in nodes]

    def _densities(self, tables):
        shape = (len(biophysics.SECTION_LISTS), len(tables))
        table: dict[str, np.ndarray] = {}
        growing = np.zeros(shape, bool)
        for column, rows in enumerate(tables):
            for d in rows:
                place = (biophysics.SECTION_LISTS.index(d.section_list), column)
                table.setdefault(d.parameter, np.zeros(shape))[place] = d.value
                if d.growing:
                    growing[place] = True
        out = {name: values[self.lists] for name, values in table.items()}
        if "gIhbar_Ih" in out:
            base, gain, rate = biophysics.GROWING_RULE
            rule = base + gain * np.exp(self.distance * rate)
            out["gIhbar_Ih"] = out["gIhbar_Ih"] * np.where(growing[self.lists], rule, 1.0)
        return out

    # -- linear algebra on the tree (Hines 1984) ---------------------------------------------

    def factor(self, diagonal):
        """Eliminate the branches once; the result solves for any right-hand side."""
        d = diagonal + self.axial
        for nodes, parents in self.batches:
            d[parents] += self.axial[nodes]
        share = np.zeros_like(d)
        for nodes, parents in self.batches:
            share[nodes] = self.axial[nodes] / d[nodes]
            d[parents] -= share[nodes] * self.axial[nodes]
        return d, share

    def solve(self, factored, rhs):
        """Solve (diagonal + axial) x = rhs."""
        d, share = factored
        x = rhs.copy()
        for nodes, parents in self.batches:
            x[parents] += share[nodes] * x[nodes]
        x[0] /= d[0]
        for nodes, parents in reversed(self.batches):
            x[nodes] = x[nodes] / d[nodes] + share[nodes] * x[parents]
        return x

    def axial_current(self, v):
        """Current that leaves each compartment along the tree, nA."""
        flow = np.zeros_like(v)
        flow[1:] = self.axial[1:] * (v[1:] - v[self.parent[1:]])
        out = flow.copy()
        for nodes, parents in self.batches:
            out[parents] -= flow[nodes]
        return out

    # -- membrane ----------------------------------------------------------------------------

    def used(self, channel):
        """Compartments that have a channel in any model."""
        density = self.density.get(channel.parameter)
        return np.flatnonzero(density.any(axis=1)) if density is not None else np.array([], int)

    def membrane_current(self, v):
        """Steady-state current through the membrane, nA (outward positive)."""
        out = self.density["g_pas"] * (v - self.density["e_pas"])
        for channel in CHANNELS:
            if channel.ion != "ca" and len(at := self.used(channel)):
                g = self.density[channel.parameter][at] * channel.scale
                out[at] += g * channels.open_fraction(channel, v[at]) * (v[at] - channel.reversal)
        self._add_calcium(v, out)
        return 1e-2 * self.area * out

    def _add_calcium(self, v, out):
        if "decay_CaDynamics_E2" not in self.density:
            return
        at, inward, sk = self._calcium(v)
        out[at] += inward + sk * (v[at] - biophysics.EK)

    def _calcium(self, v):
        """Where calcium is followed; its steady current and the SK conductance it opens."""
        decay = self.density["decay_CaDynamics_E2"]
        at = np.flatnonzero(decay.any(axis=1))
        gain = 1e4 * self.density["gamma_CaDynamics_E2"][at] * decay[at]
        gain = gain / (2 * channels.FARADAY * channels.SHELL_um)
        g = np.zeros_like(v[at])
        for channel in CHANNELS:
            if channel.ion == "ca" and channel.parameter in self.density:
                g += self.density[channel.parameter][at] * channels.open_fraction(channel, v[at])
        calcium = np.full_like(v[at], channels.CA_REST_mM)
        for _ in range(4):  # the reversal potential depends on the calcium it lets in
            inward = g * (v[at] - channels.calcium_reversal(calcium))
            calcium = channels.CA_REST_mM - gain * np.minimum(inward, 0)
        return at, inward, self.density["gSK_E2bar_SK_E2"][at] * channels.sk_fraction(calcium)

    def steady(self, current_nA=0.0, start=None):
        """Voltage at which a constant somatic current is balanced, (compartments, models)."""
        v = np.full_like(self.area, -72.0) if start is None else start.copy()
        for _ in range(30):
            here = self.membrane_current(v)
            slope = (self.membrane_current(v + 1e-3) - here) / 1e-3
            residual = here + self.axial_current(v)
            residual[0] -= current_nA
            step = self.solve(self.factor(slope), -residual)
            v += np.clip(step, -5, 5)
            if np.abs(step).max() < 1e-7:
                break
        return v

    def clamp(self, somatic_mV, start):
        """Steady state with the soma held at a voltage.

        Returns the voltages, (compartments, models), and the current in nA that holds it.
        """
        v = start.copy()
        v[0] = somatic_mV
        for _ in range(20):
            here = self.membrane_current(v)
            slope = (self.membrane_current(v + 1e-3) - here) / 1e-3
            slope[0] = 1e12
            residual = here + self.axial_current(v)
            residual[0] = 0.0
            step = self.solve(self.factor(slope), -residual)
            v += np.clip(step, -10, 10)
            if np.abs(step).max() < 1e-5:
                break
        return v, (self.membrane_current(v) + self.axial_current(v))[0]

    # -- linear response ---------------------------------------------------------------------

    def relax(self, rest, displaced, duration_ms: float, dt_ms: float = 0.1):
        """Somatic deflection (mV) after the current that displaced the cell is switched off.

        Linear, with slopes taken a third of the way from `rest` to `displaced` because that is
        where the cell is on the way back; every gate, and SK with its calcium, relaxes at its
        own pace.  Returns (steps + 1, models).
        """
        x = displaced - rest
        between = rest + x / 3
        conductance, gates = self._gates(between)
        if "decay_CaDynamics_E2" in self.density:
            at, _, sk = self._calcium(rest)
            slope = (self._calcium(displaced)[2] - sk) / x[at]
            conductance[at] += 1e-2 * self.area[at] * sk
            weight = 1e-2 * self.area[at] * slope * (between[at] - biophysics.EK)
            gates.append((at, weight, self.density["decay_CaDynamics_E2"][at]))
        # each gate is written as the voltage that its present value belongs to
        lags = [[at, weight, np.exp(-dt_ms / tau), x[at]] for at, weight, tau in gates]
        factored = self.factor(conductance + self.capacity / dt_ms)
        soma = [x[0]]
        for _ in range(round(duration_ms / dt_ms)):
            rhs = self.capacity / dt_ms * x
            for lag in lags:
                at, weight, keep, voltage = lag
                lag[3] = x[at] + (voltage - x[at]) * keep
                rhs[at] -= weight * lag[3]
            x = self.solve(factored, rhs)
            soma.append(x[0])
        return np.array(soma)

    def _gates(self, state):
        """Conductance (uS) at a state, and for each gate where it is, weight (uS), tau (ms)."""
        conductance = 1e-2 * self.area * self.density["g_pas"]
        gates = []
        for channel in CHANNELS:
            at = self.used(channel)
            if not len(at):
                continue
            v = state[at]
            calcium = channel.ion == "ca"
            reversal = (
                channels.calcium_reversal(channels.CA_REST_mM) if calcium else channel.reversal
            )
            g = 1e-2 * self.area[at] * self.density[channel.parameter][at] * channel.scale
            g = g * channels.open_fraction(channel, v)
            conductance[at] += g
            for gate, power in channel.gates:
                value, tau = gate(v)
                slope = (gate(v + 1e-3)[0] - value) / 1e-3
                gates.append((at, g * (v - reversal) * power / value * slope, tau))
        return conductance, gates


def contour_share(n_slices: int = 21) -> float:
    """Area NEURON gives a soma drawn as a circle, over that of the sphere.

    Its import puts 21 discs along the contour's main axis, the first and last half as wide as
    their neighbours, and adds up the frusta between them.
    """
    reach = np.cos(np.pi / CONTOUR_POINTS)  # of the polygon that the contour is
    x = np.linspace(-reach, reach, n_slices)
    radius = np.sqrt(np.maximum(reach**2 - x**2, 0))
    radius[[0, -1]] = radius[[1, -2]] / 2
    steps = np.hypot(np.diff(x), np.diff(radius))
    return float(np.pi * (radius[1:] + radius[:-1]) @ steps / (4 * np.pi))


def stub_diameters(trees: list[Tree]):
    """Diameters of the two cylinders that replace the axon: at its start and beyond 60 µm."""
    near, far = [], []
    for tree in trees:
        axon = tree.of(AXON)
        middle = tree.distance_um[axon] + tree.length_um[axon] / 2
        beyond = axon[middle > 60]
        near.append(tree.diameter_um[axon[0]])
        far.append(tree.diameter_um[beyond[0] if len(axon) > 1 and len(beyond) else axon[0]])
    return np.array(near), np.array(far)
