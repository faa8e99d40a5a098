"""The sides of directed simplices: of how many in each dimension every connection is part.

The simplices that begin with one source are those among its targets, one neuron larger.  Three of
a set are counted by comparing rows of bits, not one by one: those of all targets first, then of
those whom a target contacts, and so on, as long as three may follow.  Of these only such are kept
as two others of them contact or are contacted by.  Where they are 64 at most, their rows are
words; how many simplices of a set each of them is part of goes to the set before, as a row of
numbers added eight at a time.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from nmc.connectome.kernels import (
    BITS,
    IN_WORD,
    ONE,
    TWO,
    WORD,
    ZERO,
    add_eight,
    add_one,
    count_eight,
    extract,
    popcount,
    prefetch,
    try_lock,
    unlock,
)
from nmc.connectome.kernels.simplices import _neighbourhood, _rooms

ALL, THREE, EIGHT = ~ZERO, np.uint64(3), np.uint64(8)
#: Where the parts of what `count_eight` returns begin.
KEPT, MOST, ANY = np.uint64(16), np.uint64(24), np.uint64(32)
FIRST, BYTE = np.uint64(0xFFFF), np.uint64(0xFF)
#: Numbers of 64 times 64 connections: a square, and a line of memory, so that those of all sizes
#: of a connection do not compete for the same places of the cache.
SQUARE = np.uint64(64 * 64 + 16)
#: Whom three may follow is kept for sets of more than 64 after so many targets.
DEPTHS = 4
#: Numbers of a connection are asked for so many turns ahead.
SOON = np.uint64(16)


@njit(cache=True, parallel=True)
def count_sides(indptr, indices, room, limit, columns, sides, tables, met):
    """Count, for every connection, the simplices of each dimension from 2 on it is part of.

    `sides` has `columns` numbers a connection (a multiple of 8), one a dimension from 1 on; all
    tasks add to it, one at a time to the connections of a neuron, what they counted in `tables`
    (tasks, columns times one more than connections among targets).  `met` (tasks, columns + 2) are
    the simplices of dimension 0, 1, …; its last is not 0 where there are larger ones than there are
    columns.  Then, and where one is `limit`, `sides` is no result.
    """
    n, tasks = indptr.size - 1, len(met)
    all_inside, all_place, all_starts, all_edges, all_bits, _, _, _ = _rooms(
        tasks, indices, n, room
    )
    wide, levels = (room[0] + 63) >> 6, columns + 2
    all_ins, all_ids = np.empty_like(all_bits), np.empty((tasks, room[1] + 1), np.uint32)
    all_ranks = np.empty(all_bits.shape, np.uint32)
    all_keep = np.empty((tasks, DEPTHS * all_bits.shape[1]), np.uint64)
    all_among = np.empty((tasks, 2, levels, wide), np.uint64)
    all_row = np.empty((tasks, 2 * wide), np.uint64)
    all_each = np.zeros((tasks, room[0]), np.uint64)
    all_own = np.zeros((tasks, room[0] * columns), np.uint64)
    all_words = np.zeros((tasks, 9, max(levels, 64)), np.uint64)
    all_pairs = np.zeros((tasks, levels * SQUARE), sides.dtype)
    all_more = np.zeros((tasks, levels, levels, 64), sides.dtype)
    all_totals = np.zeros((tasks, levels, levels), np.uint64)
    all_keeps = np.zeros((tasks, levels * 64), np.uint64)
    locks = np.zeros(n, np.uint8)
    for c in prange(tasks):
        inside, place, starts, edges = all_inside[c], all_place[c], all_starts[c], all_edges[c]
        bits, ins, ids, ranks = all_bits[c], all_ins[c], all_ids[c], all_ranks[c]
        own, here, table = all_own[c], met[c], (tables[c], np.uint64(columns))
        walked = all_among[c, 0], all_among[c, 1], all_words[c, 8], all_row[c], all_each[c]
        store = all_words[c, :8], all_pairs[c], all_more[c], all_totals[c], all_keeps[c]
        for v in range(c, n, tasks):
            if here[columns + 1] or here.max() >= limit:
                continue
            first, targets = np.uint64(indptr[v]), np.uint64(indptr[v + 1] - indptr[v])
            words = _neighbourhood(v, indptr, indices, inside, place, starts, edges, bits, ids)
            here[0] += 1
            local = words, starts, bits, ins, ranks, all_keep[c]
            _count_three(targets, local, edges, walked[1], table, here)
            _walk(local, walked, store, table, here)
            _spread(v, first, targets, indices, starts, edges, ids, table, own, locks, sides)


@njit(cache=True, forceinline=True)
def _compare(x, outs, at, intos, y, bits, ins, words):
    """Count those before x and y, between and after them: x contacts y, `intos` contact x."""
    before = between = after = ZERO
    for k in range(words):
        into = ins[y + k]
        before += popcount(intos[at + k] & into)
        between += popcount(outs[x + k] & into)
        after += popcount(outs[x + k] & bits[y + k])
    return before, between, after


@njit(cache=True)
def _count_three(targets, local, edges, left, table, met):
    """Count two and three targets by comparing bits; `left` are those whom three may follow.

    Of those a target contacts, `keep` are those that two others of them contact or are contacted
    by; `ranks` say how many connections stand before each word of its row.
    """
    words, starts, bits, ins, ranks, keep = local
    counts, columns = table
    ins[: targets * words] = 0
    for a in range(targets):
        rank = starts[a]
        for w in range(a * words, (a + ONE) * words):
            ranks[w] = rank
            rank += popcount(bits[w])
            keep[w] = ZERO
        for e in range(starts[a], starts[a + ONE]):
            ins[edges[e] * words + (a >> WORD)] |= ONE << (a & IN_WORD)
    for w in range(words):
        left[0, w] = ZERO
    for a in range(targets):
        most, own, x = ZERO, ZERO, a * words
        for e in range(starts[a], starts[a + ONE]):
            b = np.uint64(edges[e])
            before, between, after = _compare(x, bits, x, ins, b * words, bits, ins, words)
            counts[e * columns + ONE] = ONE
            counts[e * columns + TWO] = before + between + after
            keep[x + (b >> WORD)] |= np.uint64(between + after > ONE) << (b & IN_WORD)
            own += after
            most |= after
        met[3] += np.int64(own)
        left[0, a >> WORD] |= np.uint64(own >= THREE and most > ONE) << (a & IN_WORD)
    met[1] += np.int64(targets)
    met[2] += np.int64(starts[targets])


@njit(cache=True, forceinline=True)
def _place(a, b, local):
    """Return the place of the connection from target `a` to `b` among those of all targets."""
    words, _, bits, _, ranks, _ = local
    at = a * words + (b >> WORD)
    return ranks[at] + popcount(bits[at] & ((ONE << (b & IN_WORD)) - ONE))


@njit(cache=True)
def _count_by_bits(depth, local, walked, table, met):
    """Count three of more than 64 `among` the targets, as `_count_three` does among all."""
    words, _, bits, ins, ranks, keep = local
    among, left, path, rows, own = walked
    counts, columns = table
    half, total, base = np.uint64(rows.size >> 1), ZERO, np.uint64(depth * (keep.size // DEPTHS))
    column = np.uint64(depth) + TWO
    for w in range(words):
        left[depth, w] = ZERO
    for v in range(words):
        those = among[depth, v]
        while those:
            rest = those & (those - ONE)
            x, those = (v << WORD) + popcount((those ^ rest) - ONE), rest
            for w in range(words):
                rows[w] = bits[x * words + w] & among[depth, w]
                rows[half + w] = ins[x * words + w] & among[depth, w]
            first = most = ZERO
            for w in range(words):
                kept, out, at = ZERO, rows[w], x * words + w
                while out:
                    rest = out & (out - ONE)
                    bit, out = out ^ rest, rest
                    y = (w << WORD) + popcount(bit - ONE)
                    before, between, after = _compare(
                        ZERO, rows, half, rows, y * words, bits, ins, words
                    )
                    e = ranks[at] + popcount(bits[at] & (bit - ONE))
                    counts[e * columns + column] += before + between + after
                    own[y] += between + after
                    first += after
                    most |= after
                    kept |= bit if between + after > ONE else ZERO
                if depth < DEPTHS:
                    keep[base + at] = kept
            own[x] += first
            total += first
            left[depth, v] |= np.uint64(first >= THREE and most > ONE) << (x & IN_WORD)
    met[depth + 3] += np.int64(total)
    for w in range(words):
        those = among[depth, w]
        while those:
            rest = those & (those - ONE)
            x, those = (w << WORD) + popcount((those ^ rest) - ONE), rest
            for i in range(depth):
                counts[_place(path[i], x, local) * columns + column] += own[x]
            own[x] = ZERO
    for i in range(depth):
        for j in range(i):
            counts[_place(path[j], path[i], local) * columns + column] += total


@njit(cache=True)
def _walk(local, walked, store, table, met):
    """Count the simplices of four targets of a source and more: all in `met`, and of each side.

    Column k of `table` has those of k + 1 targets.
    """
    words, _, bits, _, _, keep = local
    among, left, path, _, _ = walked
    columns, totals, depth = np.int64(table[1]), store[3], 0
    while True:
        k = ZERO
        while k < words and left[depth, k] == ZERO:
            k += ONE
        if k == words:
            if depth == 0:
                return
            depth -= 1
            continue
        word = left[depth, k]
        left[depth, k] = word & (word - ONE)
        x = (k << WORD) + popcount((word ^ left[depth, k]) - ONE)
        path[depth] = x
        size, at = ZERO, x * words
        for w in range(words):
            if depth < DEPTHS:
                row = keep[np.uint64(depth * (keep.size // DEPTHS)) + at + w]
            else:
                row = bits[at + w] & among[depth, w]
            among[depth + 1, w] = row
            size += popcount(row)
        if size < THREE:
            continue
        if depth + 4 > columns:
            met[columns + 1] = 1
            return
        if size > BITS:
            depth += 1
            _count_by_bits(depth, local, walked, table, met)
            continue
        most = _count_in_word(depth + 1, size, local, among, store, table)
        if depth + 1 + most > columns:
            met[columns + 1] = 1
            return
        for r in range(3, most + 1):
            met[depth + 1 + r] += np.int64(totals[0, r])
        if most:
            _credit_path(depth + 1, most, local, among, path, store, table)


@njit(cache=True)
def _count_in_word(depth, size, local, among, store, table):
    """Count simplices of those `among` the targets, 64 at most, that have three of them or more.

    Returns of how many the largest is, 0 if there is none.
    """
    words, _, bits, ins, _, _ = local
    small, pairs, more, totals, keeps = store
    rows, cols, members, masks, shifts, places, left, last = small
    used = shift = number = ZERO
    for w in range(words):
        if among[depth, w]:
            masks[used], shifts[used], places[used] = among[depth, w], shift, w
            shift += popcount(among[depth, w])
            used += ONE
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
            number += ONE
    groups = (size + np.uint64(7)) >> THREE
    room, d, deep = table[1] - np.uint64(depth), ZERO, totals[:, 0]
    graph = groups, rows, cols
    totals[0, 3], left[0], touched = _count_triples(
        d, ALL >> (BITS - size), graph, pairs, more, keeps
    )
    if totals[0, 3] == ZERO:
        return 0
    deep[0] = THREE
    while d or left[0]:
        if left[d]:
            word, deeper = left[d], d + ONE
            left[d] = word & (word - ONE)
            last[deeper] = popcount((word ^ left[d]) - ONE)
            total, left[deeper], _ = _count_triples(
                deeper, keeps[(d << WORD) + last[deeper]], graph, pairs, more, keeps
            )
            if total:
                d, totals[deeper, 3], deep[deeper] = deeper, total, THREE
                if d + THREE > room:
                    return np.int64(table[1]) + 1
        else:
            for r in range(THREE, deep[d] + ONE):
                _pass_on(d, r, last[d], groups, pairs, more, totals)
            d -= ONE
    _credit_pairs(depth, deep[0], touched, local, rows, members, pairs, table)
    return np.int64(deep[0])


@njit(cache=True, forceinline=True)
def _count_triples(d, some, graph, pairs, more, keeps):
    """Count three of `some`: for each connection before, between and after its ends, for each end.

    Returns how many there are, whom three may follow, and whose connections are in one.  Of those
    who follow each, `keeps` are those that two others of them contact, or are contacted by.
    """
    groups, rows, cols = graph
    row = (d * np.uint64(more.shape[1]) + THREE) << WORD
    total = left = touched = ZERO
    word = some
    for x in range(groups << THREE):
        more[d, 3, x] = 0
    while word:
        rest = word & (word - ONE)
        bit = word ^ rest
        x, word, own, kept, most, of_any = popcount(bit - ONE), rest, ZERO, ZERO, ZERO, ZERO
        out, before = some & rows[x], some & cols[x]
        at = (d + THREE) * SQUARE + (x << WORD)
        for y in range(ZERO, groups << THREE, EIGHT):
            found = count_eight(out, before, y, rows, cols, pairs, at, more, row)
            own += found & FIRST
            kept |= (found >> KEPT & BYTE) << y
            most |= found >> MOST & BYTE
            of_any |= found >> ANY
        keeps[(d << WORD) + x] = kept
        add_one(more, row + x, own)
        total += own
        left |= bit if own >= THREE and most else ZERO
        touched |= bit if of_any else ZERO
    return total, left, touched


@njit(cache=True, forceinline=True)
def _pass_on(d, r, c, groups, pairs, more, totals):
    """Credit a set's simplices of r to the connections of `c` before it, and to the set before.

    Of how many the largest of a set is stands in ``totals[d, 0]``.
    """
    before, row, levels = d - ONE, r + ONE, np.uint64(more.shape[1])
    at, to = (d * levels + r) << WORD, (before * levels + row) << WORD
    if totals[before, 0] == r:
        totals[before, 0], totals[before, row] = row, ZERO
        for x in range(groups << THREE):
            more[before, row, x] = 0
    for y in range(ZERO, groups << THREE, EIGHT):
        add_eight(pairs, (d + r) * SQUARE + (c << WORD) + y, more, at + y)
        add_eight(more, to + y, more, at + y)
    add_one(more, to + c, totals[d, r])
    totals[before, row] += totals[d, r]


@njit(cache=True)
def _credit_pairs(depth, most, touched, local, rows, members, pairs, table):
    """Credit the connections of those in a word with what is counted of them."""
    counts, columns = table
    while touched:
        rest = touched & (touched - ONE)
        c = popcount((touched ^ rest) - ONE)
        touched, word, a = rest, rows[c], members[c]
        while word:
            rest = word & (word - ONE)
            x = popcount((word ^ rest) - ONE)
            word = rest
            to = _place(a, members[x], local) * columns + np.uint64(depth) - ONE
            for r in range(THREE, most + ONE):
                at = r * SQUARE + (c << WORD) + x
                count = pairs[at]
                if count == 0:
                    break
                counts[to + r] += count
                pairs[at] = 0


@njit(cache=True)
def _credit_path(depth, most, local, among, path, store, table):
    """Credit the connections of the walk's own neurons, with each other and those `among`."""
    more, totals, x = store[2], store[3], ZERO
    counts, columns = table
    start = np.uint64(depth) - ONE
    for w in range(local[0]):
        word = among[depth, w]
        while word:
            rest = word & (word - ONE)
            b, word = (w << WORD) + popcount((word ^ rest) - ONE), rest
            for i in range(depth if more[0, 3, x] else 0):
                to = _place(path[i], b, local) * columns + start
                for r in range(THREE, most + ONE):
                    if more[0, r, x] == 0:
                        break
                    counts[to + r] += more[0, r, x]
            x += ONE
    for i in range(depth):
        for j in range(i):
            to = _place(path[j], path[i], local) * columns + start
            for r in range(THREE, most + ONE):
                counts[to + r] += totals[0, r]


@njit(cache=True)
def _spread(v, first, targets, indices, starts, edges, ids, table, own, locks, sides):
    """Add what is counted in `table` to the connections themselves, and those of the source.

    A target is in as many simplices of k + 1 as all its connections, of which each has k.
    """
    counts, columns = table
    last = starts[targets]
    for a in range(targets):
        row = a * columns
        t = indices[first + a]
        while try_lock(locks, t):
            pass
        for e in range(starts[a], starts[a + ONE]):
            prefetch(sides, np.uint64(ids[min(e + SOON, last - ONE)]) * columns)
            to, at, other = np.uint64(ids[e]) * columns, e * columns, edges[e] * columns
            for k in range(ZERO, columns, EIGHT):
                add_eight(sides, to + k, counts, at + k)
                add_eight(own, row + k, counts, at + k)
                add_eight(own, other + k, counts, at + k)
        counts[starts[a] * columns : starts[a + ONE] * columns] = 0
        unlock(locks, t)
    while try_lock(locks, v):
        pass
    for a in range(targets):
        sides[(first + a) * columns] = 1
        for k in range(ONE, columns):
            count = own[a * columns + k]
            if count == ZERO:
                break
            sides[(first + a) * columns + k] += count // k
            own[a * columns + k] = 0
    unlock(locks, v)
