/* The sweeps over a layer's weights that ffstream/sweep.py describes, each in one pass.

   Every line rounds as torch does (its lerp_ and add_ multiply and add without rounding between the two), so that a stream
   has the same bits with this file as without it. "bf16" is bfloat16: the upper half of a float, rounded to even.

   Compiled once for every level of x86-64, of which the loader takes the highest that the machine has. (A processor's name
   in place of a level would be that processor alone: all newer ones would get the lowest.) */

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__)
#define BEST_OF_THE_MACHINE __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define BEST_OF_THE_MACHINE
#endif

static inline float from_bf16(uint16_t half)
{
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint16_t to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t rounded = (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    return value != value ? 0x7fc0 : rounded;
}

static inline float lerp(float start, float end, float weight)
{
    int small = fabsf(weight) < 0.5f;
    return fmaf(small ? weight : weight - 1, end - start, small ? start : end);
}

static inline float fold_one(float direction, float *velocity, float *own, float *other, float turn, float weight, float learn,
                             float keep)
{
    *velocity = fmaf(*other, weight, lerp(*velocity, direction, turn));
    *own = lerp(*own, direction, learn);
    *other *= keep;
    return *velocity;
}

BEST_OF_THE_MACHINE
void fold_float(long count, const float *restrict direction, float *restrict velocity, float *restrict own,
                float *restrict other, float turn, float weight, float learn, float keep)
{
    for (long i = 0; i < count; i++)
        fold_one(direction[i], velocity + i, own + i, other + i, turn, weight, learn, keep);
}

BEST_OF_THE_MACHINE
void fold_bf16(long count, uint16_t *restrict direction, float *restrict velocity, float *restrict own, float *restrict other,
               float turn, float weight, float learn, float keep)
{
    for (long i = 0; i < count; i++)
        direction[i] = to_bf16(
            fold_one(from_bf16(direction[i]), velocity + i, own + i, other + i, turn, weight, learn, keep));
}

BEST_OF_THE_MACHINE
void move_float(long count, const float *restrict change, const float *restrict velocity, float *restrict weights, float rate)
{
    for (long i = 0; i < count; i++)
        weights[i] = fmaf(change[i] + velocity[i], rate, weights[i]);
}

BEST_OF_THE_MACHINE
void move_bf16(long count, const uint16_t *restrict change, const float *restrict velocity, float *restrict weights, float rate)
{
    for (long i = 0; i < count; i++)
        weights[i] = fmaf(from_bf16(change[i]) + velocity[i], rate, weights[i]);
}
