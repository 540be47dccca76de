// SPDX-License-Identifier: Apache-2.0
// Fractal simplex noise: one source for processors (GCC, Clang) and CUDA (NVRTC).
//
// On a processor a "float" of this file is a vector of floats, one voxel in each lane, since compilers do not vectorize
// a sum of this length by themselves; on CUDA each thread has one voxel.
//
// The numbers of the lattices (SIMPLEX_POINTS_3, SIMPLEX_SQUISH_3, SIMPLEX_HASH_0 ...) are defined by the caller from
// lattice.py. Operations and their order are those of simplex_torch.py; the compiler must not contract products and
// sums (-ffp-contract=off, --fmad=false), so that all back ends give the same values.
#pragma once

namespace simplex {

#ifdef __CUDACC__
#define SIMPLEX_FUNCTION static __device__ __forceinline__
typedef float Float;
typedef int Int;
typedef unsigned int Bits;
SIMPLEX_FUNCTION Int to_int(Float value) { return (int)value; }
SIMPLEX_FUNCTION Float to_float(Int value) { return (float)value; }
SIMPLEX_FUNCTION Bits as_bits(Float value) { return __float_as_uint(value); }
SIMPLEX_FUNCTION Float as_float(Bits bits) { return __uint_as_float(bits); }
#else
#define SIMPLEX_FUNCTION static inline __attribute__((always_inline))
// As wide as the registers: wider vectors are taken apart in memory, which is several times slower.
#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX2__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif
typedef float Float __attribute__((vector_size(4 * LANES)));
typedef int Int __attribute__((vector_size(4 * LANES)));
typedef unsigned int Bits __attribute__((vector_size(4 * LANES)));
SIMPLEX_FUNCTION Int to_int(Float value) { return __builtin_convertvector(value, Int); }
SIMPLEX_FUNCTION Float to_float(Int value) { return __builtin_convertvector(value, Float); }
SIMPLEX_FUNCTION Bits as_bits(Float value) { return (Bits)value; }
SIMPLEX_FUNCTION Float as_float(Bits bits) { return (Float)bits; }
#endif

// Coordinates of one axis: whole and rest of the coordinate and of its share of the skew, each (octaves, size).
struct Axis {
    const int* whole;
    const float* rest;
    const int* skew_whole;
    const float* skew_rest;
};

// The shifts are arithmetic ones.
SIMPLEX_FUNCTION Bits scramble(Bits bits) {
    bits ^= (Bits)((Int)bits >> SIMPLEX_SHIFT_0);
    bits *= SIMPLEX_FACTOR_0;
    bits ^= (Bits)((Int)bits >> SIMPLEX_SHIFT_1);
    bits *= SIMPLEX_FACTOR_1;
    return bits;
}

// Factor of an axis in the number of a lattice point.
SIMPLEX_FUNCTION Bits hash_factor(Bits axis) { return (axis * SIMPLEX_HASH_NEXT) ^ SIMPLEX_HASH_FIRST; }

// Puts the larger of two coordinates first, with the axis that it is of.
SIMPLEX_FUNCTION void exchange(Float& one, Float& other, Bits& axis_of_one, Bits& axis_of_other) {
    const auto larger = one >= other;
    const Float low = larger ? other : one;
    one = larger ? one : other;
    other = low;
    const Bits axis_of_low = larger ? axis_of_other : axis_of_one;
    axis_of_one = larger ? axis_of_one : axis_of_other;
    axis_of_other = axis_of_low;
}

// Bits of the gradients of a lattice, see gradient_word.py.
struct Word {
    unsigned int signs, shorter, longer, mask, choice_bits;
};

// A voxel in its cell: by rank its coordinates, the places of their axes' bits in the word of a gradient, and the hash
// factors of these axes.
template <int D>
struct Voxel {
    Float origin[D];
    Bits axis[D];
    Bits place[D];
    Bits factor[D];
    Bits number;          // that of the cell
    Float near[D + 1];    // what 2 - |d|^2 has in common for all lattice points of as many steps
};

// What one lattice point gives: max(0, 2 - |d|^2)^4 (g . d). Its offset from the cell is given by rank.
template <int D>
SIMPLEX_FUNCTION Float corner(const Voxel<D>& voxel, double squish, Word word, int i, int j, int k, int l) {
    const int offset[4] = {i, j, k, l};
    const int steps = i + j + k + l, excess = i * i + j * j + k * k + l * l - steps;
    Bits number = voxel.number;
    Float reach = voxel.near[steps];
    for (int rank = 0; rank < D; ++rank) {
        if (offset[rank] == 0) continue;
        reach = reach + voxel.origin[rank] * (2.0f * (float)offset[rank]);
        number += (unsigned int)offset[rank] * voxel.factor[rank];
    }
    if (excess != 0) reach = reach - (float)excess;
    reach = reach > 0.0f ? reach : reach * 0.0f;
    reach = reach * reach;
    reach = reach * reach;
    const Bits bits = scramble(number);
    const Bits choice = ((bits & ((1u << word.choice_bits) - 1u)) * (unsigned int)D) >> word.choice_bits;
    const Bits longer = (bits * 0u + word.longer) >> (choice * SIMPLEX_GRADIENT_SHIFT);
    const Bits gradient = (bits & word.signs) | word.shorter | longer;
    Float total;
    for (int rank = 0; rank < D; ++rank) {
        const Float distance = voxel.origin[rank] - (float)(offset[rank] + squish * steps);
        const Float product = as_float((gradient << voxel.place[rank]) & word.mask) * distance;
        total = rank == 0 ? product : total + product;
    }
    return reach * total;
}

#define SIMPLEX_EXCHANGE(one, other) \
    exchange(voxel.origin[one], voxel.origin[other], voxel.axis[one], voxel.axis[other]);
#define SIMPLEX_CORNER(i, j, k, l) total = total + corner<D>(voxel, squish, word, i, j, k, l);

// Sum over the candidates of one octave; whole and rest of each coordinate, and of the sum of their shares of the skew.
template <int D>
SIMPLEX_FUNCTION Float octave(const Int* whole, const Float* rest, Int skew_whole, Float skew_rest, Bits number) {
    constexpr double squish = D == 2 ? SIMPLEX_SQUISH_2 : D == 3 ? SIMPLEX_SQUISH_3 : SIMPLEX_SQUISH_4;
    constexpr Word word = D == 2 ? Word SIMPLEX_WORD_2 : D == 3 ? Word SIMPLEX_WORD_3 : Word SIMPLEX_WORD_4;
    Voxel<D> voxel;
    for (int axis = 0; axis < D; ++axis) {
        // never negative, so that rounding towards zero is rounding down
        const Float position = skew_rest + rest[axis];
        const Int floor = to_int(position);
        voxel.axis[axis] = number * 0u + (unsigned int)axis;
        number += (Bits)(skew_whole + whole[axis] + floor) * hash_factor(voxel.axis[axis]);
        voxel.origin[axis] = position - to_float(floor);
    }
    voxel.number = number;
    if constexpr (D == 2) { SIMPLEX_EXCHANGES_2(SIMPLEX_EXCHANGE) }
    if constexpr (D == 3) { SIMPLEX_EXCHANGES_3(SIMPLEX_EXCHANGE) }
    if constexpr (D == 4) { SIMPLEX_EXCHANGES_4(SIMPLEX_EXCHANGE) }
    Float skew = voxel.origin[0] + voxel.origin[1];
    for (int rank = 2; rank < D; ++rank) skew = skew + voxel.origin[rank];
    skew = skew * (float)squish;
    Float common = skew * 0.0f + 2.0f, sum = skew * 0.0f;
    for (int rank = 0; rank < D; ++rank) {
        voxel.origin[rank] = voxel.origin[rank] + skew;
        voxel.factor[rank] = hash_factor(voxel.axis[rank]);
        voxel.place[rank] = voxel.axis[rank] * SIMPLEX_GRADIENT_SHIFT;
        common = common - voxel.origin[rank] * voxel.origin[rank];
        sum = sum + voxel.origin[rank];
    }
    for (int steps = 0; steps <= D; ++steps) {
        const double skewed = (2.0 * squish + D * squish * squish) * steps * steps;
        voxel.near[steps] = (sum * (float)(2.0 * squish * steps) + common) - (float)(steps + skewed);
    }
    Float total = skew * 0.0f;
    if constexpr (D == 2) { SIMPLEX_POINTS_2(SIMPLEX_CORNER) }
    if constexpr (D == 3) { SIMPLEX_POINTS_3(SIMPLEX_CORNER) }
    if constexpr (D == 4) { SIMPLEX_POINTS_4(SIMPLEX_CORNER) }
    return total;
}

}  // namespace simplex
