// Products of matrices in bfloat16 with sums in float32, by the tiles of AMX (Intel 64 and IA-32
// Architectures Software Developer's Manual, vol. 1, chapter 18). Both factors are rounded to the
// nearest, as they are packed; what is kept, added and stepped stays float32. Where a processor has
// no tiles the same sums are made of float32's, one by one: to test by, not to be fast.
#pragma once
#include <stddef.h>

#include "team.h"
#include "transpose.h"

#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__AVX512F__) && defined(__linux__)
#define ROBOSAC_TILES 1
#endif
#ifdef ROBOSAC_TILES
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace robosac {

constexpr int COLUMNS = 2 * WIDTH;  // of a panel: two tiles
constexpr int INNER = 2 * WIDTH;    // that one step of a tile sums over, in pairs
constexpr int ROWS = 2 * WIDTH;     // of a block of the result: two tiles

// As numbers are kept that a product takes: rounded once, when they are made.
typedef uint16_t Value;

// Two neighbours of the inner dimension, the first one in the lower half.
typedef uint32_t Packed;

// The left factor: rows whose lines of the cache are whole. Those of the last block are there,
// whatever they hold, and so are those of a row's last step, which hold zeros.
struct Left {
  const Value *from;
  int stride;

  // Its rows from one on; a mirrored one lies like any other.
  template <bool row_wise>
  Left beginning(int row) const {
    return {from + row * (long)stride, stride};
  }
};

static inline size_t packed_size(int inner) { return (size_t)whole(inner, INNER) / 2 * COLUMNS; }

static inline size_t mirrored_size(int rows, int inner) {
  return (size_t)whole(rows, ROWS) * whole(inner, INNER);
}

typedef uint32_t Words __attribute__((vector_size(WIDTH * 4)));
typedef uint16_t Halves __attribute__((vector_size(WIDTH * 2)));

static inline Words words_of(Floats x) {
  Words bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline Floats floats_of(Words bits) {
  Floats x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static inline void store(Packed *to, Words x) { memcpy(to, &x, sizeof x); }

// Upper halves: bfloat16, to the nearest, halfway to even; NaN stays NaN.
static inline Words rounded(Floats x) {
  const Words bits = words_of(x), nearest = bits + 0x7fff + ((bits >> 16) & 1);
  return x == x ? nearest : bits | 0x400000;
}

// Number i of each, as pair i.
static inline Words paired(Floats low, Floats high) {
#if defined(__AVX512BF16__) && defined(__AVX512BW__)
  const __m512i order = _mm512_set_epi16(
      31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19,
      3, 18, 2, 17, 1, 16, 0);
  const __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
  return (Words)_mm512_permutexvar_epi16(order, both);
#else
  return rounded(low) >> 16 | (rounded(high) & 0xffff0000);
#endif
}

// Neighbours of a row, as pairs.
static inline Words neighbours(Floats first, Floats second) {
#if defined(__AVX512BF16__) && defined(__AVX512BW__)
  return (Words)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
#else
  const Halves halves[2] = {__builtin_convertvector(rounded(first) >> 16, Halves),
                            __builtin_convertvector(rounded(second) >> 16, Halves)};
  Words both;
  memcpy(&both, halves, sizeof both);
  return both;
#endif
}

static inline Words widened(const Value *from) {
#if defined(__AVX512F__)
  return (Words)_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)from));
#else
  Halves x;
  memcpy(&x, from, sizeof x);
  return __builtin_convertvector(x, Words);
#endif
}

static inline Floats get(const Value *from) { return floats_of(widened(from) << 16); }

static inline void put(Value *to, Floats x, Floats y) {
  const Words both = neighbours(x, y);
  memcpy(to, &both, sizeof both);
}

// The first `count` of both vectors.
static inline void put_some(Value *to, Floats x, Floats y, int count) {
  if (count >= COLUMNS) return put(to, x, y);
  const Words both = neighbours(x, y);
  memcpy(to, &both, count * sizeof(Value));
}

static inline void transpose(const Packed *from, int stride, Packed *to, int to_stride) {
  for (int i = 0; i < WIDTH; i += 8)
    for (int j = 0; j < WIDTH; j += 8)
      transpose_block(reinterpret_cast<const float *>(from) + i * (long)stride + j, stride,
                      reinterpret_cast<float *>(to) + j * (long)to_stride + i, to_stride);
}

// Panel [pairs of inner][COLUMNS] of `count` columns of `b` (inner, .), zeros beyond them.
static inline void pack(const float *b, int stride, int inner, int count, Packed *panel) {
  auto part = [&](int k, int j) {
    return k < inner ? padded(b + k * (long)stride + j, count - j) : Floats{};
  };
  for (int k = 0; k < whole(inner, INNER); k += 2, panel += COLUMNS)
    for (int j = 0; j < COLUMNS; j += WIDTH) store(panel + j, paired(part(k, j), part(k + 1, j)));
}

// Panel whose columns are `count` rows of `b` (., inner), zeros beyond them.
static inline void pack_transposed(
    const float *b, int stride, int inner, int count, Packed *panel) {
  Packed pairs[WIDTH * WIDTH];
  for (int j = 0; j < COLUMNS; j += WIDTH)
    for (int k = 0; k < inner; k += INNER) {
      for (int i = 0; i < WIDTH; i++) {
        const float *row = b + (j + i) * (long)stride + k;
        const int there = j + i < count ? inner - k : 0;
        store(pairs + i * WIDTH, neighbours(padded(row, there), padded(row + WIDTH, there - WIDTH)));
      }
      transpose(pairs, WIDTH, panel + k / 2 * (long)COLUMNS + j, COLUMNS);
    }
}

// Pairs of row k of `a` (count, .) and the next one, zeros behind the last.
static inline Words paired_rows(const Value *a, int stride, int k, int count) {
  const Value *from = a + k * (long)stride;
  const Words low = k < count ? widened(from) : Words{};
  return k + 1 < count ? low | widened(from + stride) << 16 : low;
}

// Panel of all COLUMNS of `d` (rows, .), and their sums over its rows.
static inline void pack_and_sum(
    const Value *d, int stride, int rows, Packed *panel, Floats *left, Floats *right) {
  for (int k = 0; k < whole(rows, INNER); k += 2, panel += COLUMNS) {
    const Words x = paired_rows(d, stride, k, rows), y = paired_rows(d + WIDTH, stride, k, rows);
    *left += floats_of(x << 16) + floats_of(x & 0xffff0000);
    *right += floats_of(y << 16) + floats_of(y & 0xffff0000);
    store(panel, x);
    store(panel + WIDTH, y);
  }
}

// The left factor whose `rows` are the columns of `a` (inner, .), read up to whole vectors.
static Left mirrored(int rows, int inner, const Value *a, int stride, Value *room, Team &team) {
  const int to_stride = whole(inner, INNER);
  team.each(whole(rows, WIDTH) / WIDTH, [=](int index, int) {
    const int row = index * WIDTH;
    Packed block[WIDTH * WIDTH], *to = reinterpret_cast<Packed *>(room);
    for (int k = 0; k < inner; k += INNER) {
      for (int i = 0; i < WIDTH; i++)
        store(block + i * WIDTH, paired_rows(a + row, stride, k + 2 * i, inner));
      transpose(block, WIDTH, to + (row * (long)to_stride + k) / 2, to_stride / 2);
    }
  });
  return {room, to_stride};
}

#ifdef ROBOSAC_TILES

constexpr bool HAS_UNITS = true;

struct TileConfiguration {
  uint8_t palette, start_row, reserved[14];
  uint16_t bytes[16];
  uint8_t rows[16];
};

// Linux lets a process use tiles when it asks (Documentation/arch/x86/xstate.rst).
static inline bool units_allowed() {
  constexpr int ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18;
  return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

static thread_local TileConfiguration before __attribute__((aligned(64)));

// Eight tiles of 16 rows of 64 bytes. Whoever has set tiles up in this thread, as torch's library
// does, finds them so again.
static inline void begin_products() {
  _tile_storeconfig(&before);
  alignas(64) TileConfiguration ours = {};
  ours.palette = 1;
  for (int i = 0; i < 8; i++) {
    ours.bytes[i] = 64;
    ours.rows[i] = 16;
  }
  _tile_loadconfig(&ours);
}

static inline void end_products() {
  if (before.palette)
    _tile_loadconfig(&before);
  else
    _tile_release();
}

// A block of 32 rows times a panel; `meanwhile` is called once in each step.
template <class Work>
static inline void block(
    Left left, int inner, const Packed *panel, float *result, Work meanwhile) {
  const long row = left.stride * sizeof(Value), line = COLUMNS * sizeof(Packed);
  const Value *upper = left.from, *lower = upper + WIDTH * (long)left.stride;
  // The compiler does not know that tiles are loaded from memory.
  __asm__ volatile("" ::: "memory");
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int k = 0; k < inner; k += INNER, panel += WIDTH * COLUMNS) {
    _tile_loadd(4, upper + k, row);
    _tile_loadd(6, panel, line);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, panel + WIDTH, line);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, lower + k, row);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    meanwhile();
  }
  _tile_stored(0, result, line);
  _tile_stored(1, result + WIDTH, line);
  _tile_stored(2, result + WIDTH * COLUMNS, line);
  _tile_stored(3, result + WIDTH * COLUMNS + WIDTH, line);
  __asm__ volatile("" ::: "memory");
}

#else

constexpr bool HAS_UNITS = false;

static inline bool units_allowed() { return true; }
static inline void begin_products() {}
static inline void end_products() {}

template <class Work>
static inline void block(
    Left left, int inner, const Packed *panel, float *result, Work meanwhile) {
  for (int k = 0; k < inner; k += INNER) meanwhile();
  for (int row = 0; row < ROWS; row++, result += COLUMNS) {
    const Value *pair = left.from + row * (long)left.stride;
    Floats x = {}, y = {};
    for (int k = 0; k < inner; k += 2, pair += 2) {
      const Packed *at = panel + k / 2 * (long)COLUMNS;
      Words b, c;
      memcpy(&b, at, sizeof b);
      memcpy(&c, at + WIDTH, sizeof c);
      const Words both = Words{} + (pair[0] | (Packed)pair[1] << 16);
      const Floats low = floats_of(both << 16), high = floats_of(both & 0xffff0000);
      x += low * floats_of(b << 16);
      y += low * floats_of(c << 16);
      x += high * floats_of(b & 0xffff0000);
      y += high * floats_of(c & 0xffff0000);
    }
    store(result, x);
    store(result + WIDTH, y);
  }
}

#endif

// Rows of the left factor times a panel: `take(row, columns 0 to WIDTH, columns WIDTH to COLUMNS)`
// gets each. A block's rows are taken bit by bit while the tiles make the next one's: they have
// nothing else to do then, and neither has the rest of the core.
template <bool row_wise, class Take>
static void product(int rows, int inner, Left left, const Packed *panel, Take take) {
  alignas(64) float results[2][ROWS * COLUMNS];
  const int steps = whole(inner, INNER) / INNER, share = (ROWS + steps - 1) / steps;
  const float *from = results[1];
  int taken = 0;
  auto take_until = [&](int end) {
    for (; taken < end; taken++, from += COLUMNS) take(taken, load(from), load(from + WIDTH));
  };
  for (int row = 0; row < rows; row += ROWS, left.from += ROWS * (long)left.stride) {
    float *result = results[row / ROWS % 2];
    block(left, inner, panel, result, [&] { take_until(least(row, taken + share)); });
    from = result;
  }
  take_until(rows);
}

}  // namespace robosac
