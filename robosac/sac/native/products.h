// Products of matrices: a panel of the right factor in the first cache, a tile of the result in
// registers (Goto and van de Geijn, ACM TOMS 34:3, 2008). What becomes of the result is told by the
// caller, row by row, while it is still in registers.
#pragma once
#include "vectors.h"

namespace robosac {

constexpr int COLUMNS = 2 * WIDTH;               // of a panel and a tile
constexpr int ROWS = WIDTH == 16 ? 12 : 6;       // of a tile: all registers but four hold it

static inline int least(int a, int b) { return a < b ? a : b; }

// Panel [inner][COLUMNS] of `count` columns of `b` (inner, .), zeros beyond them.
static inline void pack(const float *b, int stride, int inner, int count, float *panel) {
  for (int k = 0; k < inner; k++, b += stride, panel += COLUMNS) {
    if (count >= COLUMNS) {
      store(panel, load(b));
      store(panel + WIDTH, load(b + WIDTH));
      continue;
    }
    for (int j = 0; j < COLUMNS; j++) panel[j] = j < count ? b[j] : 0.0f;
  }
}

typedef float Eight __attribute__((vector_size(32)));

// Eight rows of eight, mirrored at the diagonal.
static inline void transpose_block(const float *from, int stride, float *to, int to_stride) {
  Eight r[8], t[8];
  for (int i = 0; i < 8; i++) memcpy(&r[i], from + i * (long)stride, sizeof r[i]);
  for (int i = 0; i < 8; i += 2) {
    t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 2; j++) {
      r[i + j] = __builtin_shufflevector(t[i + j], t[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      r[i + j + 2] = __builtin_shufflevector(t[i + j], t[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  for (int i = 0; i < 4; i++) {
    t[i] = __builtin_shufflevector(r[i], r[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    t[i + 4] = __builtin_shufflevector(r[i], r[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
  for (int i = 0; i < 8; i++) memcpy(to + i * (long)to_stride, &t[i], sizeof t[i]);
}

// Panel [inner][COLUMNS] whose columns are `count` rows of `b` (., inner), zeros beyond them.
static inline void pack_transposed(const float *b, int stride, int inner, int count, float *panel) {
  for (int j = 0; j < COLUMNS; j += 8) {
    const int whole = count >= j + 8 ? inner / 8 * 8 : 0;
    for (int k = 0; k < whole; k += 8)
      transpose_block(b + j * (long)stride + k, stride, panel + k * (long)COLUMNS + j, COLUMNS);
    for (int k = whole; k < inner; k++)
      for (int i = j; i < j + 8; i++)
        panel[k * (long)COLUMNS + i] = i < count ? b[i * (long)stride + k] : 0.0f;
  }
}

// `COUNT` rows of a product; `row_wise`: a[row][k], else a[k][row].
template <int COUNT, bool row_wise, class Take>
static inline __attribute__((always_inline)) void tile(
    int row, int inner, const float *a, int stride, const float *panel, Take take) {
  Floats left[COUNT] = {}, right[COUNT] = {};
  const float *first = row_wise ? a + row * (long)stride : a + row;
  for (int k = 0; k < inner; k++, panel += COLUMNS) {
    const Floats b = load(panel), c = load(panel + WIDTH);
#pragma GCC unroll 12
    for (int i = 0; i < COUNT; i++) {
      const Floats x = all(row_wise ? first[i * (long)stride + k] : first[i]);
      left[i] += x * b;
      right[i] += x * c;
    }
    if (!row_wise) first += stride;
  }
#pragma GCC unroll 12
  for (int i = 0; i < COUNT; i++) take(row + i, left[i], right[i]);
}

// The last rows, fewer than a tile's.
template <int COUNT, bool row_wise, class Take>
static void rest(
    int rows, int row, int inner, const float *a, int stride, const float *panel, Take take) {
  if constexpr (COUNT > 0) {
    if (rows == COUNT)
      tile<COUNT, row_wise>(row, inner, a, stride, panel, take);
    else
      rest<COUNT - 1, row_wise>(rows, row, inner, a, stride, panel, take);
  }
}

// Rows of `a` times a panel: `take(row, columns 0 to WIDTH, columns WIDTH to COLUMNS)` gets each.
template <bool row_wise, class Take>
static void product(
    int rows, int inner, const float *a, int stride, const float *panel, Take take) {
  int row = 0;
  for (; row + ROWS <= rows; row += ROWS)
    tile<ROWS, row_wise>(row, inner, a, stride, panel, take);
  rest<ROWS - 1, row_wise>(rows - row, row, inner, a, stride, panel, take);
}

}  // namespace robosac
