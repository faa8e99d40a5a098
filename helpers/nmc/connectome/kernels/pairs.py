"""Pairs of neurons: all of them by distance, half a billion binned as they are formed; and graphs
drawn at random, uniform with m connections, with every in- and out-degree kept, or with the number
of connections in every class of pairs: its pathway (the groups of its two neurons) and the bin of
its distance.
"""

from __future__ import annotations

import numpy as np
from numba import get_num_threads, njit, prange

#: Connections from which on a round of trades is worth waking the threads.
WORTH_THREADS = 100_000
#: Three-cycles looked for in a round, at most; as many as there are neurons in small graphs.
MOST_TURNS = 1000


def gnm(n: int, m: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw one of all directed graphs with n neurons and m connections, each equally likely.

    Repeats and a random surplus are thrown away: by symmetry every set of m pairs stays equally
    likely (Erdős and Rényi 1959; Batagelj and Brandes 2005).
    """
    pairs = n * (n - 1)
    if not 0 <= m <= pairs:
        raise ValueError(f"{n} neurons have {pairs} ordered pairs; {m} connections cannot be.")
    if 2 * m > pairs:  # nearly full: draw the pairs that are left out
        full = np.ones(pairs, np.bool_)
        full[_distinct(pairs, pairs - m, rng)] = False
        codes = np.flatnonzero(full)
    else:
        codes = _distinct(pairs, m, rng)
    row, column = np.divmod(codes, max(n - 1, 1))
    column += column >= row  # the pair of a neuron with itself has no code
    indptr = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(row, minlength=n), out=indptr[1:])
    return indptr, column.astype(np.int32)


def _distinct(pairs: int, m: int, rng: np.random.Generator) -> np.ndarray:
    """Draw m different numbers below `pairs`, ascending; at most half of them."""
    codes = np.empty(0, np.int64)
    while codes.size < m:
        missing = m - codes.size
        more = rng.integers(0, pairs, missing + 10 + int(1.1 * missing * m / pairs))
        codes = np.sort(np.concatenate([codes, more]))
        codes = codes[np.append(True, codes[1:] != codes[:-1])]
    surplus = rng.choice(codes.size, codes.size - m, replace=False, shuffle=False)
    return np.delete(codes, surplus)


def enough_rounds(n: int) -> int:
    """Return how many rounds mix a graph of n neurons: a fixed number of trades, at least 20."""
    return max(20, -(-10_000 // max(n, 1)))


def curveball(
    indptr: np.ndarray, indices: np.ndarray, rounds: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Randomise connections by trades of whole out-lists; every degree is kept.

    In a round all neurons pair up; two partners pool the targets that only one of them has and
    deal them out again (Carstens et al. 2018, MethodsX 5:773, and ESA 2018).  Trades alone do not
    reach graphs to which only the reversal of a directed three-cycle leads; with reversals every
    graph of these degrees is reached (Rao, Jana and Bandyopadhyay 1996, Sankhya A 58:225), all
    equally often, as each step is as likely as its reverse.  The seed decides, not the threads.
    """
    indices, indptr = np.array(indices, np.int32), np.array(indptr, np.int64)
    n = indptr.size - 1
    tasks = get_num_threads() if indices.size >= WORTH_THREADS else 1
    # Two lists at most are pooled: room for them, before any task begins.
    room = int(np.sort(np.diff(indptr))[-2:].sum())
    pools, tags = np.empty((tasks, room), np.int32), np.empty((tasks, room), np.int8)
    order, state = np.arange(n), np.uint64(seed)
    turns = min(n, MOST_TURNS)
    if tasks == 1:
        _rounds(indptr, indices, order, state, rounds, turns, pools[0], tags[0])
        return indptr, indices
    for _ in range(rounds):
        state = np.uint64(_shuffle(order, state))
        _trade_all(indptr, indices, order, state, pools, tags)
        state = np.uint64(_turn_cycles(indptr, indices, state, turns))
    return indptr, indices


@njit(cache=True)
def next_random(state):
    """Step the splitmix64 generator; return its new state and 53 bits as a number in [0, 1)."""
    state += np.uint64(0x9E3779B97F4A7C15)
    z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state, np.float64((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@njit(cache=True)
def _rounds(indptr, indices, order, state, rounds, turns, pool, tag):
    """Do all rounds in one thread: waking others would take longer."""
    for _ in range(rounds):
        state = _shuffle(order, state)
        _trade_some(indptr, indices, order, state, 0, order.size // 2, pool, tag)
        state = _turn_cycles(indptr, indices, state, turns)


@njit(cache=True)
def _shuffle(order, state):
    """Bring the neurons into random order (Fisher and Yates); return the generator's state."""
    for i in range(order.size - 1, 0, -1):
        state, u = next_random(state)
        j = int(u * (i + 1))
        order[i], order[j] = order[j], order[i]
    return state


@njit(cache=True)
def _trade_some(indptr, indices, order, seed, start, stop, pool, tag):
    """Let the neurons ``order[2t]`` and ``order[2t + 1]`` trade, for t from start to stop."""
    for t in range(start, stop):
        a, b = order[2 * t], order[2 * t + 1]
        row_a = indices[indptr[a] : indptr[a + 1]]
        row_b = indices[indptr[b] : indptr[b + 1]]
        state, _ = next_random(np.uint64(seed) + np.uint64(t) * np.uint64(0xD1342543DE82EF95))
        _trade(a, b, row_a, row_b, state, pool, tag)


@njit(cache=True, parallel=True)
def _trade_all(indptr, indices, order, seed, pools, tags):
    """Share the trades of a round among tasks; each pair has random numbers of its own."""
    trades, tasks = order.size // 2, pools.shape[0]
    for c in prange(tasks):
        start, stop = trades * c // tasks, trades * (c + 1) // tasks
        _trade_some(indptr, indices, order, seed, start, stop, pools[c], tags[c])


@njit(cache=True)
def _trade(a, b, row_a, row_b, state, pool, tag):
    """Merge two ascending lists and deal what is in one only; tag 1 of a, 2 of b, 3… stays."""
    p = q = size = only_a = only_b = 0
    while p < row_a.size or q < row_b.size:
        if q == row_b.size or (p < row_a.size and row_a[p] < row_b[q]):
            pool[size], tag[size] = row_a[p], 1
            p += 1
        elif p == row_a.size or row_b[q] < row_a[p]:
            pool[size], tag[size] = row_b[q], 2
            q += 1
        else:
            pool[size], tag[size] = row_a[p], 3
            p += 1
            q += 1
        if pool[size] == a or pool[size] == b:
            tag[size] += 3  # may not move: it would connect to itself
        only_a += tag[size] == 1
        only_b += tag[size] == 2
        size += 1
    p = q = 0
    for s in range(size):
        to_a = to_b = True
        if tag[s] == 1 or tag[s] == 2:
            state, u = next_random(state)
            to_a = u * (only_a + only_b) < only_a
            to_b = not to_a
            only_a -= to_a
            only_b -= to_b
        elif tag[s] != 3:
            to_a, to_b = tag[s] != 5, tag[s] != 4
        if to_a:
            row_a[p] = pool[s]
            p += 1
        if to_b:
            row_b[q] = pool[s]
            q += 1


@njit(cache=True)
def _place(indptr, indices, i, target):
    """Return where in the list of `i` a target stands, or would, and whether it does."""
    row = indices[indptr[i] : indptr[i + 1]]
    k = np.searchsorted(row, target)
    return indptr[i] + k, k < row.size and row[k] == target


@njit(cache=True)
def _turn_cycles(indptr, indices, state, tries):
    """Try connections a→b→c and turn a three-cycle of one-way connections round.

    A cycle is met as often as its reverse: that depends on the out-degrees, which stay.
    """
    if indices.size == 0:
        return state
    for _ in range(tries):
        state, u = next_random(state)
        state, w = next_random(state)
        e = np.int64(u * indices.size)
        a = np.searchsorted(indptr, e, side="right") - 1
        b = indices[e]
        state, still = next_random(state)
        # Half of the tries do nothing: a chain that must move comes back at even steps only.
        if still < 0.5 or indptr[b] == indptr[b + 1]:
            continue
        f = indptr[b] + np.int64(w * (indptr[b + 1] - indptr[b]))
        c = indices[f]
        g, closed = _place(indptr, indices, c, a)
        if not closed:
            continue
        if (
            _place(indptr, indices, b, a)[1]
            or _place(indptr, indices, c, b)[1]
            or _place(indptr, indices, a, c)[1]
        ):
            continue
        _put(indptr, indices, a, e, c)
        _put(indptr, indices, b, f, a)
        _put(indptr, indices, c, g, b)
    return state


@njit(cache=True)
def _put(indptr, indices, i, at, target):
    """Put another target in the place `at` of the list of `i`, which stays ascending."""
    first, last = indptr[i], indptr[i + 1] - 1
    while at > first and indices[at - 1] > target:
        indices[at] = indices[at - 1]
        at -= 1
    while at < last and indices[at + 1] < target:
        indices[at] = indices[at + 1]
        at += 1
    indices[at] = target


@njit(cache=True)
def swap_pairs(indptr, indices, tries, seed):
    """Exchange the targets of two connections, both one-way or both reciprocal, in place.

    Only where no pair was connected in any way; every step is as likely as its reverse.
    """
    state, m = seed, indices.size
    for _ in range(tries):
        state, u = next_random(state)
        state, w = next_random(state)
        e, f = np.int64(u * m), np.int64(w * m)
        a = np.searchsorted(indptr, e, side="right") - 1
        c = np.searchsorted(indptr, f, side="right") - 1
        b, d = indices[e], indices[f]
        if a == c or b == d or a == d or b == c:
            continue
        back_e, both = _place(indptr, indices, b, a)
        back_f, others = _place(indptr, indices, d, c)
        if (
            both != others
            or _place(indptr, indices, a, d)[1]
            or _place(indptr, indices, d, a)[1]
            or _place(indptr, indices, c, b)[1]
            or _place(indptr, indices, b, c)[1]
        ):
            continue
        _put(indptr, indices, a, e, d)
        _put(indptr, indices, c, f, b)
        if both:
            _put(indptr, indices, b, back_e, c)
            _put(indptr, indices, d, back_f, a)
    return _turn_cycles(indptr, indices, state, tries)


@njit(cache=True, parallel=True)
def pairs_by_distance(x, y, z, starts, width, bins, tasks):
    """Count unordered pairs by groups and distance bin; no distance is kept.

    Bin b holds ``b·width ≤ d < (b + 1)·width``, the last all that is farther; a distance is taken
    as on the edge when short of it by less than rounding (10⁻¹² of it).  Neurons of a group stand
    together, from `starts` on; only ``[g, h]`` with ``g ≤ h`` of the result is filled.
    """
    n, groups = x.size, starts.size - 1
    per_width = over(width)
    counts = np.zeros((tasks, groups, groups, bins), np.int64)
    all_where = np.empty((tasks, n), np.int32)  # an allocation inside a task can fail unseen
    for c in prange(tasks):
        where = all_where[c]
        for i in range(c, n, tasks):
            g = np.searchsorted(starts, i, side="right") - 1
            _bin_row(x[i], y[i], z[i], x[i + 1 :], y[i + 1 :], z[i + 1 :], per_width, bins, where)
            for h in range(g, groups):
                tally = counts[c, g, h]
                for b in where[max(starts[h] - i - 1, 0) : starts[h + 1] - i - 1]:
                    tally[b] += 1
    return counts.sum(axis=0)


@njit(cache=True, inline="always")
def over(width):
    """Return one over the width: a multiplication costs less than a division a pair."""
    return (1 + 1e-12) / width


@njit(cache=True, inline="always")
def distance_bin(dx, dy, dz, per_width, bins):
    """Return the bin of a distance, for every measure and null model the same."""
    return np.int32(min(np.sqrt(dx * dx + dy * dy + dz * dz) * per_width, bins - 1.0))


@njit(cache=True)
def _bin_row(x0, y0, z0, x, y, z, per_width, bins, where):
    """Write the distance bin of every point seen from one."""
    for j in range(x.size):
        where[j] = distance_bin(x[j] - x0, y[j] - y0, z[j] - z0, per_width, bins)


@njit(cache=True, parallel=True)
def connections_by_distance(indptr, indices, x, y, z, groups, n_groups, width, bins, tasks):
    """Count connections by pre group, post group and distance bin, as `pairs_by_distance` does."""
    n = x.size
    per_width = over(width)
    counts = np.zeros((tasks, n_groups, n_groups, bins), np.int64)
    for c in prange(tasks):
        for i in range(c, n, tasks):
            tally = counts[c, groups[i]]
            for j in indices[indptr[i] : indptr[i + 1]]:
                b = distance_bin(x[j] - x[i], y[j] - y[i], z[j] - z[i], per_width, bins)
                tally[groups[j], b] += 1
    return counts.sum(axis=0)


@njit(cache=True, parallel=True)
def draw_classes(x, y, z, starts, width, bins, pairs, connections, seed, tasks):
    """Draw a graph uniformly among those with so many connections in each class.

    A pair is taken with probability (still wanted) / (still to come) of its class, Knuth's
    selection sampling (The Art of Computer Programming 2, 3.4.2, algorithm S), which makes every
    such graph equally likely.  Each presynaptic group has random numbers of its own: the seed
    decides, not the number of tasks.  `pairs` and `connections` are used up.
    """
    n, groups, per_width = x.size, starts.size - 1, over(width)
    n_out = np.zeros(n, np.int64)
    firsts = np.zeros(groups + 1, np.int64)
    for g in range(groups):
        firsts[g + 1] = firsts[g] + connections[g].sum()
    targets = np.empty(firsts[groups], np.int32)
    all_where = np.empty((tasks, n), np.int32)  # an allocation inside a task can fail unseen
    for c in prange(tasks):
        where = all_where[c]
        for g in range(c, groups, tasks):
            state, at = np.uint64(seed) + np.uint64(g) * np.uint64(0xD1342543DE82EF95), firsts[g]
            for i in range(starts[g], starts[g + 1]):
                before = at
                _bin_row(x[i], y[i], z[i], x, y, z, per_width, bins, where)
                for h in range(groups):
                    left, wanted = pairs[g, h], connections[g, h]
                    for j in range(starts[h], starts[h + 1]):
                        b = where[j]
                        if wanted[b] and i != j:
                            state, u = next_random(state)
                            if u * left[b] < wanted[b]:
                                targets[at] = j
                                at += 1
                                wanted[b] -= 1
                            left[b] -= 1
                n_out[i] = at - before
    return n_out, targets


@njit(cache=True)
def _offset_row(x0, y0, z0, x, y, z, width, n_aside, n_up, where):
    """Write in which bin aside and up every point lies, seen from one; the last is outside."""
    per_width = over(width)
    for j in range(x.size):
        aside = distance_bin(x[j] - x0, 0.0, z[j] - z0, per_width, n_aside + 1)
        up = np.floor((y[j] - y0) / width) + n_up
        inside = aside < n_aside and 0 <= up < 2 * n_up
        where[j] = aside * 2 * n_up + np.int32(up) if inside else n_aside * 2 * n_up


@njit(cache=True, parallel=True)
def pairs_by_offset(indptr, indices, x, y, z, width, n_aside, n_up, tasks):
    """Count ordered pairs, and connections, by horizontal distance and height; last the farther."""
    n = x.size
    counts = np.zeros((tasks, 2, n_aside * 2 * n_up + 1), np.int64)
    all_where = np.empty((tasks, n), np.int32)  # an allocation inside a task can fail unseen
    for c in prange(tasks):
        where, pairs, connections = all_where[c], counts[c, 0], counts[c, 1]
        for i in range(c, n, tasks):
            _offset_row(x[i], y[i], z[i], x, y, z, width, n_aside, n_up, where)
            for b in where:
                pairs[b] += 1
            pairs[where[i]] -= 1
            for j in indices[indptr[i] : indptr[i + 1]]:
                connections[where[j]] += 1
    return counts.sum(axis=0)
