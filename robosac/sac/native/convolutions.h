// A convolution of 3 x 3 that keeps the size, max-pooling of 2 x 2 and ReLU, as one product: the windows
// of 4 x 4 that a pooled cell hangs on, with the filters where they lie for each of its four pixels.
// The arithmetic is that of robosac/sac/convolutions.py.
#pragma once
#include "arena.h"
#include "interface.h"

namespace robosac {

constexpr int KERNEL = 3, POOL = 2, PIXELS = POOL * POOL, WINDOW = KERNEL + POOL - 1;

// Sizes of one layer; `filters`: of all encoders that see the same input.
struct Convolution {
  int height, width, channels, filters;  // of the input, and of the output

  int lines() const { return height / POOL; }
  int columns() const { return width / POOL; }
  int cells() const { return lines() * columns(); }
  int inner() const { return WINDOW * WINDOW * channels; }
  int outer() const { return PIXELS * filters; }
  // Of the input with its edge of zeros, as far as cells reach.
  int padded_width() const { return POOL * columns() + POOL; }
  int padded() const { return (POOL * lines() + POOL) * padded_width() * channels; }
  int window_stride() const { return whole(inner(), COLUMNS); }
  int where_stride() const { return whole(filters, WIDTH); }
  // Where line `y` and column `x` of the input lie within its edge.
  int place(int y, int x) const { return ((y + 1) * padded_width() + x + 1) * channels; }
  // Of them, those that cells reach.
  int reached_lines() const { return least(height, POOL * lines() + 1); }
  int reached_columns() const { return least(width, POOL * columns() + 1); }
};

// Windows (pictures * cells, window_stride) of padded pictures.
static void cut_windows(const Convolution &c, int pictures, const Value *padded, Value *to) {
  const int run = WINDOW * c.channels, line = c.padded_width() * c.channels;
  for (int i = 0; i < pictures; i++, padded += c.padded())
    for (int y = 0; y < c.lines(); y++)
      for (int x = 0; x < c.columns(); x++, to += c.window_stride())
        for (int k = 0; k < WINDOW; k++)
          memcpy(to + k * run, padded + (POOL * y + k) * (long)line + POOL * x * c.channels,
                 run * sizeof(Value));
}

// Gradients by windows, added up where these overlap: by padded pictures, which begin as zeros.
static void add_windows(const Convolution &c, int pictures, const float *d, int stride, float *to) {
  const int run = WINDOW * c.channels, line = c.padded_width() * c.channels;
  for (int i = 0; i < pictures; i++, to += c.padded())
    for (int y = 0; y < c.lines(); y++)
      for (int x = 0; x < c.columns(); x++, d += stride)
        for (int k = 0; k < WINDOW; k++) {
          float *at = to + (POOL * y + k) * (long)line + POOL * x * c.channels;
          for (int j = 0; j < run; j++) at[j] += d[k * run + j];
        }
}

// Calls `visit(of the kernels, of the product's right factor)` for where each weight of `count` filters
// (count, channels, 3, 3) lies in [inner][outer]; the first of them is filter `first` of the layer.
template <class Visit>
static void each_weight(const Convolution &c, int first, int count, Visit visit) {
  for (int f = 0, kernel = 0; f < count; f++)
    for (int channel = 0; channel < c.channels; channel++)
      for (int y = 0; y < KERNEL; y++)
        for (int x = 0; x < KERNEL; x++, kernel++)
          for (int pixel = 0; pixel < PIXELS; pixel++) {
            const int row = (y + pixel / POOL) * WINDOW + x + pixel % POOL;
            visit(kernel, (row * c.channels + channel) * c.outer() + pixel * c.filters + first + f);
          }
}

// Products of `rows` windows with a layer's right factor (inner, outer), to raw (rows, stride_of(outer)).
static void filtered(const Convolution &c, int rows, const Value *windows, const float *weight,
                     float *raw, Room room) {
  const int stride = stride_of(c.outer());
  multiply(
      rows, c.inner(), c.outer(), {windows, c.window_stride()}, room,
      [=](int j, Packed *to) { pack(weight + j, c.outer(), c.inner(), c.outer() - j, to); },
      [=](int j) {
        return [=](int row, Floats x, Floats y) { store(raw + row * (long)stride + j, x, y); };
      });
}

// What comes out of one cell, (where_stride,), given the products of its window; to `where` go the
// pixels it came from, PIXELS where the ReLU lets nothing through.
static void pool(const Convolution &c, const float *raw, const float *bias, float scale, float *out,
                 uint8_t *where) {
  for (int j = 0; j < c.filters; j += WIDTH) {
    Floats most = load(raw + j);
    Ints from = {};
    for (int pixel = 1; pixel < PIXELS; pixel++) {
      const Floats x = load(raw + pixel * c.filters + j);
      // The first of equals, and NaN over all, as torch has it.
      const Ints better = (x > most) | (x != x);
      most = better ? x : most;
      from = better ? Ints{} + pixel : from;
    }
    most = relu(most * scale + load(bias + j));
    store(where + j, most <= 0.0f ? Ints{} + PIXELS : from);
    store(out + j, most);
  }
}

// Gradients by the product (rows, stride_of(outer)), given those by the outputs (rows, where_stride).
static void convolve_gradient(const Convolution &c, int rows, const float *d, const uint8_t *where,
                              float *line, Value *d_raw) {
  const int stride = stride_of(c.outer());
  for (int row = 0; row < rows; row++, d += c.where_stride(), where += c.where_stride(), d_raw += stride) {
    // A vector's last lanes reach over into the next pixel's, which come after.
    for (int pixel = 0; pixel < PIXELS; pixel++)
      for (int j = 0; j < c.filters; j += WIDTH) {
        const Ints here = bytes(where + j) == pixel;
        store(line + pixel * c.filters + j, here ? load(d + j) : Floats{});
      }
    for (int j = 0; j < c.outer(); j += COLUMNS)
      put(d_raw + j, padded(line + j, c.outer() - j), padded(line + j + WIDTH, c.outer() - j - WIDTH));
  }
}

}  // namespace robosac
