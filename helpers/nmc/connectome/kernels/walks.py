"""Which directed simplices no neuron makes larger, and those among the partners of each neuron."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from nmc.connectome.kernels import BITS, IN_WORD, ONE, WORD, extract, popcount
from nmc.connectome.kernels.simplices import AHEAD, _clear, _fetch, _mark

ZERO = np.uint64(0)
#: Sets of those who may stand elsewhere are words of bits, compared eight at a time.
EIGHT = np.uint64(8)
#: So few that may follow are walked as they are; more, up to 64, are worth a word of their own.
FEW = np.uint64(12)


@njit(cache=True)
def _contain(sets, at, word):
    """Return whether any of eight sets has all bits of `word`."""
    found = ZERO
    for i in range(8):
        found |= np.uint64(sets[at + np.uint64(i)] & word == word)
    return found


@njit(cache=True)
def _narrow(sets, at, word, bit, out):
    """Write ``set & word`` of those of eight sets that have `bit`, if it is any; say how many."""
    end = out
    for i in range(8):
        both = sets[at + np.uint64(i)] & word
        sets[end] = both
        end += np.uint64((both != ZERO) & (sets[at + np.uint64(i)] & bit != ZERO))
    return end - out


@intrinsic
def _narrow_at_once(typing_context, sets, at, word, bit, out):
    def generate(context, builder, signature, arguments):
        number, eight = ir.IntType(64), ir.VectorType(ir.IntType(64), 8)
        data = make_array(signature.args[0])(context, builder, arguments[0]).data
        at, out = (builder.gep(data, [arguments[k]]) for k in (1, 4))
        each, none = builder.load(builder.bitcast(at, eight.as_pointer()), align=8), eight([0] * 8)
        first = ir.Constant(ir.VectorType(ir.IntType(32), 8), [0] * 8)
        ones = (builder.insert_element(none, w, ir.IntType(32)(0)) for w in arguments[2:4])
        both, has = (builder.and_(each, builder.shuffle_vector(w, w, first)) for w in ones)
        keep = builder.and_(*(builder.icmp_unsigned("!=", some, none) for some in (both, has)))
        kind = ir.FunctionType(ir.VoidType(), [eight, out.type, keep.type])
        name = "llvm.masked.compressstore.v8i64"
        builder.call(builder.module.declare_intrinsic(name, (), kind), [both, out, keep])
        return builder.zext(builder.ctpop(builder.bitcast(keep, ir.IntType(8))), number)

    return types.uint64(sets, at, types.uint64, types.uint64, out), generate


narrow = _narrow_at_once if "+avx512f" in get_host_cpu_features().split(",") else _narrow


@njit(cache=True)
def _set(bits, row, words, place):
    row, place = np.uint64(row), np.uint64(place)
    bits[row * np.uint64(words) + (place >> WORD)] |= ONE << (place & IN_WORD)


@njit(cache=True, parallel=True)
def count_maximal(indptr, indices, t_indptr, t_indices, degree, in_degree, tasks):
    """Count neurons and connections seen, and simplices that are part of no larger one.

    As Bron and Kerbosch (1973) do for cliques, a walk keeps who may follow its last neuron, and
    who may stand before or between its own.  Where one of these contacts all that may follow,
    it makes every simplex of the walk's rest larger: none of them has to be walked.
    """
    n, everyone = indptr.size - 1, degree + in_degree
    wide, all_wide, depths = (degree + 63) >> 6, (everyone + 63) >> 6, degree + 2
    all_inside, all_place = np.zeros((tasks, n), np.uint8), np.empty((tasks, n), t_indices.dtype)
    all_found = np.empty((tasks, everyone + 1), t_indices.dtype)
    all_outs = np.empty((tasks, everyone * wide), np.uint64)
    all_ins = np.empty((tasks, degree * all_wide), np.uint64)
    all_after = np.empty((tasks, 2, depths, wide), np.uint64)
    all_elsewhere = np.empty((tasks, depths, all_wide), np.uint64)
    all_sets = np.empty((tasks, 65 * (everyone + 65 * 32 + 8)), np.uint64)
    all_rows = np.empty((tasks, 4, 66), np.uint64)
    maximal, seen = np.zeros((tasks, degree + 3), np.int64), np.zeros((tasks, 2), np.int64)
    for c in prange(tasks):
        inside, place, found, here = all_inside[c], all_place[c], all_found[c], maximal[c]
        outs, ins = all_outs[c], all_ins[c]
        stack = all_after[c, 0], all_after[c, 1], all_elsewhere[c], all_sets[c], all_rows[c]
        for v in range(c, n, tasks):
            targets = np.uint64(indptr[v + 1] - indptr[v])
            sources = np.uint64(t_indptr[v + 1] - t_indptr[v])
            seen[c, 0] += 1
            seen[c, 1] += np.int64(targets)
            if targets == 0:
                here[0] += sources == 0
                continue
            _mark(v, indptr, indices, inside, place)
            partners = targets
            for i in range(np.uint64(t_indptr[v]), np.uint64(t_indptr[v + 1])):
                t = t_indices[i]
                if not inside[t]:
                    inside[t], place[t] = 1, partners
                    partners += ONE
            words, all_words = (targets + IN_WORD) >> WORD, (partners + IN_WORD) >> WORD
            outs[: partners * words] = 0
            ins[: targets * all_words] = 0
            begin = np.uint64(indptr[v])
            for a in range(targets):
                end = ZERO
                t = indices[begin + a]
                soon = indices[begin + min(a + AHEAD, targets - ONE)]
                _fetch(np.uint64(t_indptr[soon]), t_indices)
                for i in range(np.uint64(t_indptr[t]), np.uint64(t_indptr[t + 1])):
                    w = t_indices[i]
                    found[end] = w
                    end += np.uint64(inside[w])
                for i in range(end):
                    b = place[found[i]]
                    _set(outs, b, words, a)
                    _set(ins, a, all_words, b)
            _clear(v, indptr, indices, inside)
            _clear(v, t_indptr, t_indices, inside)
            _count_maximal(targets, words, all_words, outs, ins, *stack, here)
    return seen.sum(axis=0), maximal.sum(axis=0)


@njit(cache=True)
def _count_maximal(
    targets, words, all_words, outs, ins, after, left, elsewhere, sets, rows, counts
):
    """Count the maximal simplices of one source; `left` are those of `after` still to come."""
    depth = ZERO
    for w in range(all_words):
        elsewhere[0, w] = ~ZERO
    for w in range(words):
        rest = targets - (w << WORD)
        after[0, w] = left[0, w] = ~ZERO if rest > IN_WORD else (ONE << rest) - ONE
    while True:
        k = ZERO
        while k < words and left[depth, k] == 0:
            k += ONE
        if k == words:
            if depth == 0:
                return
            depth -= ONE
            continue
        word = left[depth, k]
        rest = word & (word - ONE)
        left[depth, k] = rest
        x = (k << WORD) + popcount((word ^ rest) - ONE)
        size = enlarged = ZERO
        deeper = depth + ONE
        for w in range(words):
            after[deeper, w] = left[deeper, w] = after[depth, w] & outs[x * words + w]
            size += popcount(after[deeper, w])
        for w in range(all_words):
            both = elsewhere[depth, w]
            if w < words:
                both |= after[depth, w]
            elsewhere[deeper, w] = both & ins[x * all_words + w]
            enlarged |= elsewhere[deeper, w]
        if size > BITS or ZERO < size < FEW:
            depth = deeper
        elif size:
            stop = _compress(words, all_words, outs, after, elsewhere, deeper, sets, rows)
            _count_in_word(~ZERO >> (BITS - size), rows, sets, stop, deeper + ONE, counts)
        else:
            counts[deeper] += enlarged == ZERO


@njit(cache=True)
def _compress(words, all_words, outs, after, elsewhere, depth, sets, rows):
    """Write whom of those `after`, 64 at most, each of them contacts, and each of `elsewhere`."""
    row, masks, shifts, places = rows
    used = size = end = number = ZERO
    for w in range(words):
        if after[depth, w]:
            masks[used], shifts[used], places[used] = after[depth, w], size, w
            size += popcount(masks[used])
            used += ONE
    for k in range(all_words + words):
        own = k >= all_words
        k -= all_words if own else ZERO
        word = after[depth, k] if own else elsewhere[depth, k]
        while word:
            rest = word & (word - ONE)
            at = ((k << WORD) + popcount((word ^ rest) - ONE)) * words
            word, found = rest, ZERO
            for w in range(used):
                found |= extract(outs[at + places[w]], masks[w]) << shifts[w]
            if own:
                row[number] = found
                number += ONE
            else:
                sets[end] = found
                end += np.uint64(found != ZERO)
    return end


@njit(cache=True)
def _count_in_word(after, rows, sets, end, dimension, counts):
    """Count on as `_count_maximal` does, with at most 64 that may follow: a word of bits."""
    row, among, left, ends = rows
    depth = first = ends[0] = ZERO
    while True:
        among[depth], word, leaves, some = after, after, ZERO, ZERO
        for i in range(first, end):
            some |= sets[i]
        while word:
            rest = word & (word - ONE)
            both = after & row[popcount((word ^ rest) - ONE)]
            leaves |= word ^ rest if both == ZERO else ZERO
            some |= both
            word = rest
            sets[end] = both
            end += np.uint64(both != ZERO)
        counts[dimension + depth] += np.int64(popcount(leaves & ~some))
        left[depth] = after ^ leaves
        for i in range(EIGHT):
            sets[end + i] = ZERO
        ends[depth + ONE] = end + EIGHT
        after = ZERO
        while after == ZERO:
            while left[depth] == ZERO:
                if depth == ZERO:
                    return
                depth -= ONE
            word = left[depth]
            left[depth] = word & (word - ONE)
            bit = word ^ left[depth]
            after = among[depth] & row[popcount(bit - ONE)]
            need = after | bit
            first, stop = ends[depth], ends[depth + ONE] - EIGHT
            i = first
            while i < stop and not _contain(sets, i, need):
                i += EIGHT
            if i < stop:
                after = ZERO
            elif after & (after - ONE) == ZERO:
                counts[dimension + depth + ONE] += 1
                after = ZERO
        end = stop + EIGHT
        for i in range(first, stop, EIGHT):
            end += narrow(sets, i, after, bit, end)
        first = stop + EIGHT
        depth += ONE


@njit(cache=True, parallel=True)
def count_neighbourhoods(indptr, indices, t_indptr, t_indices, most, dimensions, tasks):
    """Count the simplices among the partners of every neuron, which are rows of bits."""
    n, wide = indptr.size - 1, (most + 63) >> 6
    counts = np.zeros((n, dimensions), np.int64)
    all_place = np.full((tasks, n), -1, np.int32)  # an allocation inside a task can fail unseen
    all_members = np.empty((tasks, most), np.int32)
    all_outs = np.empty((tasks, most * wide), np.uint64)
    all_stacks = np.empty((tasks, 2, dimensions, wide), np.uint64)
    for c in prange(tasks):
        place, members, outs = all_place[c], all_members[c], all_outs[c]
        candidates, left = all_stacks[c, 0], all_stacks[c, 1]
        for v in range(c, n, tasks):
            size = 0
            for partners in (
                indices[indptr[v] : indptr[v + 1]],
                t_indices[t_indptr[v] : t_indptr[v + 1]],
            ):
                for t in partners:
                    if place[t] < 0:
                        place[t] = size
                        members[size] = t
                        size += 1
            words = (size + 63) >> 6
            outs[: size * words] = 0
            here = counts[v]
            here[0] = size
            for a in range(size):
                for t in indices[indptr[members[a]] : indptr[members[a] + 1]]:
                    if place[t] >= 0:
                        _set(outs, a, words, place[t])
                        here[1] += 1
            for a in range(size):
                place[members[a]] = -1
            if dimensions > 2:
                for a in range(size):
                    for k in range(words):
                        candidates[0, k] = left[0, k] = outs[a * words + k]
                    _follow(outs, words, candidates, left, here)
    return counts


@njit(cache=True)
def _follow(outs, words, candidates, left, counts):
    """Count the simplices that go on with one of ``candidates[0]``; `left` are those to come."""
    depth, k = 0, 0
    while depth >= 0:
        k = 0
        while k < words and left[depth, k] == 0:
            k += 1
        if k == words:
            depth -= 1
            continue
        word = left[depth, k]
        left[depth, k] = word & (word - ONE)
        row = (k * 64 + np.int64(popcount((word & (~word + ONE)) - ONE))) * words
        size = np.uint64(0)
        for w in range(words):
            candidates[depth + 1, w] = candidates[depth, w] & outs[row + w]
            size += popcount(candidates[depth + 1, w])
        counts[depth + 2] += np.int64(size)
        if size and depth + 3 < counts.size:
            depth += 1
            for w in range(words):
                left[depth, w] = candidates[depth, w]
