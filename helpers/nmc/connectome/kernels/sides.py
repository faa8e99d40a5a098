"""The sides of directed simplices: of how many in each dimension every connection is part.

The simplices that begin with one source are those among its targets, one neuron larger.  A walk
takes their first neurons until 64 at most may follow: from there sets of neurons are words of
bits.  Three of a set are counted by comparing bits, not one by one; how many simplices of a set
each of its neurons is part of goes to the set before, as a row of 64 numbers added at once.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from nmc.connectome.kernels.simplices import (
    BITS,
    IN_WORD,
    ONE,
    WORD,
    ZERO,
    _neighbourhood,
    _rooms,
    extract,
    popcount,
    prefetch,
)

ALL, THREE = ~ZERO, np.uint64(3)
#: Numbers of 64 times 64 connections: a square, and a line of memory, so that those of all sizes
#: of a connection do not compete for the same places of the cache.
SQUARE = np.uint64(64 * 64 + 16)
#: Numbers of a connection are asked for so many turns ahead.
SOON = np.uint64(16)


@intrinsic
def add_row(typing_context, to, at, what, first):
    """Add ``what[first : first + 64]`` to ``to[at : at + 64]``."""

    def generate(context, builder, signature, arguments):
        rows = []
        for k in (0, 2):
            data = make_array(signature.args[k])(context, builder, arguments[k]).data
            kind = ir.VectorType(context.get_data_type(signature.args[k].dtype), 64)
            rows.append(builder.bitcast(builder.gep(data, [arguments[k + 1]]), kind.as_pointer()))
        old, more = (builder.load(row, align=1) for row in rows)
        builder.store(builder.add(old, more), rows[0], align=1)
        return context.get_dummy_value()

    return types.void(to, types.uint64, what, types.uint64), generate


@intrinsic
def add_shared(typing_context, to, at, what):
    """Add to ``to[at]``, to which other tasks may add at the same time."""

    def generate(context, builder, signature, arguments):
        data = make_array(signature.args[0])(context, builder, arguments[0]).data
        builder.atomic_rmw("add", builder.gep(data, [arguments[1]]), arguments[2], "monotonic")
        return context.get_dummy_value()

    return types.void(to, types.uint64, to.dtype), generate


@njit(cache=True, parallel=True)
def count_sides(indptr, indices, room, limit, sides, met):
    """Count, for every connection, the simplices of each dimension from 2 on it is part of.

    Row k of `sides` (columns, connections) is dimension k + 1; all tasks add to it.  `met` (tasks,
    columns + 2) are the simplices of dimension 0, 1, …; where there are larger ones than `sides`
    has rows for, its last is not 0.  Then, and where one is `limit`, `sides` is no result.
    """
    n, (columns, _), tasks = indptr.size - 1, sides.shape, len(met)
    all_inside, all_place, all_starts, all_edges, all_bits, _, _, _ = _rooms(
        tasks, indices, n, room
    )
    wide, levels = (room[0] + 63) >> 6, columns + 2
    all_ins, all_ids = np.empty_like(all_bits), np.empty((tasks, 3, room[1] + 1), np.uint32)
    all_among = np.empty((tasks, 2, levels, wide), np.uint64)
    all_own = np.zeros((tasks, 2, room[0] + 64), np.uint64)
    all_table = np.zeros((tasks, columns, room[1] + 1), sides.dtype)
    all_words = np.zeros((tasks, 10, max(levels, 64)), np.uint64)
    all_pairs = np.zeros((tasks, levels * SQUARE), sides.dtype)
    all_more = np.zeros((tasks, levels, levels, 64), sides.dtype)
    all_totals = np.zeros((tasks, levels, levels), np.uint64)
    for c in prange(tasks):
        inside, place, starts, edges = all_inside[c], all_place[c], all_starts[c], all_edges[c]
        bits, ins, ids, table, here = all_bits[c], all_ins[c], all_ids[c], all_table[c], met[c]
        among, left, path = all_among[c, 0], all_among[c, 1], all_words[c, 9]
        own, to = all_own[c, 0], all_own[c, 1]
        store = all_words[c], all_pairs[c], all_more[c], all_totals[c]
        for v in range(c, n, tasks):
            if here[columns + 1] or here.max() >= limit:
                continue
            here[0] += 1
            first, targets = np.uint64(indptr[v]), np.uint64(indptr[v + 1] - indptr[v])
            words = _neighbourhood(v, indptr, indices, inside, place, starts, edges, bits, ids[0])
            local = words, starts, bits, ins
            _count_three(targets, local, edges, left, table, here)
            deepest = _walk(targets, local, among, left, path, to, store, table, here)
            _spread(first, targets, starts, edges, ids, deepest, table, own, sides)


@njit(cache=True, forceinline=True)
def _may_go_on(own, most):
    """Say whether a neuron may have three after it, of `own` pairs, `most` after one of them."""
    return own >= THREE and most > ONE


@njit(cache=True)
def _count_three(targets, local, edges, left, table, met):
    """Count two and three targets by comparing bits; `left` are those whom four may begin with."""
    words, starts, bits, ins = local
    ins[: targets * words] = 0
    for a in range(targets):
        for e in range(starts[a], starts[a + ONE]):
            ins[edges[e] * words + (a >> WORD)] |= ONE << (a & IN_WORD)
    for w in range(words):
        left[0, w] = ZERO
    for a in range(targets):
        most = own = ZERO
        for e in range(starts[a], starts[a + ONE]):
            b = np.uint64(edges[e])
            others = after = ZERO
            for w in range(words):
                out_a, in_b = bits[a * words + w], ins[b * words + w]
                others += popcount(ins[a * words + w] & in_b) + popcount(out_a & in_b)
                after += popcount(out_a & bits[b * words + w])
            table[1, e], table[2, e] = ONE, others + after
            own += after
            most |= after
        met[3] += np.int64(own)
        left[0, a >> WORD] |= np.uint64(_may_go_on(own, most)) << (a & IN_WORD)
    met[1] += np.int64(targets)
    met[2] += np.int64(starts[targets])


@njit(cache=True)
def _walk(targets, local, among, left, path, to, store, table, met):
    """Count the simplices of four targets of a source and more: all in `met`, and of each side.

    Row k of `table` has those of k + 1 targets.  Returns of how many targets the largest is.
    """
    words, _, bits, _ = local
    columns, totals, depth, deepest = len(table), store[3], 0, 3
    for w in range(words):
        among[0, w] = ALL
    while True:
        size = ZERO
        while size == ZERO:
            k = ZERO
            while k < words and left[depth, k] == ZERO:
                k += ONE
            if k == words:
                if depth == 0:
                    return deepest
                depth -= 1
                continue
            word = left[depth, k]
            left[depth, k] = word & (word - ONE)
            x = (k << WORD) + popcount((word ^ left[depth, k]) - ONE)
            for w in range(words):
                among[depth + 1, w] = among[depth, w] & bits[x * words + w]
                size += popcount(among[depth + 1, w])
            path[depth] = x
            depth += int(size != ZERO)
        most, least = 1, max(1, 4 - depth)
        for w in range(words):
            left[depth, w] = among[depth, w] if size > BITS else ZERO
        if ONE < size <= BITS:
            most = _count_in_word(depth, size, local, among, to, store, table)
        if depth + most > columns:
            met[columns + 1] = 1
            return 0
        totals[0, 1] = size
        for r in range(least, most + 1):
            met[depth + r] += np.int64(totals[0, r])
        if most >= least:
            _credit_path(depth, size, least, most, local, among, path, to, store, table)
            deepest = max(deepest, depth + most)


@njit(cache=True)
def _count_in_word(depth, size, local, among, to, store, table):
    """Count simplices of those `among` the targets, 64 at most, that have two of them or more.

    Returns of how many the largest is.
    """
    words, _, bits, ins = local
    small, pairs, more, totals = store
    rows, cols, members, masks, shifts, places, sets, left, last, _ = small
    used = shift = number = ZERO
    for w in range(words):
        if among[depth, w]:
            masks[used], shifts[used], places[used] = among[depth, w], shift, w
            shift += popcount(among[depth, w])
            used += ONE
    totals[0, 2] = ZERO
    for k in range(used):
        word = masks[k]
        while word:
            rest = word & (word - ONE)
            x = (places[k] << WORD) + popcount((word ^ rest) - ONE)
            word, row, col = rest, ZERO, ZERO
            for w in range(used):
                row |= extract(bits[x * words + places[w]], masks[w]) << shifts[w]
                col |= extract(ins[x * words + places[w]], masks[w]) << shifts[w]
            rows[number], cols[number], members[number] = row, col, x
            more[0, 2, number] = popcount(row) + popcount(col)
            totals[0, 2] += popcount(row)
            number += ONE
    room, d, sets[0] = np.uint64(len(table) - depth), ZERO, ALL >> (BITS - size)
    totals[0, 3], left[0], touched = _count_triples(d, sets[0], rows, cols, pairs, more)
    if totals[0, 2] == ZERO or depth == 1 and totals[0, 3] == ZERO:
        return 1
    deep = totals[:, 0]
    deep[0] = THREE if totals[0, 3] else THREE - ONE
    while d or left[0]:
        if left[d]:
            word, deeper = left[d], d + ONE
            left[d] = word & (word - ONE)
            last[deeper] = popcount((word ^ left[d]) - ONE)
            sets[deeper] = sets[d] & rows[last[deeper]]
            total, left[deeper], some = _count_triples(
                deeper, sets[deeper], rows, cols, pairs, more
            )
            if total:
                touched |= some
                d, totals[deeper, 3], deep[deeper] = deeper, total, THREE
                if d + THREE > room:
                    return len(table) + 1
        else:
            for r in range(THREE, deep[d] + ONE):
                _pass_on(d, r, last[d], pairs, more, totals)
            d -= ONE
    counted = rows, members, pairs
    least = THREE if depth == 1 else THREE - ONE
    for x in range(size if depth > 1 else ZERO):
        touched |= np.uint64(rows[x] != ZERO) << x
    _credit_pairs(depth, least, deep[0], touched, local, among, to, counted, table)
    return np.int64(deep[0])


@njit(cache=True, forceinline=True)
def _count_triples(d, some, rows, cols, pairs, more):
    """Count three of `some`: for each connection before, between and after its ends, for each end.

    Returns how many there are, whom three may follow, and whose connections are in one.
    """
    total = left = touched = ZERO
    for x in range(BITS):
        more[d, 3, x] = 0
    word = some
    while word:
        rest = word & (word - ONE)
        bit = word ^ rest
        x, word, own, of_any, most = popcount(bit - ONE), rest, ZERO, ZERO, ZERO
        out, before = some & rows[x], some & cols[x]
        those, at = out, (d + THREE) * SQUARE + (x << WORD)
        while those:
            rest = those & (those - ONE)
            y, those = popcount((those ^ rest) - ONE), rest
            after = popcount(out & rows[y])
            behind = after + popcount(out & cols[y])
            count = behind + popcount(before & cols[y])
            pairs[at + y] += count
            more[d, 3, y] += behind
            own += after
            most |= after
            of_any |= count
        more[d, 3, x] += own
        total += own
        left |= bit if _may_go_on(own, most) else ZERO
        touched |= bit if of_any else ZERO
    return total, left, touched


@njit(cache=True, forceinline=True)
def _pass_on(d, r, c, pairs, more, totals):
    """Credit a set's simplices of r to the connections of `c` before it, and to the set before.

    Of how many the largest of a set is stands in ``totals[d, 0]``.
    """
    before, row, levels = d - ONE, r + ONE, np.uint64(more.shape[1])
    at = (d * levels + r) << WORD
    add_row(pairs, (d + r) * SQUARE + (c << WORD), more, at)
    if totals[before, 0] == r:
        totals[before, 0], totals[before, row] = row, ZERO
        for x in range(BITS):
            more[before, row, x] = 0
    add_row(more, (before * levels + row) << WORD, more, at)
    more[before, row, c] += totals[d, r]
    totals[before, row] += totals[d, r]


@njit(cache=True)
def _credit_pairs(depth, least, most, touched, local, among, to, counted, table):
    """Credit the connections of those `among` the targets with what is counted of them."""
    rows, members, pairs = counted
    while touched:
        rest = touched & (touched - ONE)
        c = popcount((touched ^ rest) - ONE)
        touched, word, i = rest, rows[c], ZERO
        _find(members[c], depth, among, local, to)
        while word:
            rest = word & (word - ONE)
            x, e = popcount((word ^ rest) - ONE), to[i]
            word = rest
            i += ONE
            for r in range(least, most + ONE):
                at = r * SQUARE + (c << WORD) + x
                count = np.uint64(pairs[at]) if r >= THREE else ONE
                if count == ZERO:
                    break
                table[depth + r - ONE, e] += count
                pairs[at] = 0


@njit(cache=True)
def _find(a, depth, among, local, to):
    """Write to `to` which of the connections lead from target `a` to those `among` the targets."""
    words, starts, bits, _ = local
    at, end = starts[a], ZERO
    for w in range(words):
        mask = bits[a * words + w]
        those = extract(among[depth, w], mask)
        while those:
            rest = those & (those - ONE)
            to[end] = at + popcount((those ^ rest) - ONE)
            those = rest
            end += ONE
        at += popcount(mask)


@njit(cache=True)
def _credit_path(depth, size, least, most, local, among, path, to, store, table):
    """Credit the connections of the walk's own neurons, with each other and those `among`."""
    words, starts, bits, _ = local
    more, totals = store[2], store[3]
    for i in range(depth):
        _find(path[i], depth, among, local, to)
        for x in range(size):
            for r in range(least, most + 1):
                count = np.uint64(more[0, r, x]) if r > 1 else ONE
                if count == ZERO:
                    break
                table[depth + r - 1, to[x]] += count
        for j in range(i):
            x, e = path[i], starts[path[j]]
            for w in range(x >> WORD):
                e += popcount(bits[path[j] * words + w])
            mask = (ONE << (x & IN_WORD)) - ONE
            e += popcount(bits[path[j] * words + (x >> WORD)] & mask)
            for r in range(least, most + 1):
                table[depth + r - 1, e] += totals[0, r]


@njit(cache=True)
def _spread(first, targets, starts, edges, ids, deepest, table, own, sides):
    """Add what is counted in `table` to the connections themselves, and those of the source.

    A target is in as many simplices of k + 1 as all its connections, of which each has k.
    """
    row, number = ZERO, starts[targets]
    source, some, ids = ids[1], ids[2], ids[0]
    for a in range(targets):
        for e in range(starts[a], starts[a + ONE]):
            source[e], some[e] = a, e
    for k in range(1, deepest):
        row += np.uint64(sides.shape[1])
        left = ZERO
        for i in range(number):  # written always, kept if any: there is no branch to guess
            e = some[i]
            count = np.uint64(table[k, e])
            own[source[e]] += count
            own[edges[e]] += count
            some[left] = e
            left += np.uint64(count != ZERO)
        number = left
        for i in range(number):
            prefetch(sides, row + np.uint64(ids[some[min(i + SOON, number - ONE)]]))
            e = some[i]
            add_shared(sides, row + np.uint64(ids[e]), table[k, e])
            table[k, e] = 0
        for a in range(targets):
            if own[a]:
                add_shared(sides, row + first + a, own[a] // np.uint64(k))
                own[a] = ZERO
