// What the networks read of a batch's pictures, by the `fast` recipe: one encoder trained by the critics
// alone, and projections. The arithmetic is that of robosac/sac/encoders.py and sights.py.
#pragma once
#include "patches.h"
#include "perceptron.h"

namespace robosac {

// One linear layer, layer normalisation, tanh (DrQ, arXiv 2004.13649).
struct Projection {
  float *weight, *bias;
  float *normal, *scale;  // of its last pass: what tanh got, one over the deviation

  void begin(const Places &places, float *flat, int rows, int units, Arena &arena) {
    weight = flat + places.weight[0];
    bias = flat + places.bias[0];
    normal = arena.take<float>(rows * (size_t)stride_of(units));
    scale = arena.take<float>(rows);
  }
};

// What a part of the pictures needs on its way through the encoder.
struct SharedDesk {
  Value *patches;              // (patches, patch_stride)
  Value *layer[MOST_LAYERS];   // what each put out; then its gradient
  Value *left;
  Line line;
};

struct SharedSight {
  Eyes eyes;
  Grid grid;
  int batch, pictures_a_part, patch_stride, feature_stride, columns;
  Weights encoder, target_encoder;
  Projection critics, targets, policy;
  Cutter cut;
  SharedDesk *desks;                  // one for each thread
  Value *kept[MOST_LAYERS];           // what each layer but the last put out of this state
  Value *features, *target_features;  // (2 batch, feature_stride) of both states, (batch, .) of the next
  Value *d_raw, *d_features;
  float *d_encoder, *d_critics, *d_policy;  // (batch, stride_of(units)) the latter two
  // What the heads see, (., columns): of both states the policy, of this the critics, of the next targets.
  float *policy_seen, *critics_seen, *targets_seen;
  Room room;
};

// Room for the gradients of a layer's weight and, behind whole vectors of that, its bias.
static int gradient_size(const SharedSight &s, int layer) {
  return whole(s.grid.inner[layer] * s.eyes.filters[layer], WIDTH) +
         whole(s.eyes.filters[layer], WIDTH);
}

// What a layer puts out of so many pictures: rows of its own, and of the next layer's patches.
static Value *outputs(const SharedSight &s, int layer, int pictures, Arena &arena) {
  const Grid &g = s.grid;
  const bool last = layer + 1 == s.eyes.layers;
  const size_t own = blocks(pictures * g.cells[layer], s.eyes.filters[layer]);
  const size_t next = last ? 0 : blocks(pictures * g.cells[layer + 1], g.inner[layer + 1]);
  return arena.take<Value>(greater(own, next) + COLUMNS);
}

static void shape_sight(SharedSight &s, RoomSize &room) {
  const Eyes &eyes = s.eyes;
  s.grid = grid_of(eyes);
  s.columns = eyes.units + eyes.state;
  s.pictures_a_part = pictures_a_part(s.grid.cells[0], s.batch);
  s.patch_stride = whole(s.grid.inner[0], COLUMNS);
  s.feature_stride = stride_of(s.grid.features);
  for (int i = 0; i < eyes.layers; i++)
    room.layer(s.pictures_a_part * s.grid.cells[i], s.grid.inner[i], eyes.filters[i]);
  room.layer(s.batch, s.grid.features, eyes.units);
}

static void share_out(SharedDesk &desk, const SharedSight &s, Arena &arena) {
  size_t left = 0;
  for (int i = 0; i < s.eyes.layers; i++) {
    desk.layer[i] = outputs(s, i, s.pictures_a_part, arena);
    left = greater(left, mirrored_size(s.grid.inner[i], s.pictures_a_part * s.grid.cells[i]));
  }
  desk.patches = arena.values(s.pictures_a_part * s.grid.cells[0], s.patch_stride);
  desk.left = arena.take<Value>(left);
  desk.line.begin(s.eyes.width * s.eyes.channels, arena);
}

static void share_out(SharedSight &s, const Problem &p, Arena &arena) {
  const Eyes &eyes = s.eyes;
  const int last = eyes.layers - 1;
  for (int i = 0; i < eyes.layers; i++) {
    s.encoder.weight[i] = p.critic_adam.parameters + eyes.encoder.weight[i];
    s.encoder.bias[i] = p.critic_adam.parameters + eyes.encoder.bias[i];
    s.target_encoder.weight[i] = p.critic_adam.follower + eyes.encoder.weight[i];
    s.target_encoder.bias[i] = p.critic_adam.follower + eyes.encoder.bias[i];
    s.kept[i] = i < last ? outputs(s, i, s.batch, arena) : nullptr;
  }
  s.critics.begin(eyes.projection, p.critic_adam.parameters, s.batch, eyes.units, arena);
  s.targets.begin(eyes.projection, p.critic_adam.follower, s.batch, eyes.units, arena);
  s.policy.begin(eyes.policy, p.policy_adam.parameters, 2 * s.batch, eyes.units, arena);
  s.cut.begin(eyes, s.patch_stride, arena);
  s.desks = share_out_each<SharedDesk>(arena, s.room.team->threads, s);
  s.features = arena.values(2 * s.batch, s.feature_stride);
  s.target_features = arena.values(s.batch, s.feature_stride);
  s.d_features = arena.values(s.batch, s.feature_stride);
  s.d_raw = arena.values(s.batch, stride_of(eyes.units));
  for (float **to : {&s.d_critics, &s.d_policy})
    *to = arena.take<float>(s.batch * (size_t)stride_of(eyes.units));
  int total = 0;
  for (int i = 0; i < eyes.layers; i++) total += gradient_size(s, i);
  s.d_encoder = arena.take<float>(total);
  s.policy_seen = arena.take<float>(2 * s.batch * (size_t)s.columns);
  for (float **to : {&s.critics_seen, &s.targets_seen})
    *to = arena.take<float>(s.batch * (size_t)s.columns);
}

// The patches of some of a state's pictures. `next`: of the two states.
static void cut_part(
    const SharedSight &s, const SharedDesk &desk, const Pictures &given, int next, int from, int count) {
  const uint8_t *pictures = next ? given.next_image : given.image;
  const int64_t *down = given.offset + 2 * next * s.batch, *right = down + s.batch;
  const long pixels = s.eyes.height * (long)s.eyes.width * s.eyes.channels;
  for (int i = 0; i < count; i++)
    s.cut(pictures + (from + i) * pixels, down[from + i], right[from + i], desk.line,
          desk.patches + i * (long)s.grid.cells[0] * s.patch_stride);
}

// What a layer gets of a part, and how its rows lie: patches, or the layer before's rows taken together.
static const Value *layer_input(
    const SharedSight &s, const SharedDesk &desk, int layer, const Value *before, int *stride) {
  *stride = layer ? s.grid.inner[layer] : s.patch_stride;
  return layer ? before : desk.patches;
}

// The encoder over the part that was cut; `kept`: where it keeps what is needed for the gradient.
static void encode(const SharedSight &s, const SharedDesk &desk, const Weights &net, int count,
                   Value *const *kept, int from, Value *features, const Room &room) {
  const Value *before = nullptr;
  for (int i = 0; i < s.eyes.layers; i++) {
    const int filters = s.eyes.filters[i], rows = count * s.grid.cells[i];
    Value *out =
        kept && kept[i] ? kept[i] + from * (long)s.grid.cells[i] * filters : desk.layer[i];
    int stride;
    const Value *in = layer_input(s, desk, i, before, &stride);
    affine(rows, in, stride, s.grid.inner[i], net.weight[i], net.bias[i], filters, room,
           [=](int row, int j, Floats x, Floats y) {
             put_some(out + row * (long)filters + j, relu(x), relu(y), filters - j);
           },
           i ? 1 : PIXEL_SCALE);
    before = out;
  }
  for (int i = 0; i < count; i++)
    memcpy(features + (from + i) * (long)s.feature_stride, before + i * (long)s.grid.features,
           s.grid.features * sizeof(Value));
}

// Units of `rows` features, to what is seen.
static void project(SharedSight &s, const Projection &by, const Value *features, int rows, float *seen) {
  const int units = s.eyes.units, stride = stride_of(units);
  affine(rows, features, s.feature_stride, s.grid.features, by.weight, by.bias, units, s.room,
         [=](int row, int j, Floats x, Floats y) { store(by.normal + row * (long)stride + j, x, y); });
  s.room.each_row(rows, [&](int row) {
    float *to = seen + row * (long)s.columns;
    by.scale[row] = normalise(by.normal + row * (long)stride, units, [=](int j, Floats x, Floats y) {
      const Floats both[] = {x, y};
      for (int k = 0; k < 2; k++)
        store_some(to + j + k * WIDTH,
                   hyperbolic_tangent(both[k], exponential(absolute(both[k]) * -2.0f)),
                   units - j - k * WIDTH);
    });
  });
}

// What all networks see of a batch; each part of the pictures by one thread.
static void look(SharedSight &s, const Batch &b, const Pictures &given) {
  Value *next_features = s.features + s.batch * (long)s.feature_stride;
  s.room.team->parts(s.batch, s.pictures_a_part, [&](int64_t begin, int64_t end, int thread) {
    const SharedDesk &desk = s.desks[thread];
    const Room room = s.room.alone(thread);
    const int from = int(begin), count = int(end - begin);
    cut_part(s, desk, given, 0, from, count);
    encode(s, desk, s.encoder, count, s.kept, from, s.features, room);
    cut_part(s, desk, given, 1, from, count);
    encode(s, desk, s.encoder, count, nullptr, from, next_features, room);
    encode(s, desk, s.target_encoder, count, nullptr, from, s.target_features, room);
  });
  project(s, s.policy, s.features, 2 * s.batch, s.policy_seen);
  project(s, s.critics, s.features, s.batch, s.critics_seen);
  project(s, s.targets, s.target_features, s.batch, s.targets_seen);
  tell(s.eyes, s.batch, b.observation, s.policy_seen);
  tell(s.eyes, s.batch, b.next_observation, s.policy_seen + s.batch * (long)s.columns);
  tell(s.eyes, s.batch, b.observation, s.critics_seen);
  tell(s.eyes, s.batch, b.next_observation, s.targets_seen);
}

// A projection's step, given in `d` (batch, stride_of(units)) the gradient by its units; `down`: into
// `d_features` comes that by what the encoder's last ReLU got.
static void learn_projection(SharedSight &s, const Projection &by, const float *seen, float *d,
                             const Step &step, bool down) {
  const int units = s.eyes.units, stride = stride_of(units), features = s.grid.features;
  s.room.each_row(s.batch, [&](int row) {
    float *by_units = d + row * (long)stride;
    const float *unit = seen + row * (long)s.columns;
    for (int j = 0; j < units; j++) by_units[j] *= 1 - unit[j] * unit[j];
    normalise_gradient(by_units, by.normal + row * (long)stride, by.scale[row], units);
    for (int j = 0; j < units; j += COLUMNS)
      put(s.d_raw + row * (long)stride + j, load(by_units + j), load(by_units + j + WIDTH));
  });
  if (down)
    affine_gradient(s.batch, s.d_raw, stride, units, by.weight, 0, features, s.room,
                    [=](int row, int j, Floats x, Floats y) {
                      const long at = row * (long)s.feature_stride + j;
                      put(s.d_features + at, relu_gradient(x, get(s.features + at)),
                          relu_gradient(y, get(s.features + at + WIDTH)));
                    });
  float *d_weight = s.room.gradient, *d_bias = d_weight + whole(features * units, WIDTH);
  weight_gradient(s.batch, s.features, s.feature_stride, features, s.d_raw, stride, units, d_weight,
                  d_bias, s.room);
  learn(step, by.weight, d_weight, features * (int64_t)units, s.room);
  step(by.bias, d_bias, units);
}

// What a layer got of a part before, and its stride.
static const Value *passed(const SharedSight &s, const SharedDesk &desk, int layer, int from, int *stride) {
  const Value *before =
      layer ? s.kept[layer - 1] + from * (long)s.grid.cells[layer] * s.grid.inner[layer] : nullptr;
  return layer_input(s, desk, layer, before, stride);
}

// One layer over a part: on to the gradient by what the layer before it put out.
static void descend_further(
    const SharedSight &s, const SharedDesk &desk, int layer, int from, int count, const Room &room) {
  const int filters = s.eyes.filters[layer], rows = count * s.grid.cells[layer];
  const int inner = s.grid.inner[layer];
  int stride;
  const Value *before = passed(s, desk, layer, from, &stride);
  Value *d = desk.layer[layer - 1];
  affine_gradient(rows, desk.layer[layer], filters, filters, s.encoder.weight[layer], 0, inner, room,
                  [=](int row, int j, Floats x, Floats y) {
                    const long at = row * (long)inner + j;
                    put_some(d + at, relu_gradient(x, get(before + at)),
                             relu_gradient(y, get(before + at + WIDTH)), inner - j);
                  });
}

// Gradients of the encoder, given `d_features`, by as many parts at a time as there are threads: each
// is prepared by one, and then each weight's are added up by one, part after part.
static void descend_all(SharedSight &s, const Pictures &given) {
  Team &team = *s.room.team;
  Passage passages[MOST_THREADS];
  const int last = s.eyes.layers - 1;
  each_wave(s.batch, s.pictures_a_part, team.threads, [&](const Wave &wave) {
    team.each(wave.parts(), [&](int part, int) {
      const SharedDesk &desk = s.desks[part];
      cut_part(s, desk, given, 0, wave.begin(part), wave.size(part));
      for (int i = 0; i < wave.size(part); i++)
        memcpy(desk.layer[last] + i * (long)s.grid.features,
               s.d_features + (wave.begin(part) + i) * (long)s.feature_stride,
               s.grid.features * sizeof(Value));
    });
    float *d_weight = s.d_encoder;
    for (int i = last; i >= 0; i--) {
      const int filters = s.eyes.filters[i], inner = s.grid.inner[i];
      team.each(wave.parts(), [&](int part, int) {
        const SharedDesk &desk = s.desks[part];
        const int rows = wave.size(part) * s.grid.cells[i];
        int stride;
        const Value *in = passed(s, desk, i, wave.begin(part), &stride);
        const Left left = mirrored(inner, rows, in, stride, desk.left, Team::alone());
        passages[part] = {rows, left, desk.layer[i]};
      });
      weight_gradient(passages, wave.parts(), inner, filters, filters, d_weight,
                      d_weight + whole(inner * filters, WIDTH), s.room, wave.first > 0);
      d_weight += gradient_size(s, i);
      if (i == 0) continue;
      team.each(wave.parts(), [&](int part, int thread) {
        descend_further(s, s.desks[part], i, wave.begin(part), wave.size(part),
                        s.room.alone(thread));
      });
    }
  });
}

// The encoder's step, given `d_features`.
static void learn_encoder(SharedSight &s, const Pictures &given, const Step &step) {
  descend_all(s, given);
  float *d_weight = s.d_encoder;
  for (int i = s.eyes.layers - 1; i >= 0; i--) {
    const int filters = s.eyes.filters[i], count = s.grid.inner[i] * filters;
    if (i == 0)
      for (int j = 0; j < count; j++) d_weight[j] *= PIXEL_SCALE;
    step(s.encoder.weight[i], d_weight, count);
    step(s.encoder.bias[i], d_weight + whole(count, WIDTH), filters);
    d_weight += gradient_size(s, i);
  }
}

}  // namespace robosac
