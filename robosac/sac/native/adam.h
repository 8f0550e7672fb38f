// Adam (arXiv 1412.6980, Algorithm 1) on flat storage, one layer after another as its gradient comes,
// while that is in the cache; and what follows the parameters as a moving average.
#pragma once
#include <math.h>

#include "vectors.h"

// As robosac/sac/native/interface.py tells it.
struct Optimiser {
  float *parameters, *mean, *square, *count;
  float *follower;  // may be null
  double rate, share;
};

namespace robosac {

// One step of one optimiser; its count goes up once.
struct Step {
  Optimiser o;
  float rate, correction, share;

  explicit Step(const Optimiser &o) : o(o), share(o.share) {
    const float count = *o.count += 1;
    rate = o.rate / (1 - pow(0.9, count));
    correction = 1 / sqrt(1 - pow(0.999, count));
  }

  // Of `count` parameters, which begin at `at`.
  void operator()(const float *at, const float *gradient, int64_t count) const {
    const int64_t from = at - o.parameters;
    int64_t i = 0;
    for (; i + WIDTH <= count; i += WIDTH) some(from + i, gradient + i, WIDTH);
    if (i < count) some(from + i, gradient + i, count - i);
  }

 private:
  inline __attribute__((always_inline)) void some(int64_t i, const float *gradient, int n) const {
    const float first = 0.1f, second = 0.001f, epsilon = 1e-8f;
    const Floats g = padded(gradient, n), m = padded(o.mean + i, n), v = padded(o.square + i, n);
    const Floats mean = m + (g - m) * first, square = v * 0.999f + g * g * second;
    const Floats moved = padded(o.parameters + i, n) -
                         quotient(mean * rate, square_root(square) * correction + epsilon);
    store_some(o.mean + i, mean, n);
    store_some(o.square + i, square, n);
    store_some(o.parameters + i, moved, n);
    if (!o.follower) return;
    const Floats old = padded(o.follower + i, n);
    // The half that is nearer, as torch's lerp: a share of 1 gives the new one to the bit.
    store_some(o.follower + i,
               share < 0.5f ? old + (moved - old) * share : moved - (moved - old) * (1 - share), n);
  }
};

}  // namespace robosac
