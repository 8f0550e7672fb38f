// What the networks read of a batch's pictures, by the paper's recipe: policy and each critic have
// convolutions of their own, trained by their own loss. As `OwnSight` of robosac/sac/sights.py.
#pragma once
#include "convolutions.h"
#include "heads.h"
#include "patches.h"

namespace robosac {

constexpr int MEMBERS = 1 + CRITICS;  // the policy, then the critics or their targets

// One layer of all members. The first sees the same pictures for all and is one product; each later
// one has an input of its own, and so a product.
struct OwnLayer {
  Convolution c;
  int groups;                      // products: one, or one for each member
  int filters;                     // of a member
  float *weight, *bias;            // of the products, (groups, inner, outer) and (groups, filters)
  float *d_weight, *d_bias;        // gradients: by weight, and (groups, outer)
  Value *padded[MEMBERS];          // the input of each group, within its edge; of all pictures
  uint8_t *where[MEMBERS];         // see `pool`
  int *place;                      // where each cell lies in the next layer's input; none: -1

  long weights() const { return c.inner() * (long)c.outer(); }
};

// What a part of the pictures needs on its way through the layers.
struct OwnDesk {
  Value *windows, *d_raw, *left;
  float *raw, *line, *d_out, *d_windows;
  float *d_padded[MOST_LAYERS][MEMBERS];  // gradients by the input of each group
  Line picture_line;
};

struct OwnSight {
  Eyes eyes;
  int batch, pictures_a_part, columns;
  OwnLayer layer[MOST_LAYERS];
  OwnDesk *desks;  // one for each thread
  float *d_kernels;
  // What the heads see, (., columns): of both states the policy, each critic of this, targets of the next;
  // and the gradient by each member's units, (batch, stride_of(units)).
  float *policy_seen, *critics_seen[CRITICS], *targets_seen[CRITICS], *d_units[MEMBERS];
  Room room;
};

static void shape_sight(OwnSight &s, RoomSize &room) {
  const Eyes &eyes = s.eyes;
  int height = eyes.height, width = eyes.width, depth = eyes.channels;
  s.columns = eyes.units + eyes.state;
  for (int i = 0; i < eyes.layers; i++) {
    OwnLayer &l = s.layer[i];
    l.groups = i ? MEMBERS : 1;
    l.filters = eyes.filters[i];
    l.c = {height, width, depth, i ? l.filters : MEMBERS * l.filters};
    height = l.c.lines();
    width = l.c.columns();
    depth = l.filters;
  }
  s.pictures_a_part = pictures_a_part(s.layer[0].c.cells(), s.batch);
  for (int i = 0; i < eyes.layers; i++) {
    const Convolution &c = s.layer[i].c;
    room.layer(s.pictures_a_part * c.cells(), c.inner(), c.outer());
  }
}

static void share_out(OwnDesk &desk, const OwnSight &s, Arena &arena) {
  size_t windows = 0, raw = 0, out = 0, back = 0, line = 0, left = 0;
  for (int i = 0; i < s.eyes.layers; i++) {
    const OwnLayer &l = s.layer[i];
    const Convolution &c = l.c;
    const size_t rows = s.pictures_a_part * (size_t)c.cells();
    for (int g = 0; g < l.groups; g++)
      desk.d_padded[i][g] = arena.take<float>(s.pictures_a_part * (size_t)c.padded());
    windows = greater(windows, blocks(rows, c.window_stride()));
    raw = greater(raw, blocks(rows, stride_of(c.outer())));
    back = greater(back, rows * stride_of(c.inner()));
    out = greater(out, rows * c.where_stride());
    line = greater(line, stride_of(c.outer()));
    left = greater(left, mirrored_size(c.inner(), rows));
  }
  desk.windows = arena.take<Value>(windows);
  desk.d_raw = arena.take<Value>(raw);
  desk.left = arena.take<Value>(left);
  desk.raw = arena.take<float>(raw);
  desk.d_windows = arena.take<float>(back);
  desk.d_out = arena.take<float>(out);
  desk.line = arena.take<float>(line);
  desk.picture_line.begin(s.eyes.width * s.eyes.channels, arena);
}

static void share_out(OwnSight &s, Arena &arena) {
  const Eyes &eyes = s.eyes;
  size_t kernels = 0;
  for (int i = 0; i < eyes.layers; i++) {
    OwnLayer &l = s.layer[i];
    const Convolution &c = l.c;
    l.weight = arena.take<float>(l.groups * l.weights());
    l.bias = arena.take<float>(l.groups * (size_t)c.filters + WIDTH);
    l.d_weight = arena.take<float>(l.groups * l.weights());
    l.d_bias = arena.take<float>(l.groups * (size_t)c.outer());
    l.place = arena.take<int>(c.cells());
    for (int g = 0; g < l.groups; g++) {
      l.padded[g] = arena.take<Value>(s.batch * (size_t)c.padded());
      l.where[g] = arena.take<uint8_t>(s.batch * (size_t)c.cells() * c.where_stride());
    }
    kernels = greater(kernels, KERNEL * KERNEL * c.channels * (size_t)l.filters);
  }
  for (int i = 0; arena.memory && i + 1 < eyes.layers; i++) {
    const Convolution &c = s.layer[i].c, &next = s.layer[i + 1].c;
    for (int cell = 0; cell < c.cells(); cell++) {
      const int y = cell / c.columns(), x = cell % c.columns();
      const bool reached = y < next.reached_lines() && x < next.reached_columns();
      s.layer[i].place[cell] = reached ? next.place(y, x) : -1;
    }
  }
  s.desks = share_out_each<OwnDesk>(arena, s.room.team->threads, s);
  s.d_kernels = arena.take<float>(kernels);
  s.policy_seen = arena.take<float>(2 * s.batch * (size_t)s.columns);
  for (int i = 0; i < CRITICS; i++)
    for (float **to : {&s.critics_seen[i], &s.targets_seen[i]})
      *to = arena.take<float>(s.batch * (size_t)s.columns);
  for (float *&d : s.d_units) d = arena.take<float>(s.batch * (size_t)stride_of(eyes.units));
}

// Where a member's layer has its kernels. `critics`: the parameters of critics or targets.
static float *kernels_of(const OwnSight &s, const Problem &p, float *critics, int layer, int member) {
  if (member == 0) return p.policy_adam.parameters + s.eyes.policy.weight[layer];
  const OwnLayer &l = s.layer[layer];
  const long size = KERNEL * KERNEL * (long)l.c.channels * l.filters;
  return critics + s.eyes.encoder.weight[layer] + (member - 1) * size;
}

// And where its biases.
static float *biases_of(const OwnSight &s, const Problem &p, float *critics, int layer, int member) {
  if (member == 0) return p.policy_adam.parameters + s.eyes.policy.bias[layer];
  return critics + s.eyes.encoder.bias[layer] + (member - 1) * (long)s.layer[layer].filters;
}

// Which product a member's layer belongs to, and which of its filters are the first.
static int group_of(const OwnLayer &l, int member) { return l.groups > 1 ? member : 0; }

static int first_of(const OwnLayer &l, int member) { return l.groups > 1 ? 0 : member * l.filters; }

// Right factors of all products, from policy and critics, or policy and targets.
static void spread_weights(OwnSight &s, const Problem &p, float *critics) {
  for (int i = 0; i < s.eyes.layers; i++)
    for (int member = 0; member < MEMBERS; member++) {
      OwnLayer &l = s.layer[i];
      const int group = group_of(l, member), first = first_of(l, member);
      const float *kernels = kernels_of(s, p, critics, i, member);
      float *weight = l.weight + group * l.weights();
      each_weight(l.c, first, l.filters, [=](int from, int to) { weight[to] = kernels[from]; });
      memcpy(l.bias + group * l.c.filters + first, biases_of(s, p, critics, i, member),
             l.filters * sizeof(float));
    }
}

// A picture's numbers, within the first layer's edge.
static void take_picture(const OwnSight &s, const uint8_t *picture, const Line &line, Value *to) {
  const Convolution &c = s.layer[0].c;
  const int count = c.width * c.channels, reached = c.reached_columns() * c.channels;
  for (int y = 0; y < c.reached_lines(); y++) {
    memcpy(line.bytes, picture + y * (long)count, count);
    line.convert(count);
    memcpy(to + c.place(y, 0), line.numbers, reached * sizeof(Value));
  }
}

// One layer of one group over a part: to the next layer's inputs, or what members see.
static void see_layer(const OwnSight &s, const OwnDesk &desk, int index, int group, int from, int count,
                      float *const *seen, const Room &room) {
  const OwnLayer &l = s.layer[index], &next = s.layer[index + 1];
  const Convolution &c = l.c;
  const int cells = c.cells(), stride = stride_of(c.outer()), members = c.filters / l.filters;
  const bool last = index + 1 == s.eyes.layers;
  cut_windows(c, count, l.padded[group] + from * (long)c.padded(), desk.windows);
  filtered(c, count * cells, desk.windows, l.weight + group * l.weights(), desk.raw, room);
  uint8_t *where = l.where[group] + from * (long)cells * c.where_stride();
  const float *raw = desk.raw, *bias = l.bias + group * c.filters;
  for (int i = from; i < from + count; i++)
    for (int cell = 0; cell < cells; cell++, raw += stride, where += c.where_stride()) {
      pool(c, raw, bias, index ? 1 : PIXEL_SCALE, desk.line, where);
      const float *out = desk.line;
      for (int m = group; m < group + members; m++, out += l.filters)
        if (last)
          for (int f = 0; f < l.filters; f++)
            seen[m][i * (long)s.columns + f * cells + cell] = out[f];
        else if (l.place[cell] >= 0)
          for (int f = 0; f < l.filters; f += COLUMNS)
            put_some(next.padded[m] + i * (long)next.c.padded() + l.place[cell] + f, load(out + f),
                     load(out + f + WIDTH), l.filters - f);
    }
}

// What all members see of one state's pictures; each part by one thread.
static void look_at(OwnSight &s, const uint8_t *pictures, float *const *seen) {
  const Convolution &first = s.layer[0].c;
  const long bytes = first.height * (long)first.width * first.channels;
  s.room.team->parts(s.batch, s.pictures_a_part, [&](int64_t from, int64_t end, int thread) {
    const OwnDesk &desk = s.desks[thread];
    for (int64_t i = from; i < end; i++)
      take_picture(s, pictures + i * bytes, desk.picture_line,
                   s.layer[0].padded[0] + i * (long)first.padded());
    for (int i = 0; i < s.eyes.layers; i++)
      for (int g = 0; g < s.layer[i].groups; g++)
        see_layer(s, desk, i, g, int(from), int(end - from), seen, s.room.alone(thread));
  });
}

// What all networks see of a batch; this state comes last, for its gradient is asked for.
static void look(OwnSight &s, const Problem &p, const Batch &b, const Pictures &given) {
  float *next_policy = s.policy_seen + s.batch * (long)s.columns;
  float *const next[] = {next_policy, s.targets_seen[0], s.targets_seen[1]};
  float *const now[] = {s.policy_seen, s.critics_seen[0], s.critics_seen[1]};
  spread_weights(s, p, p.critic_adam.follower);
  look_at(s, given.next_image, next);
  spread_weights(s, p, p.critic_adam.parameters);
  look_at(s, given.image, now);
  for (int i = 0; i < MEMBERS; i++) {
    tell(s.eyes, s.batch, b.observation, now[i]);
    tell(s.eyes, s.batch, b.next_observation, next[i]);
  }
}

// Gradients by what a group of a layer put out of a part, (count * cells, where_stride).
static void gather(
    const OwnSight &s, const OwnDesk &desk, int index, int group, int from, int count) {
  const OwnLayer &l = s.layer[index], &next = s.layer[index + 1];
  const Convolution &c = l.c;
  const int cells = c.cells(), units = stride_of(s.eyes.units), to_stride = c.where_stride();
  const bool last = index + 1 == s.eyes.layers;
  for (int i = 0; i < count; i++)
    for (int m = 0; m < c.filters / l.filters; m++) {
      float *to = desk.d_out + i * (long)cells * to_stride + m * l.filters;
      const float *d = last ? s.d_units[group + m] + (from + i) * (long)units
                            : desk.d_padded[index + 1][group + m] + i * (long)next.c.padded();
      for (int cell = 0; cell < cells; cell++, to += to_stride)
        for (int f = 0; f < l.filters; f++)
          to[f] = last ? d[f * cells + cell] : l.place[cell] < 0 ? 0 : d[l.place[cell] + f];
    }
}

// One layer of one group down over a part: what the gradient of its weights is made of.
static Passage descend(
    const OwnSight &s, const OwnDesk &desk, int index, int group, int from, int count) {
  const OwnLayer &l = s.layer[index];
  const Convolution &c = l.c;
  const int rows = count * c.cells();
  gather(s, desk, index, group, from, count);
  convolve_gradient(c, rows, desk.d_out,
                    l.where[group] + from * (long)c.cells() * c.where_stride(), desk.line, desk.d_raw);
  cut_windows(c, count, l.padded[group] + from * (long)c.padded(), desk.windows);
  const Left in =
      mirrored(c.inner(), rows, desk.windows, c.window_stride(), desk.left, Team::alone());
  return {rows, in, desk.d_raw};
}

// And then the gradient by its input.
static void descend_further(
    const OwnSight &s, const OwnDesk &desk, int index, int group, int count, const Room &room) {
  const OwnLayer &l = s.layer[index];
  const Convolution &c = l.c;
  const int rows = count * c.cells(), back = stride_of(c.inner());
  float *d_windows = desk.d_windows, *d_padded = desk.d_padded[index][group];
  affine_gradient(rows, desk.d_raw, stride_of(c.outer()), c.outer(), l.weight + group * l.weights(), 0,
                  c.inner(), room, [=](int row, int j, Floats x, Floats y) {
                    store(d_windows + row * (long)back + j, x, y);
                  });
  memset(d_padded, 0, count * (size_t)c.padded() * sizeof(float));
  add_windows(c, count, d_windows, back, d_padded);
}

// Gradients of all convolutions, by as many parts at a time as there are threads: each is prepared by
// one, and then each weight's are added up by one, part after part.
static void descend_all(OwnSight &s) {
  Team &team = *s.room.team;
  Passage passages[MOST_THREADS];
  each_wave(s.batch, s.pictures_a_part, team.threads, [&](const Wave &wave) {
    for (int i = s.eyes.layers - 1; i >= 0; i--)
      for (int g = 0; g < s.layer[i].groups; g++) {
        const OwnLayer &l = s.layer[i];
        const Convolution &c = l.c;
        team.each(wave.parts(), [&](int part, int) {
          passages[part] = descend(s, s.desks[part], i, g, wave.begin(part), wave.size(part));
        });
        weight_gradient(passages, wave.parts(), c.inner(), stride_of(c.outer()), c.outer(),
                        l.d_weight + g * l.weights(), l.d_bias + g * c.outer(), s.room,
                        wave.first > 0);
        if (i == 0) continue;
        team.each(wave.parts(), [&](int part, int thread) {
          descend_further(s, s.desks[part], i, g, wave.size(part), s.room.alone(thread));
        });
      }
  });
}

// The steps of all convolutions, given `d_units` by what their owners saw.
static void learn_convolutions(OwnSight &s, const Problem &p, const Step &policy, const Step &critics) {
  const int last = s.eyes.layers - 1;
  descend_all(s);
  for (int i = 0; i <= last; i++)
    for (int member = 0; member < MEMBERS; member++) {
      const OwnLayer &l = s.layer[i];
      const Convolution &c = l.c;
      const int group = group_of(l, member), first = first_of(l, member);
      const int size = KERNEL * KERNEL * c.channels * l.filters;
      const float *d_weight = l.d_weight + group * l.weights(), *d_bias = l.d_bias + group * c.outer();
      const float scale = i ? 1 : PIXEL_SCALE;
      float *d = s.d_kernels;
      memset(d, 0, size * sizeof(float));
      each_weight(c, first, l.filters, [=](int to, int from) { d[to] += d_weight[from] * scale; });
      const Step &step = member ? critics : policy;
      step(kernels_of(s, p, p.critic_adam.parameters, i, member), d, size);
      for (int f = 0; f < l.filters; f++) {
        d[f] = 0;
        for (int pixel = 0; pixel < PIXELS; pixel++) d[f] += d_bias[pixel * c.filters + first + f];
      }
      step(biases_of(s, p, p.critic_adam.parameters, i, member), d, l.filters);
    }
}

}  // namespace robosac
