// A ReLU perceptron on the learner's flat storage: forward, and the two gradients.
// The arithmetic is that of robosac/sac/networks.py.
#pragma once
#include "interface.h"
#include "products.h"

namespace robosac {

constexpr float NORM_EPSILON = 1e-5f;

// Values from one row to the next: whole panels, and no power of two, whose rows would share sets of
// the cache.
static inline int stride_of(int columns) { return whole(columns, COLUMNS) + COLUMNS; }

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
  Value *input[MOST_LAYERS];
  float *normal[MOST_LAYERS];  // what the ReLU before layer i got
  float *scale[MOST_LAYERS];   // one over the deviation, of each row of it
};

// Rows of `count` floats, to those of a network's input from a column on; zeros up to a whole panel.
static void fill(const float *from, int rows, int count, Value *to, int stride) {
  for (int row = 0; row < rows; row++, from += count, to += stride)
    for (int j = 0; j < count; j += COLUMNS)
      put(to + j, padded(from + j, count - j), padded(from + j + WIDTH, count - j - WIDTH));
}

// `x` less its mean over its deviation, in place; `take(column, columns 0 to WIDTH from there, WIDTH to
// COLUMNS)` gets it too. Returns one over the deviation.
template <class Take>
static inline float normalise(float *x, int n, Take take) {
  Floats total = {}, squares = {};
  const int most = n / WIDTH * WIDTH;
  float rest = 0, rest_squares = 0;
  for (int j = 0; j < most; j += WIDTH) total += load(x + j);
  for (int j = most; j < n; j++) rest += x[j];
  const float mean = (sum(total) + rest) / n;
  for (int j = 0; j < most; j += WIDTH) {
    const Floats centred = load(x + j) - mean;
    squares += centred * centred;
  }
  for (int j = most; j < n; j++) rest_squares += (x[j] - mean) * (x[j] - mean);
  const float scale = 1.0f / __builtin_sqrtf((sum(squares) + rest_squares) / n + NORM_EPSILON);
  for (int j = 0; j < n; j += COLUMNS) {
    const Floats y = (load(x + j) - mean) * scale, z = (load(x + j + WIDTH) - mean) * scale;
    store(x + j, y, z);
    take(j, y, z);
  }
  return scale;
}

// Gradient by what `normalise` got, in place of that by what it put out.
static inline void normalise_gradient(float *d, const float *normal, float scale, int n) {
  Floats total = {}, product = {};
  const int most = n / WIDTH * WIDTH;
  float rest = 0, rest_product = 0;
  for (int j = 0; j < most; j += WIDTH) {
    total += load(d + j);
    product += load(d + j) * load(normal + j);
  }
  for (int j = most; j < n; j++) {
    rest += d[j];
    rest_product += d[j] * normal[j];
  }
  const float mean = (sum(total) + rest) / n, along = (sum(product) + rest_product) / n;
  for (int j = 0; j < most; j += WIDTH)
    store(d + j, (load(d + j) - mean - load(normal + j) * along) * scale);
  for (int j = most; j < n; j++) d[j] = (d[j] - mean - normal[j] * along) * scale;
}

// `scale` `in` weight + bias: `take(row, column, columns 0 to WIDTH from there, WIDTH to COLUMNS)` gets
// all of it, zeros in the columns behind the last.
template <class Take>
static void affine(int rows, const Value *in, int in_stride, int inner, const float *weight,
                   const float *bias, int outer, Room room, Take take, float scale = 1) {
  multiply(
      rows, inner, outer, {in, in_stride}, room,
      [=](int j, Packed *to) { pack(weight + j, outer, inner, outer - j, to); },
      [=](int j) {
        const Floats b = padded(bias + j, outer - j), c = padded(bias + j + WIDTH, outer - j - WIDTH);
        return [=](int row, Floats x, Floats y) { take(row, j, x * scale + b, y * scale + c); };
      });
}

// `d_out` weight^T, for `count` inputs from `from` on; `take` as of `affine`.
template <class Take>
static void affine_gradient(int rows, const Value *d_out, int out_stride, int outer,
                            const float *weight, int from, int count, Room room, Take take) {
  multiply(
      rows, outer, count, {d_out, out_stride}, room,
      [=](int j, Packed *to) {
        pack_transposed(weight + (from + j) * (long)outer, outer, outer, count - j, to);
      },
      [=](int j) { return [=](int row, Floats x, Floats y) { take(row, j, x, y); }; });
}

// Rows that went through a layer: its input, mirrored, and the gradient by what it put out.
struct Passage {
  int rows;
  Left in;
  const Value *d_out;
};

// Gradients of weight [inner][outer] and bias [outer] by all passages, one added after the other;
// `more`: to what is there.
static void weight_gradient(const Passage *passages, int count, int inner, int out_stride, int outer,
                            float *d_weight, float *d_bias, Room room, bool more) {
  share_blocks(inner, outer, room, [&](int j, int from, int some, Packed *panel) {
    for (int i = 0; i < count; i++) {
      const Passage &by = passages[i];
      const bool added = more || i > 0;
      auto write = [=](float *to, Floats x, Floats y) {
        if (added) {
          x += padded(to, outer - j);
          y += padded(to + WIDTH, outer - j - WIDTH);
        }
        store_some(to, x, outer - j);
        store_some(to + WIDTH, y, outer - j - WIDTH);
      };
      Floats b = {}, c = {};
      pack_and_sum(by.d_out + j, out_stride, by.rows, panel, &b, &c);
      if (from == 0) write(d_bias + j, b, c);
      product<false>(some, by.rows, by.in.template beginning<false>(from), panel,
                     [=](int row, Floats x, Floats y) {
                       write(d_weight + (from + row) * (long)outer + j, x, y);
                     });
    }
  });
}

// Likewise of one passage.
static void weight_gradient(int rows, const Value *in, int in_stride, int inner, const Value *d_out,
                            int out_stride, int outer, float *d_weight, float *d_bias, Room room) {
  const Passage passage = {rows, mirrored(inner, rows, in, in_stride, room.left, *room.team), d_out};
  weight_gradient(&passage, 1, inner, out_stride, outer, d_weight, d_bias, room, false);
}

// Hidden layers, from `at.input[0]` on.
static void forward_hidden(const Shape &shape, const Weights &net, const Rows &at, int rows,
                           Room room) {
  for (int i = 0; i + 1 < shape.layers; i++) {
    const int n = shape.width[i + 1], stride = shape.stride(i + 1);
    Value *out = at.input[i + 1];
    float *raw = at.normal[i + 1];
    auto through = [&](auto take) {
      affine(rows, at.input[i], shape.stride(i), shape.width[i], net.weight[i], net.bias[i], n, room,
             take);
    };
    if (!shape.norm) {
      through([=](int row, int j, Floats x, Floats y) {
        put(out + row * (long)stride + j, relu(x), relu(y));
      });
      continue;
    }
    through([=](int row, int j, Floats x, Floats y) {
      store(raw + row * (long)stride + j, x, y);
    });
    float *scale = at.scale[i + 1];
    room.each_row(rows, [=](int row) {
      Value *to = out + row * (long)stride;
      scale[row] = normalise(
          raw + row * (long)stride, n, [=](int j, Floats y, Floats z) { put(to + j, relu(y), relu(z)); });
      for (int j = n; j < whole(n, COLUMNS); j++) to[j] = 0;
    });
  }
}

// Takes the gradient by layer `index`'s input on, to that by what layer `index - 1` put out: through
// the ReLU between them and, once all columns are there, the normalisation. Row r is of row `which[r]`
// of what went through, or of row r.
struct Descent {
  Value *d;
  const Value *out;
  const float *normal, *scale;
  const int *which;
  Room room;
  float *wide;
  int n, stride;

  Descent(const Shape &shape, const Rows &at, int index, const int *which, Value *d, Room room)
      : d(d), out(at.input[index]), normal(at.normal[index]), scale(at.scale[index]), which(which),
        room(room), wide(shape.norm ? room.wide : nullptr), n(shape.width[index]),
        stride(shape.stride(index)) {}

  long source(int row) const { return which ? which[row] : row; }

  void operator()(int row, int j, Floats x, Floats y) const {
    const Value *passed = out + source(row) * stride + j;
    const long to = row * (long)stride + j;
    x = relu_gradient(x, get(passed));
    y = relu_gradient(y, get(passed + WIDTH));
    if (wide)
      store(wide + to, x, y);
    else
      put(d + to, x, y);
  }

  void finish(int rows) const {
    if (!wide) return;
    room.each_row(rows, [this](int row) {
      float *from = wide + row * (long)stride;
      normalise_gradient(from, normal + source(row) * stride, scale[source(row)], n);
      for (int j = 0; j < n; j += COLUMNS)
        put(d + row * (long)stride + j, load(from + j), load(from + j + WIDTH));
    });
  }
};

// The gradient by what a layer put out, on to that by what the layer before it did.
static void through_layer(const Shape &shape, const Weights &net, int index, int rows,
                          const Value *d_out, const Descent &down, Room room) {
  affine_gradient(rows, d_out, shape.stride(index + 1), shape.width[index + 1], net.weight[index], 0,
                  shape.width[index], room, down);
  down.finish(rows);
}

// The step of many parameters.
static void learn(const Step &step, const float *at, const float *gradient, int64_t count, Room room) {
  room.team->parts(count, GRAIN, [=, &step](int64_t from, int64_t to, int) {
    step(at + from, gradient + from, to - from);
  });
}

// One layer's step, given the gradient by what it put out.
static void learn_layer(const Shape &shape, const Weights &net, const Rows &at, int index, int rows,
                        const Value *d_out, const Step &step, Room room) {
  const int inner = shape.width[index], outer = shape.width[index + 1];
  float *d_weight = room.gradient, *d_bias = d_weight + whole(inner * outer, WIDTH);
  weight_gradient(rows, at.input[index], shape.stride(index), inner, d_out, shape.stride(index + 1),
                  outer, d_weight, d_bias, room);
  learn(step, net.weight[index], d_weight, inner * (int64_t)outer, room);
  step(net.bias[index], d_bias, outer);
}

// Down through the hidden layers, given in `d[layers - 1]` the gradient by what the last of them put
// out before its ReLU; `step`: of the weights, each layer's once nobody needs the old ones. Leaves in
// `d[1]` that of the first layer; `reached` is called when it is there, and the first weights still are.
template <class Reached>
static void backward_hidden(const Shape &shape, const Weights &net, const Rows &at, int rows,
                            const int *which, Value *const *d, const Step *step, Room room,
                            Reached reached) {
  for (int i = shape.layers - 2; i >= 0; i--) {
    if (i > 0)
      through_layer(shape, net, i, rows, d[i + 1], Descent(shape, at, i, which, d[i], room), room);
    else
      reached();
    if (step) learn_layer(shape, net, at, i, rows, d[i + 1], *step, room);
  }
}

// The head of one output, (rows,).
static void forward_one(const Shape &shape, const Weights &net, const Rows &at, int rows, float *out,
                        Room room) {
  const int last = shape.layers - 1, n = shape.width[last], stride = shape.stride(last);
  const float *w = net.weight[last];
  const float bias = net.bias[last][0];
  const Value *in = at.input[last];
  room.each_row(rows, [=](int row) {
    const Value *x = in + row * (long)stride;
    Floats total = {};
    for (int j = 0; j < n; j += WIDTH) total += get(x + j) * padded(w + j, n - j);
    out[row] = sum(total) + bias;
  });
}

// Gradient by what the last hidden layer put out, given `d_out` (rows,) by that head's.
static void backward_one(const Shape &shape, const Weights &net, int rows, const float *d_out,
                         const Descent &down) {
  const int last = shape.layers - 1, n = shape.width[last];
  const float *w = net.weight[last];
  down.room.each_row(rows, [=, &down](int row) {
    for (int j = 0; j < n; j += COLUMNS)
      down(row, j, d_out[row] * padded(w + j, n - j),
           d_out[row] * padded(w + j + WIDTH, n - j - WIDTH));
  });
  down.finish(rows);
}

// That head's step.
static void learn_one(const Shape &shape, const Weights &net, const Rows &at, int rows,
                      const float *d_out, const Step &step, Room room) {
  const int last = shape.layers - 1, n = shape.width[last], stride = shape.stride(last);
  const Value *in = at.input[last];
  room.team->each((n + WIDTH - 1) / WIDTH, [=](int index, int) {
    const int j = index * WIDTH;
    Floats total = {};
    for (int row = 0; row < rows; row++) total += d_out[row] * get(in + row * (long)stride + j);
    store(room.gradient + j, total);
  });
  float total = 0;
  for (int row = 0; row < rows; row++) total += d_out[row];
  step(net.weight[last], room.gradient, n);
  step(net.bias[last], &total, 1);
}

}  // namespace robosac
