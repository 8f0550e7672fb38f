// The three products of a layer, as the core makes them, for a test to call.
#include "perceptron.h"

#include <stdlib.h>

using namespace robosac;

namespace {

// Rows with the gaps that the core leaves, and what is beyond a row's numbers: nothing of it may count.
struct Spread {
  int stride;
  float *at;
  Spread(const float *from, int rows, int columns, float beyond) : stride(stride_of(columns)) {
    at = static_cast<float *>(malloc((rows * (size_t)stride + 64) * sizeof(float)));
    for (int row = 0; row < rows; row++)
      for (int j = 0; j < stride; j++)
        at[row * (long)stride + j] = j < columns ? from[row * columns + j] : beyond;
  }
  ~Spread() { free(at); }
};

struct Work {
  Room room;
  explicit Work(int widest) {
    const size_t sizes[] = {packed_size(widest), left_size(widest, widest)};
    room.panel = static_cast<Packed *>(aligned_alloc(64, (sizes[0] * sizeof(Packed) / 64 + 2) * 64));
    room.left = static_cast<Packed *>(aligned_alloc(64, (sizes[1] * sizeof(Packed) / 64 + 2) * 64));
    begin_products();
  }
  ~Work() {
    end_products();
    free(room.panel);
    free(room.left);
  }
};

void gather(const Spread &from, int rows, int columns, float *to) {
  for (int row = 0; row < rows; row++)
    for (int j = 0; j < columns; j++) to[row * columns + j] = from.at[row * (long)from.stride + j];
}

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED int allowed() { return units_allowed(); }

// `out` (rows, outer) = `in` (rows, inner) `weight` (inner, outer) + `bias`.
EXPORTED void forward(int rows, int inner, int outer, int widest, const float *in,
                      const float *weight, const float *bias, float *out) {
  Work work(widest);
  const Spread from(in, rows, inner, 0), to(out, rows, outer, 0);
  affine<false>(rows, from.at, from.stride, inner, weight, bias, outer, to.at, to.stride, work.room);
  gather(to, rows, outer, out);
}

// `d_in` (rows, count) = `d_out` (rows, outer) times the transpose of `weight`'s rows from `first` on.
EXPORTED void backward(int rows, int outer, int first, int count, int widest, const float *d_out,
                       const float *weight, float *d_in) {
  Work work(widest);
  const Spread from(d_out, rows, outer, 0), to(d_in, rows, count, 0);
  affine_gradient(rows, from.at, from.stride, outer, weight, first, count, to.at, to.stride,
                  work.room);
  gather(to, rows, count, d_in);
}

// `d_weight` (inner, outer) and `d_bias` (outer,) of `in` (rows, inner) and `d_out` (rows, outer).
EXPORTED void gradient(int rows, int inner, int outer, int widest, const float *in,
                       const float *d_out, float *d_weight, float *d_bias) {
  Work work(widest);
  const Spread left(in, rows, inner, 0), right(d_out, rows, outer, 0);
  weight_gradient(rows, left.at, left.stride, inner, right.at, right.stride, outer, d_weight, d_bias,
                  work.room);
}
