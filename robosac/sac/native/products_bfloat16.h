// Products of matrices in bfloat16 with sums in float32, by the tiles of AMX (Intel 64 and IA-32
// Architectures Software Developer's Manual, vol. 1, chapter 18). Both factors are rounded to the
// nearest, as they are packed; what is kept, added and stepped stays float32. Where a processor has
// no tiles the same sums are made of float32's, one by one: to test by, not to be fast.
#pragma once
#include <stddef.h>

#include "transpose.h"

#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__AVX512F__) && defined(__linux__)
#define ROBOSAC_TILES 1
#endif
#if defined(ROBOSAC_TILES) || (defined(__AVX512BF16__) && defined(__AVX512BW__))
#include <immintrin.h>
#endif
#ifdef ROBOSAC_TILES
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace robosac {

constexpr int COLUMNS = 2 * WIDTH;  // of a panel: two tiles
constexpr int INNER = 2 * WIDTH;    // that one step of a tile sums over, in pairs
constexpr int ROWS = 2 * WIDTH;     // of a block of the result: two tiles

// Two neighbours of the inner dimension, the first one in the lower half.
typedef uint32_t Packed;

// The left factor, rounded: rows of so many pairs. Rows of the last block are there, whatever they hold.
struct Left {
  const Packed *from;
  int pairs;
};

static inline int whole(int count, int of) { return (count + of - 1) / of * of; }

static inline size_t packed_size(int inner) { return (size_t)whole(inner, INNER) / 2 * COLUMNS; }

static inline size_t left_size(int rows, int inner) {
  return (size_t)whole(rows, ROWS) * (whole(inner, INNER) / 2);
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

// A row of `count` numbers, as pairs; zeros up to a whole step.
static inline void pair_row(const float *row, int count, Packed *to) {
  int k = 0;
  for (; k + INNER <= count; k += INNER)
    store(to + k / 2, neighbours(load(row + k), load(row + k + WIDTH)));
  if (k == count) return;
  float rest[INNER] = {};
  memcpy(rest, row + k, (count - k) * sizeof(float));
  store(to + k / 2, neighbours(load(rest), load(rest + WIDTH)));
}

static inline void transpose(const Packed *from, int stride, Packed *to, int to_stride) {
  for (int i = 0; i < WIDTH; i += 8)
    for (int j = 0; j < WIDTH; j += 8)
      transpose_block(reinterpret_cast<const float *>(from) + i * (long)stride + j, stride,
                      reinterpret_cast<float *>(to) + j * (long)to_stride + i, to_stride);
}

// Panel [pairs of inner][COLUMNS] of `count` columns of `b` (inner, .), zeros beyond them.
static inline void pack(const float *b, int stride, int inner, int count, Packed *panel) {
  const float zeros[COLUMNS] = {};
  float rest[2][COLUMNS] = {};
  for (int k = 0; k < whole(inner, INNER); k += 2, panel += COLUMNS) {
    const float *row[2];
    for (int i = 0; i < 2; i++) {
      row[i] = k + i < inner ? b + (k + i) * (long)stride : zeros;
      if (count >= COLUMNS) continue;
      memcpy(rest[i], row[i], count * sizeof(float));
      row[i] = rest[i];
    }
    store(panel, paired(load(row[0]), load(row[1])));
    store(panel + WIDTH, paired(load(row[0] + WIDTH), load(row[1] + WIDTH)));
  }
}

// Panel whose columns are `count` rows of `b` (., inner), zeros beyond them.
static inline void pack_transposed(
    const float *b, int stride, int inner, int count, Packed *panel) {
  Packed pairs[WIDTH * WIDTH];
  for (int j = 0; j < COLUMNS; j += WIDTH)
    for (int k = 0; k < inner; k += INNER) {
      for (int i = 0; i < WIDTH; i++) {
        if (j + i < count)
          pair_row(b + (j + i) * (long)stride + k, least(INNER, inner - k), pairs + i * WIDTH);
        else
          store(pairs + i * WIDTH, Words{});
      }
      transpose(pairs, WIDTH, panel + k / 2 * (long)COLUMNS + j, COLUMNS);
    }
}

// `row_wise`: a[row][k], else a[k][row], whose rows are read up to whole vectors.
template <bool row_wise>
static Left left_factor(int rows, int inner, const float *a, int stride, Packed *room) {
  const int pairs = whole(inner, INNER) / 2;
  if (row_wise) {
    for (int row = 0; row < rows; row++)
      pair_row(a + row * (long)stride, inner, room + row * (long)pairs);
    return {room, pairs};
  }
  Packed block[WIDTH * WIDTH];
  for (int row = 0; row < rows; row += WIDTH)
    for (int k = 0; k < inner; k += INNER) {
      for (int i = 0; i < WIDTH; i++) {
        const int first = k + 2 * i;
        const float *from = a + first * (long)stride + row;
        store(block + i * WIDTH, paired(first < inner ? load(from) : Floats{},
                                        first + 1 < inner ? load(from + stride) : Floats{}));
      }
      transpose(block, WIDTH, room + row * (long)pairs + k / 2, pairs);
    }
  return {room, pairs};
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

// A block of 32 rows times a panel.
static inline void block(const Packed *left, int pairs, const Packed *panel, float *result) {
  const long row = pairs * sizeof(Packed), line = COLUMNS * sizeof(Packed);
  // The compiler does not know that tiles are loaded from memory.
  __asm__ volatile("" ::: "memory");
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int k = 0; k < pairs; k += WIDTH, panel += WIDTH * COLUMNS) {
    _tile_loadd(4, left + k, row);
    _tile_loadd(6, panel, line);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, panel + WIDTH, line);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, left + WIDTH * (long)pairs + k, row);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
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

static inline void block(const Packed *left, int pairs, const Packed *panel, float *result) {
  for (int row = 0; row < ROWS; row++, left += pairs, result += COLUMNS) {
    Floats x = {}, y = {};
    for (int k = 0; k < pairs; k++) {
      const Packed *at = panel + k * (long)COLUMNS;
      Words b, c;
      memcpy(&b, at, sizeof b);
      memcpy(&c, at + WIDTH, sizeof c);
      const Words both = Words{} + left[k];
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
// gets each.
template <bool row_wise, class Take>
static void product(int rows, int, Left left, const Packed *panel, Take take) {
  alignas(64) float result[ROWS * COLUMNS];
  for (int row = 0; row < rows; row += ROWS) {
    block(left.from + row * (long)left.pairs, left.pairs, panel, result);
    for (int i = 0; i < least(ROWS, rows - row); i++)
      take(row + i, load(result + i * COLUMNS), load(result + i * COLUMNS + WIDTH));
  }
}

}  // namespace robosac
