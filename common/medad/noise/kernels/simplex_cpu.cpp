// SPDX-License-Identifier: Apache-2.0
// Fractal simplex noise on processors: rows of voxels are shared among threads, a row is vectorized.
#include <algorithm>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

#include "simplex.h"

namespace {

using simplex::Axis;
using simplex::Bits;
using simplex::Float;
using simplex::Int;

// What all voxels of a row have in common, for one octave.
template <int D>
struct Row {
    int whole[D];
    float rest[D];
    int before_whole, after_whole;    // shares of the skew of the axes before the row's own, and of those after it
    float before_rest, after_rest;
    unsigned int seed;
};

template <typename Vector, typename Number>
inline Vector take(const Number* values, int count) {
    Vector vector = {};
    if (count == simplex::LANES)
        __builtin_memcpy(&vector, values, sizeof(vector));
    else
        __builtin_memcpy(&vector, values, count * sizeof(Number));
    return vector;
}

// Add one octave to a row along axis INNER.
template <int D, int INNER>
void add_octave(float* out, int size, const Row<D>& row, const int* whole, const float* rest, const int* skew_whole,
                const float* skew_rest, float amplitude) {
    for (int x = 0; x < size; x += simplex::LANES) {
        const int count = std::min(simplex::LANES, size - x);
        Int own_whole[D];
        Float own_rest[D];
        for (int axis = 0; axis < D; ++axis) {
            own_whole[axis] = axis == INNER ? take<Int>(whole + x, count) : Int{} + row.whole[axis];
            own_rest[axis] = axis == INNER ? take<Float>(rest + x, count) : Float{} + row.rest[axis];
        }
        // the order of the sum over axes is the same everywhere
        Float skew = row.before_rest + take<Float>(skew_rest + x, count);
        if (INNER + 1 < D) skew = skew + row.after_rest;
        const Int skew_cells = row.before_whole + take<Int>(skew_whole + x, count) + row.after_whole;
        const Float value = simplex::octave<D>(own_whole, own_rest, skew_cells, skew, Bits{} + row.seed);
        const Float sum = take<Float>(out + x, count) + value * amplitude;
        __builtin_memcpy(out + x, &sum, count * sizeof(float));
    }
}

// Fields (fields, *sizes); axes[S] is time where D = S + 1, with one column for each field.
template <int D, int S>
void rows(float* out, int64_t first, int64_t last, const unsigned int* seeds, const Axis* axes, const float* amplitudes,
          int fields, int octaves, const int* sizes) {
    const int size = sizes[S - 1];
    const int64_t per_field = S == 3 ? (int64_t)sizes[0] * sizes[1] : sizes[0];
    for (int64_t index = first; index < last; ++index) {
        const int64_t field = index / per_field, line = index % per_field;
        const int64_t at[4] = {S == 3 ? line / sizes[1] : line, S == 3 ? line % sizes[1] : 0, 0, 0};
        float* line_out = out + index * size;
        std::fill(line_out, line_out + size, 0.0f);
        for (int octave = 0; octave < octaves; ++octave) {
            Row<D> row = {};
            row.seed = seeds[field * octaves + octave];
            for (int axis = 0; axis < D; ++axis) {
                if (axis == S - 1) continue;
                const bool time = axis == S;
                const int64_t entry = (int64_t)octave * (time ? fields : sizes[axis]) + (time ? field : at[axis]);
                row.whole[axis] = axes[axis].whole[entry];
                row.rest[axis] = axes[axis].rest[entry];
                (time ? row.after_whole : row.before_whole) += axes[axis].skew_whole[entry];
                (time ? row.after_rest : row.before_rest) += axes[axis].skew_rest[entry];
            }
            const Axis& own = axes[S - 1];
            const int64_t start = (int64_t)octave * size;
            add_octave<D, S - 1>(line_out, size, row, own.whole + start, own.rest + start, own.skew_whole + start,
                                 own.skew_rest + start, amplitudes[octave]);
        }
    }
}

using Worker = void (*)(float*, int64_t, int64_t, const unsigned int*, const Axis*, const float*, int, int, const int*);

}  // namespace

// Returns how many threads worked, or 0 if there is no such form.
extern "C" int simplex_fields(float* out, const unsigned int* seeds, const Axis* axes, const float* amplitudes, int fields,
                              int octaves, const int* sizes, int spatial_dims, int dims, int threads) {
    Worker worker = nullptr;
    if (spatial_dims == 2 && dims == 2) worker = rows<2, 2>;
    if (spatial_dims == 2 && dims == 3) worker = rows<3, 2>;
    if (spatial_dims == 3 && dims == 3) worker = rows<3, 3>;
    if (spatial_dims == 3 && dims == 4) worker = rows<4, 3>;
    if (worker == nullptr) return 0;
    int64_t total = fields;
    for (int axis = 0; axis + 1 < spatial_dims; ++axis) total *= sizes[axis];
    // a thread takes about as long to start as these few values
    const int64_t worth = total * sizes[spatial_dims - 1] * octaves / 8192;
    const int64_t parts = std::max<int64_t>(1, std::min({(int64_t)threads, total, worth}));
    std::vector<std::thread> others;
    int64_t part = 1;
    try {
        for (; part < parts; ++part)
            others.emplace_back(worker, out, part * total / parts, (part + 1) * total / parts, seeds, axes, amplitudes,
                                fields, octaves, sizes);
    } catch (const std::system_error&) {
        // the system gives no more threads: the rest is done here
        worker(out, part * total / parts, total, seeds, axes, amplitudes, fields, octaves, sizes);
    }
    worker(out, 0, total / parts, seeds, axes, amplitudes, fields, octaves, sizes);
    for (auto& other : others) other.join();
    return (int)others.size() + 1;
}
