// A ReLU perceptron on the learner's flat storage: forward, and the two gradients.
// The arithmetic is that of robosac/sac/networks.py.
#pragma once
#include "products.h"

namespace robosac {

constexpr int MOST_LAYERS = 9;
constexpr float NORM_EPSILON = 1e-5f;

// Floats from one row to the next: whole panels, and no power of two, whose rows would share sets
// of the cache.
static inline int stride_of(int columns) {
  return (columns + COLUMNS - 1) / COLUMNS * COLUMNS + 16;
}

struct Shape {
  int layers;                  // the last one is the head
  int width[MOST_LAYERS + 1];  // of the input, of each layer's output
  bool norm;                   // hidden layers are normalised before their ReLU

  int stride(int index) const { return stride_of(width[index]); }
};

// Weights [in][out] and biases [out] of one network.
struct Weights {
  float *weight[MOST_LAYERS], *bias[MOST_LAYERS];
};

// Rows that go through a network. `input[i]` is what layer i gets; columns beyond its width are zero.
struct Rows {
  float *input[MOST_LAYERS];
  float *normal[MOST_LAYERS];  // what the ReLU before layer i got
  float *scale[MOST_LAYERS];   // one over the deviation, of each row of it
};

// `x` less its mean over its deviation, in place; its ReLU to `out`. Returns one over the deviation.
static inline float normalise(float *x, int n, float *out) {
  Floats total = {}, squares = {};
  const int whole = n / WIDTH * WIDTH;
  float rest = 0, rest_squares = 0;
  for (int j = 0; j < whole; j += WIDTH) total += load(x + j);
  for (int j = whole; j < n; j++) rest += x[j];
  const float mean = (sum(total) + rest) / n;
  for (int j = 0; j < whole; j += WIDTH) {
    const Floats centred = load(x + j) - mean;
    squares += centred * centred;
  }
  for (int j = whole; j < n; j++) rest_squares += (x[j] - mean) * (x[j] - mean);
  const float scale = 1.0f / __builtin_sqrtf((sum(squares) + rest_squares) / n + NORM_EPSILON);
  for (int j = 0; j < whole; j += WIDTH) {
    const Floats y = (load(x + j) - mean) * scale;
    store(x + j, y);
    store(out + j, relu(y));
  }
  for (int j = whole; j < n; j++) {
    x[j] = (x[j] - mean) * scale;
    out[j] = x[j] < 0 ? 0.0f : x[j];
  }
  return scale;
}

// Gradient by what `normalise` got, in place of that by what it put out.
static inline void normalise_gradient(float *d, const float *normal, float scale, int n) {
  Floats total = {}, product = {};
  const int whole = n / WIDTH * WIDTH;
  float rest = 0, rest_product = 0;
  for (int j = 0; j < whole; j += WIDTH) {
    total += load(d + j);
    product += load(d + j) * load(normal + j);
  }
  for (int j = whole; j < n; j++) {
    rest += d[j];
    rest_product += d[j] * normal[j];
  }
  const float mean = (sum(total) + rest) / n, along = (sum(product) + rest_product) / n;
  for (int j = 0; j < whole; j += WIDTH)
    store(d + j, (load(d + j) - mean - load(normal + j) * along) * scale);
  for (int j = whole; j < n; j++) d[j] = (d[j] - mean - normal[j] * along) * scale;
}

static inline Floats padded(const float *from, int count) {
  if (count >= WIDTH) return load(from);
  Floats x = {};
  for (int j = 0; j < count; j++) x[j] = from[j];
  return x;
}

// `out` = `in` weight + bias.
template <bool with_relu>
static void affine(int rows, const float *in, int in_stride, int inner, const float *weight,
                   const float *bias, int outer, float *out, int out_stride, Room room) {
  const Left left = left_factor<true>(rows, inner, in, in_stride, room.left);
  for (int j = 0; j < outer; j += COLUMNS) {
    pack(weight + j, outer, inner, outer - j, room.panel);
    const Floats b = padded(bias + j, outer - j), c = padded(bias + j + WIDTH, outer - j - WIDTH);
    product<true>(rows, inner, left, room.panel, [=](int row, Floats x, Floats y) {
      float *to = out + row * (long)out_stride + j;
      store(to, with_relu ? relu(x + b) : x + b);
      store(to + WIDTH, with_relu ? relu(y + c) : y + c);
    });
  }
}

// `d_in` = `d_out` weight^T, for `count` inputs from `from` on.
static void affine_gradient(int rows, const float *d_out, int out_stride, int outer,
                            const float *weight, int from, int count, float *d_in, int in_stride,
                            Room room) {
  const Left left = left_factor<true>(rows, outer, d_out, out_stride, room.left);
  for (int j = 0; j < count; j += COLUMNS) {
    pack_transposed(weight + (from + j) * (long)outer, outer, outer, count - j, room.panel);
    product<true>(rows, outer, left, room.panel, [=](int row, Floats x, Floats y) {
      float *to = d_in + row * (long)in_stride + j;
      store(to, x);
      store(to + WIDTH, y);
    });
  }
}

// Gradients of weight and bias.
static void weight_gradient(int rows, const float *in, int in_stride, int inner,
                            const float *d_out, int out_stride, int outer, float *d_weight,
                            float *d_bias, Room room) {
  const Left left = left_factor<false>(inner, rows, in, in_stride, room.left);
  for (int j = 0; j < outer; j += COLUMNS) {
    const int count = least(COLUMNS, outer - j);
    pack(d_out + j, out_stride, rows, COLUMNS, room.panel);
    Floats b = {}, c = {};
    for (int k = 0; k < rows; k++) {
      b += load(d_out + k * (long)out_stride + j);
      c += load(d_out + k * (long)out_stride + j + WIDTH);
    }
    auto put = [=](float *to, Floats x, Floats y) {
      if (count == COLUMNS) {
        store(to, x);
        store(to + WIDTH, y);
        return;
      }
      for (int i = 0; i < count; i++) to[i] = i < WIDTH ? x[i] : y[i - WIDTH];
    };
    put(d_bias + j, b, c);
    product<false>(inner, rows, left, room.panel, [=](int row, Floats x, Floats y) {
      put(d_weight + row * (long)outer + j, x, y);
    });
  }
}

// Hidden layers, from `rows.input[0]` on.
static void forward_hidden(const Shape &shape, const Weights &net, const Rows &at, int rows,
                           Room room) {
  for (int i = 0; i + 1 < shape.layers; i++) {
    const int n = shape.width[i + 1], stride = shape.stride(i + 1);
    float *out = at.input[i + 1];
    if (!shape.norm) {
      affine<true>(rows, at.input[i], shape.stride(i), shape.width[i], net.weight[i], net.bias[i],
                   n, out, stride, room);
      continue;
    }
    float *raw = at.normal[i + 1];
    affine<false>(rows, at.input[i], shape.stride(i), shape.width[i], net.weight[i], net.bias[i], n,
                  raw, stride, room);
    for (int row = 0; row < rows; row++)
      at.scale[i + 1][row] = normalise(raw + row * (long)stride, n, out + row * (long)stride);
  }
}

// From the gradient by layer `index`'s input to that by what layer `index - 1` put out, in place.
// Row r of `d` belongs to row `which[r]` of `at`, or to row r.
static void through_relu(const Shape &shape, const Rows &at, int index, int rows, const int *which,
                         float *d) {
  const int n = shape.width[index], stride = shape.stride(index);
  for (int row = 0; row < rows; row++, d += stride) {
    const long from = (which ? which[row] : row) * (long)stride;
    const float *out = at.input[index] + from;
    for (int j = 0; j < n; j += WIDTH) store(d + j, relu_gradient(load(d + j), load(out + j)));
    if (shape.norm)
      normalise_gradient(d, at.normal[index] + from, at.scale[index][which ? which[row] : row], n);
  }
}

// Down through the hidden layers, given in `d[layers - 1]` the gradient by the head's input before
// its ReLU; `gradient`: write that of the weights. Leaves in `d[1]` that of the first layer's output.
static void backward_hidden(const Shape &shape, const Weights &net, const Rows &at, int rows,
                            const int *which, float *const *d, const Weights *gradient,
                            Room room) {
  for (int i = shape.layers - 2; i >= 0; i--) {
    const int n = shape.width[i + 1], stride = shape.stride(i + 1);
    through_relu(shape, at, i + 1, rows, which, d[i + 1]);
    if (gradient)
      weight_gradient(rows, at.input[i], shape.stride(i), shape.width[i], d[i + 1], stride, n,
                      gradient->weight[i], gradient->bias[i], room);
    if (i > 0)
      affine_gradient(rows, d[i + 1], stride, n, net.weight[i], 0, shape.width[i], d[i],
                      shape.stride(i), room);
  }
}

// The head of one output, (rows,).
static void forward_one(const Shape &shape, const Weights &net, const Rows &at, int rows,
                        float *out) {
  const int last = shape.layers - 1, n = shape.width[last], stride = shape.stride(last);
  const float *w = net.weight[last];
  const int whole = n / WIDTH * WIDTH;
  for (int row = 0; row < rows; row++) {
    const float *x = at.input[last] + row * (long)stride;
    Floats total = {};
    float rest = net.bias[last][0];
    for (int j = 0; j < whole; j += WIDTH) total += load(x + j) * load(w + j);
    for (int j = whole; j < n; j++) rest += x[j] * w[j];
    out[row] = sum(total) + rest;
  }
}

// Gradients of that head, given `d_out` (rows,): by its input to `d_in`, of its weights likewise.
static void backward_one(const Shape &shape, const Weights &net, const Rows &at, int rows,
                         const float *d_out, float *d_in, const Weights *gradient) {
  const int last = shape.layers - 1, n = shape.width[last], stride = shape.stride(last);
  const float *w = net.weight[last];
  for (int row = 0; row < rows; row++)
    for (int j = 0; j < n; j += WIDTH)
      store(d_in + row * (long)stride + j, d_out[row] * padded(w + j, n - j));
  if (!gradient) return;
  for (int j = 0; j < n; j += WIDTH) {
    Floats total = {};
    for (int row = 0; row < rows; row++)
      total += d_out[row] * load(at.input[last] + row * (long)stride + j);
    for (int i = 0; i < least(WIDTH, n - j); i++) gradient->weight[last][j + i] = total[i];
  }
  float total = 0;
  for (int row = 0; row < rows; row++) total += d_out[row];
  gradient->bias[last][0] = total;
}

}  // namespace robosac
