// The three products of a layer, as the core makes them, for a test to call.
#include "perceptron.h"

#include <stdlib.h>

using namespace robosac;

namespace {

// Rows with the gaps that the core leaves.
struct Spread {
  int stride;
  Value *at;
  Spread(const float *from, int rows, int columns) : stride(stride_of(columns)) {
    const size_t size = whole(rows, ROWS) * (size_t)stride * sizeof(Value);
    at = static_cast<Value *>(aligned_alloc(64, whole(size, 64)));
    memset(at, 0, size);
    fill(from, rows, columns, at, stride);
  }
  ~Spread() { free(at); }
};

// Two threads' work.
struct Work {
  Team team{2};
  Room room = {};
  explicit Work(int widest) {
    const size_t sizes[] = {packed_size(widest) * sizeof(Packed),
                            mirrored_size(widest, widest) * sizeof(Value)};
    const size_t panel = (sizes[0] / 64 + 2) * 64;
    room.panel_size = panel / sizeof(Packed);
    room.panels = static_cast<Packed *>(aligned_alloc(64, team.threads * panel));
    room.left = static_cast<Value *>(aligned_alloc(64, (sizes[1] / 64 + 2) * 64));
    room.team = &team;
    if (!team.start(begin_products)) abort();
    begin_products();
  }
  ~Work() {
    end_products();
    free(room.panels);
    free(room.left);
  }
};

// Takes a product into rows without gaps.
auto into(float *to, int columns) {
  return [=](int row, int j, Floats x, Floats y) {
    for (int i = 0; i < least(COLUMNS, columns - j); i++)
      to[row * columns + j + i] = i < WIDTH ? x[i] : y[i - WIDTH];
  };
}

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED int allowed() { return units_allowed(); }

// `out` (rows, outer) = `in` (rows, inner) `weight` (inner, outer) + `bias`.
EXPORTED void forward(int rows, int inner, int outer, int widest, const float *in,
                      const float *weight, const float *bias, float *out) {
  Work work(widest);
  const Spread from(in, rows, inner);
  affine(rows, from.at, from.stride, inner, weight, bias, outer, work.room, into(out, outer));
}

// `d_in` (rows, count) = `d_out` (rows, outer) times the transpose of `weight`'s rows from `first` on.
EXPORTED void backward(int rows, int outer, int first, int count, int widest, const float *d_out,
                       const float *weight, float *d_in) {
  Work work(widest);
  const Spread from(d_out, rows, outer);
  affine_gradient(rows, from.at, from.stride, outer, weight, first, count, work.room,
                  into(d_in, count));
}

// `d_weight` (inner, outer) and `d_bias` (outer,) of `in` (rows, inner) and `d_out` (rows, outer).
EXPORTED void gradient(int rows, int inner, int outer, int widest, const float *in,
                       const float *d_out, float *d_weight, float *d_bias) {
  Work work(widest);
  const Spread left(in, rows, inner), right(d_out, rows, outer);
  weight_gradient(rows, left.at, left.stride, inner, right.at, right.stride, outer, d_weight, d_bias,
                  work.room);
}
