// One block of memory, shared out once: nothing is allocated after a learner was made.
#pragma once
#include <initializer_list>

#include "products.h"

namespace robosac {

static inline size_t greater(size_t a, size_t b) { return a > b ? a : b; }

// Values of rows that a product's left factor may be: whole blocks of them.
static inline size_t blocks(size_t rows, size_t stride) {
  return (rows + ROWS - 1) / ROWS * ROWS * stride;
}

// Shares out one block of memory; without one it only counts.
struct Arena {
  char *memory;
  size_t used;

  template <class T>
  T *take(size_t count) {
    T *found = memory ? reinterpret_cast<T *>(memory + used) : nullptr;
    // A line of the cache behind each: the last vector of a row may reach beyond it.
    used += (count * sizeof(T) + 127) / 64 * 64;
    return found;
  }

  Value *values(size_t rows, size_t stride) { return take<Value>(blocks(rows, stride)); }
};

// One for each thread, shared out by `share_out(it, of, arena)`.
template <class Desk, class Sight>
static Desk *share_out_each(Arena &arena, int threads, const Sight &of) {
  Desk *desks = arena.take<Desk>(threads), counted;
  for (int i = 0; i < threads; i++) share_out(arena.memory ? desks[i] : counted, of, arena);
  return desks;
}

// How large a room must be for all that is done in it.
struct RoomSize {
  size_t panel, left, gradient, wide;
  Team *team;

  // A layer over so many rows, and all of its gradients.
  void layer(int rows, int inner, int outer) {
    for (int count : {rows, inner, outer}) panel = greater(panel, packed_size(count));
    left = greater(left, mirrored_size(inner, rows));
    gradient = greater(gradient, (inner + 1) * (size_t)outer + 2 * WIDTH);
  }

  Room made(Arena &arena) const {
    Room found = {};
    found.team = team;
    found.panel_size = (panel * sizeof(Packed) + 127) / 64 * 64 / sizeof(Packed);
    found.panels = arena.take<Packed>(team->threads * found.panel_size);
    found.left = arena.take<Value>(left);
    found.gradient = arena.take<float>(gradient);
    found.wide = arena.take<float>(wide);
    return found;
  }
};

}  // namespace robosac
