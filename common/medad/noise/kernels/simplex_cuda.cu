// SPDX-License-Identifier: Apache-2.0
// Fractal simplex noise on CUDA: one thread for each voxel of all fields, all octaves in one launch.
#include "simplex.h"

using simplex::Axis;

// The value of one voxel. axes[S] is time where D = S + 1, with one column for each field.
template <int D, int S>
SIMPLEX_FUNCTION void voxel(float* out, const unsigned int* seeds, const float* amplitudes, const Axis* axes,
                            int fields, int octaves, const int* sizes, long long index) {
    int at[4];
    long long rest_of_index = index;
    for (int axis = S - 1; axis >= 0; --axis) {
        at[axis] = (int)(rest_of_index % sizes[axis]);
        rest_of_index /= sizes[axis];
    }
    const int field = (int)rest_of_index;
    at[S] = field;
    float sum = 0.0f;
    for (int octave = 0; octave < octaves; ++octave) {
        int whole[D], skew_whole = 0;
        float rest[D], skew_rest = 0.0f;
        for (int axis = 0; axis < D; ++axis) {
            const long long entry = (long long)octave * (axis < S ? sizes[axis] : fields) + at[axis];
            whole[axis] = axes[axis].whole[entry];
            rest[axis] = axes[axis].rest[entry];
            skew_whole += axes[axis].skew_whole[entry];
            skew_rest = skew_rest + axes[axis].skew_rest[entry];
        }
        const unsigned int seed = seeds[(long long)field * octaves + octave];
        sum = sum + simplex::octave<D>(whole, rest, skew_whole, skew_rest, seed) * amplitudes[octave];
    }
    out[index] = sum;
}

// A table as four parameters: pointers within a structure would have to be copied to the device first.
#define SIMPLEX_AXIS(n) \
    const int *whole_##n, const float *rest_##n, const int *skew_whole_##n, const float *skew_rest_##n
#define SIMPLEX_TABLE(n) \
    { whole_##n, rest_##n, skew_whole_##n, skew_rest_##n }

#define SIMPLEX_KERNEL(D, S)                                                                                        \
    extern "C" __global__ void simplex_##S##_##D(float* out, const unsigned int* seeds, const float* amplitudes,    \
                                                 SIMPLEX_AXIS(0), SIMPLEX_AXIS(1), SIMPLEX_AXIS(2),                 \
                                                 SIMPLEX_AXIS(3), int fields, int octaves, int size_0, int size_1,  \
                                                 int size_2) {                                                      \
        const Axis axes[4] = {SIMPLEX_TABLE(0), SIMPLEX_TABLE(1), SIMPLEX_TABLE(2), SIMPLEX_TABLE(3)};              \
        const int sizes[3] = {size_0, size_1, size_2};                                                              \
        const long long index = (long long)blockIdx.x * blockDim.x + threadIdx.x;                                   \
        const long long voxels = (long long)size_0 * size_1 * (S == 3 ? size_2 : 1) * fields;                       \
        if (index < voxels) voxel<D, S>(out, seeds, amplitudes, axes, fields, octaves, sizes, index);               \
    }

SIMPLEX_KERNEL(2, 2)
SIMPLEX_KERNEL(3, 2)
SIMPLEX_KERNEL(3, 3)
SIMPLEX_KERNEL(4, 3)
