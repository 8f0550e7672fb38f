// Pictures on their way to the encoder: shifted, cut into patches of patches, made numbers.
// The order of patches is that of robosac/sac/patches.py, the shift that of augmentation.py.
#pragma once
#include "arena.h"
#include "interface.h"

namespace robosac {

constexpr float PIXEL_SCALE = 1.0f / 255;

constexpr int PART_ROWS = 512;  // that go through an encoder's layer at a time: what the second cache holds

// How many pictures go through an encoder at a time, whose first layer has so many rows of each.
static int pictures_a_part(int rows, int batch) {
  const int most = PART_ROWS / rows;
  return most > 1 ? least(most, batch) : 1;
}

// Parts of a batch's pictures that several threads are at, one each.
struct Wave {
  int first, end, a_part;

  int parts() const { return (end - first + a_part - 1) / a_part; }
  int begin(int part) const { return first + part * a_part; }
  int size(int part) const { return least(a_part, end - begin(part)); }
};

template <class Visit>
static void each_wave(int batch, int a_part, int threads, Visit visit) {
  for (int first = 0; first < batch; first += a_part * threads)
    visit(Wave{first, least(first + a_part * threads, batch), a_part});
}

// A line of a picture: its bytes, and these less 127.5, half their range.
struct Line {
  uint8_t *bytes;
  Value *numbers;

  void begin(int count, Arena &arena) {
    bytes = arena.take<uint8_t>(whole(count, COLUMNS));
    numbers = arena.take<Value>(whole(count, COLUMNS));
  }

  void convert(int count) const {
    for (int j = 0; j < count; j += COLUMNS) put(numbers + j, pixels(j), pixels(j + WIDTH));
  }

 private:
  Floats pixels(int j) const {
    return __builtin_convertvector(robosac::bytes(bytes + j), Floats) - 127.5f;
  }
};

// A batch's states behind what its pictures became.
static void tell(const Eyes &eyes, int rows, const float *state, float *seen) {
  for (int row = 0; row < rows; row++, seen += eyes.units + eyes.state, state += eyes.state)
    memcpy(seen + eyes.units, state, eyes.state * sizeof(float));
}

// Sizes of an encoder's layers: each sees `cells` patches of `inner` numbers in a picture.
struct Grid {
  int cells[MOST_LAYERS], inner[MOST_LAYERS];
  int features;  // of a picture
};

static Grid grid_of(const Eyes &eyes) {
  Grid found = {};
  int count = eyes.height * eyes.width, depth = eyes.channels;
  for (int i = 0; i < eyes.layers; i++) {
    const int patch = eyes.side[i] * eyes.side[i];
    found.cells[i] = count /= patch;
    found.inner[i] = patch * depth;
    depth = eyes.filters[i];
  }
  found.features = count * depth;
  return found;
}

// Which of a picture's patches is that of line `y` and column `x` of them: those that make up a larger
// patch follow each other.
static int patch_index(const Eyes &eyes, int y, int x) {
  int side = 1;
  for (int i = 1; i < eyes.layers; i++) side *= eyes.side[i];
  int index = y / side * (eyes.width / eyes.side[0] / side) + x / side;
  for (int i = eyes.layers - 1; i > 0; i--) {
    y %= side;
    x %= side;
    side /= eyes.side[i];
    index = (index * eyes.side[i] + y / side) * eyes.side[i] + x / side;
  }
  return index;
}

// Takes pictures apart.
struct Cutter {
  int height, width, channels, shift, run, runs, stride;
  int *place;  // of each run of a patch's pixels, line by line

  void begin(const Eyes &eyes, int patch_stride, Arena &arena) {
    height = eyes.height;
    width = eyes.width;
    channels = eyes.channels;
    shift = eyes.shift;
    run = eyes.side[0] * channels;
    runs = width / eyes.side[0];
    stride = patch_stride;
    place = arena.take<int>(height * (size_t)runs);
    if (!arena.memory) return;
    for (int y = 0; y < height; y++)
      for (int x = 0; x < runs; x++)
        place[y * runs + x] =
            patch_index(eyes, y / eyes.side[0], x) * stride + y % eyes.side[0] * run;
  }

  // The line of a crop that begins `right` in the padded picture: edges are repeated.
  void shifted(const uint8_t *from, int right, const Line &line) const {
    const int lead = right < shift ? shift - right : 0, skip = right > shift ? right - shift : 0;
    const int most = least(lead, width), tail = least(skip, width);
    for (int x = 0; x < most; x++) memcpy(line.bytes + x * channels, from, channels);
    memcpy(line.bytes + most * channels, from + tail * channels, (width - most - tail) * channels);
    for (int x = width - tail; x < width; x++)
      memcpy(line.bytes + x * channels, from + (width - 1) * channels, channels);
  }

  // Pixels less 127.5, half their range, (patches, stride).
  void operator()(
      const uint8_t *picture, int down, int right, const Line &line, Value *to) const {
    const int count = width * channels;
    for (int y = 0; y < height; y++) {
      const int source = y + down - shift;
      const int clamped = source < 0 ? 0 : least(source, height - 1);
      shifted(picture + clamped * (long)count, right, line);
      line.convert(count);
      const int *at = place + y * runs;
      for (int x = 0; x < runs; x++) memcpy(to + at[x], line.numbers + x * run, run * sizeof(Value));
    }
  }
};

}  // namespace robosac
