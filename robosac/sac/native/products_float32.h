// Products of matrices in float32: a panel of the right factor in the first cache, a tile of the result
// in registers (Goto and van de Geijn, ACM TOMS 34:3, 2008). What becomes of the result is told by the
// caller, row by row, while it is still in registers.
#pragma once
#include <stddef.h>

#include "team.h"
#include "transpose.h"

namespace robosac {

constexpr int COLUMNS = 2 * WIDTH;               // of a panel and a tile
constexpr int ROWS = WIDTH == 16 ? 12 : 6;       // of a tile: all registers but four hold it
constexpr bool HAS_UNITS = true;                 // any processor multiplies floats

static inline bool units_allowed() { return true; }
static inline void begin_products() {}
static inline void end_products() {}

// As numbers are kept that a product takes.
typedef float Value;

static inline Floats get(const Value *from) { return load(from); }

static inline void put(Value *to, Floats x, Floats y) { store(to, x, y); }

// The first `count` of both vectors.
static inline void put_some(Value *to, Floats x, Floats y, int count) {
  store_some(to, x, count);
  store_some(to + WIDTH, y, count - WIDTH);
}

// Of a panel of the right factor.
typedef float Packed;

// The left factor, as it lies.
struct Left {
  const Value *from;
  int stride;

  // Its rows from one on.
  template <bool row_wise>
  Left beginning(int row) const {
    return {from + (row_wise ? row * (long)stride : row), stride};
  }
};

static inline size_t packed_size(int inner) { return (size_t)inner * COLUMNS; }

// Nothing is prepared, so there is nothing to keep.
static inline size_t mirrored_size(int, int) { return 0; }

// The left factor whose `rows` are the columns of `a` (inner, .): it lies there already.
static inline Left mirrored(int, int, const Value *a, int stride, Value *, Team &) {
  return {a, stride};
}

// Panel [inner][COLUMNS] of `count` columns of `b` (inner, .), zeros beyond them.
static inline void pack(const float *b, int stride, int inner, int count, Packed *panel) {
  for (int k = 0; k < inner; k++, b += stride, panel += COLUMNS)
    put(panel, padded(b, count), padded(b + WIDTH, count - WIDTH));
}

// Panel [inner][COLUMNS] whose columns are `count` rows of `b` (., inner), zeros beyond them.
static inline void pack_transposed(const float *b, int stride, int inner, int count, Packed *panel) {
  for (int j = 0; j < COLUMNS; j += 8) {
    const int whole = count >= j + 8 ? inner / 8 * 8 : 0;
    for (int k = 0; k < whole; k += 8)
      transpose_block(b + j * (long)stride + k, stride, panel + k * (long)COLUMNS + j, COLUMNS);
    for (int k = whole; k < inner; k++)
      for (int i = j; i < j + 8; i++)
        panel[k * (long)COLUMNS + i] = i < count ? b[i * (long)stride + k] : 0.0f;
  }
}

// Panel of all COLUMNS of `d` (rows, .), and their sums over its rows.
static inline void pack_and_sum(
    const Value *d, int stride, int rows, Packed *panel, Floats *left, Floats *right) {
  for (int k = 0; k < rows; k++, d += stride, panel += COLUMNS) {
    const Floats x = load(d), y = load(d + WIDTH);
    *left += x;
    *right += y;
    put(panel, x, y);
  }
}

// `COUNT` rows of a product; `row_wise`: its left factor is a[row][k], else a[k][row].
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

// The last rows, fewer than a tile's, by tiles of half as many and half again: to compile one of every
// size takes three times as long.
template <int COUNT, bool row_wise, class Take>
static void rest(
    int rows, int row, int inner, const float *a, int stride, const float *panel, Take take) {
  if constexpr (COUNT > 0) {
    for (; row + COUNT <= rows; row += COUNT)
      tile<COUNT, row_wise>(row, inner, a, stride, panel, take);
    rest<COUNT / 2, row_wise>(rows, row, inner, a, stride, panel, take);
  }
}

// Rows of the left factor times a panel: `take(row, columns 0 to WIDTH, columns WIDTH to COLUMNS)`
// gets each. `row_wise`: the factor is no mirrored one.
template <bool row_wise, class Take>
static void product(int rows, int inner, Left left, const Packed *panel, Take take) {
  int row = 0;
  for (; row + ROWS <= rows; row += ROWS)
    tile<ROWS, row_wise>(row, inner, left.from, left.stride, panel, take);
  rest<WIDTH / 2, row_wise>(rows, row, inner, left.from, left.stride, panel, take);
}

}  // namespace robosac
