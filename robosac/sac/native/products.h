// Products of matrices in the one precision that a library is built for.
#pragma once
#ifdef ROBOSAC_BFLOAT16
#include "products_bfloat16.h"
#else
#include "products_float32.h"
#endif

namespace robosac {

constexpr int GRAIN_ROWS = 32;      // that one thread takes at a time
constexpr int GRAIN = 512 * WIDTH;  // likewise of numbers

// Room that a product works in: panels of its right factor, a mirrored left factor, and for what is
// soon used up: a layer's gradient, rows on their way back. And who works in it.
struct Room {
  Packed *panels;  // one for each thread
  size_t panel_size;
  Value *left;
  float *gradient, *wide;
  Team *team;

  Packed *panel(int thread) const { return panels + thread * panel_size; }

  // The room of one thread that works by itself on a part of its own.
  Room alone(int thread) const {
    Room found = *this;
    found.panels = panel(thread);
    found.team = &Team::alone();
    return found;
  }

  // Calls `work(row)` for each row.
  template <class Work>
  void each_row(int rows, const Work &work) const {
    team->parts(rows, GRAIN_ROWS, [&](int64_t from, int64_t to, int) {
      for (int64_t row = from; row < to; row++) work(int(row));
    });
  }
};

// Shares out the columns of a product, a panel to a thread or, where these are fewer than threads, some
// rows of one: `make(column, row, rows from there on, panel)` makes them.
template <class Make>
static void share_blocks(int rows, int columns, const Room &room, const Make &make) {
  if (rows == 0 || columns == 0) return;
  const int panels = (columns + COLUMNS - 1) / COLUMNS, threads = room.team->threads;
  const int shares = panels < threads ? (2 * threads + panels - 1) / panels : 1;
  const int most = whole((rows + shares - 1) / shares, ROWS), parts = (rows + most - 1) / most;
  room.team->each(panels * parts, [&](int index, int thread) {
    const int from = index % parts * most;
    make(index / parts * COLUMNS, from, least(most, rows - from), room.panel(thread));
  });
}

// Rows of a left factor, as they lie, times all columns of a right one. `pack(column, to)` packs the
// panel that begins there, and what `taker(column)` gives gets the result, `(row, columns 0 to WIDTH,
// WIDTH to COLUMNS)`.
template <class Pack, class Taker>
static void multiply(int rows, int inner, int columns, Left left, Room room, Pack pack, Taker taker) {
  share_blocks(rows, columns, room, [&](int j, int from, int count, Packed *panel) {
    pack(j, panel);
    auto take = taker(j);
    product<true>(count, inner, left.beginning<true>(from), panel,
                  [=](int row, Floats x, Floats y) { take(from + row, x, y); });
  });
}

}  // namespace robosac
