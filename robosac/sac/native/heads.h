// Critics, policy and temperature of Soft Actor-Critic (arXiv 1812.05905, Algorithm 1) on rows of
// numbers. The arithmetic is that of `Sac.update` in robosac/sac/agent.py, which is the reference.
#pragma once
#include "arena.h"
#include "perceptron.h"

namespace robosac {

constexpr int CRITICS = 2;

struct Heads {
  Problem problem;
  bool own_views;  // each critic sees something of its own
  Shape critic, policy;
  Weights critics[CRITICS], targets[CRITICS], actor;
  Rows critic_rows[CRITICS], policy_rows;
  Value *critic_d[MOST_LAYERS + 1], *policy_d[MOST_LAYERS + 1];  // [i]: by what layer i - 1 put out
  float *head, *action, *log_pi, *q[CRITICS], *target, *d_q, *d_action;
  Room room;
  float *mean, *log_std, *noise, *spread;  // of both states' actions, without gaps
  int *chosen;
};

static Weights weights_at(const Shape &shape, const Places &places, float *flat, int member) {
  Weights found = {};
  for (int i = 0; i < shape.layers; i++) {
    const long in = shape.width[i], out = shape.width[i + 1];
    found.weight[i] = flat + places.weight[i] + member * in * out;
    found.bias[i] = flat + places.bias[i] + member * out;
  }
  return found;
}

// `input`: what the first layer gets, which networks may share.
static Rows rows_in(Arena &arena, const Shape &shape, int rows, Value *input) {
  Rows found = {};
  found.input[0] = input;
  for (int i = 1; i < shape.layers; i++) {
    found.input[i] = arena.values(rows, shape.stride(i));
    if (!shape.norm) continue;
    const size_t size = rows * (size_t)shape.stride(i);
    found.normal[i] = arena.take<float>(size);
    found.scale[i] = arena.take<float>(rows);
  }
  return found;
}

static void shape_heads(Heads &l, RoomSize &room) {
  const Problem &p = l.problem;
  const int layers = p.hidden_layers + 1;
  l.critic.layers = l.policy.layers = layers;
  l.critic.norm = p.critic_norm;
  l.policy.norm = false;
  l.critic.width[0] = p.observation + p.action;
  l.policy.width[0] = p.observation;
  for (int i = 1; i < layers; i++) l.critic.width[i] = l.policy.width[i] = p.hidden[i - 1];
  l.critic.width[layers] = 1;
  l.policy.width[layers] = 2 * p.action;
  for (const Shape *shape : {&l.critic, &l.policy})
    for (int i = 0; i <= layers; i++) {
      room.wide = greater(room.wide, p.batch * (size_t)shape->stride(i));
      if (i < layers) room.layer(p.batch, shape->width[i], shape->width[i + 1]);
    }
}

static void share_out(Heads &l, Arena &arena) {
  const Problem &p = l.problem;
  const int batch = p.batch, layers = l.critic.layers;
  Value *critic_input = nullptr;
  for (int i = 0; i < CRITICS; i++) {
    if (i == 0 || l.own_views) critic_input = arena.values(batch, l.critic.stride(0));
    l.critics[i] = weights_at(l.critic, p.critics, p.critic_adam.parameters, i);
    l.targets[i] = weights_at(l.critic, p.critics, p.critic_adam.follower, i);
    l.critic_rows[i] = rows_in(arena, l.critic, batch, critic_input);
    l.q[i] = arena.take<float>(batch);
  }
  l.actor = weights_at(l.policy, p.policy, p.policy_adam.parameters, 0);
  l.policy_rows =
      rows_in(arena, l.policy, 2 * batch, arena.values(2 * batch, l.policy.stride(0)));
  for (int i = 0; i <= layers; i++) {
    l.critic_d[i] = arena.values(batch, l.critic.stride(i));
    l.policy_d[i] = arena.values(batch, l.policy.stride(i));
  }
  const size_t actions = 2 * (size_t)batch * p.action;
  l.head = arena.take<float>(2 * batch * (size_t)l.policy.stride(layers));
  for (float **to : {&l.action, &l.mean, &l.log_std, &l.noise, &l.spread})
    *to = arena.take<float>(actions);
  l.log_pi = arena.take<float>(2 * batch);
  for (float **to : {&l.target, &l.d_q}) *to = arena.take<float>(batch);
  l.d_action = arena.take<float>(batch * (size_t)stride_of(p.action));
  l.chosen = arena.take<int>(batch);
}

// Equations 8 and 26: `squash` of robosac/sac/gaussian.py, for both states' actions.
static void squash(Heads &l) {
  const Problem &p = l.problem;
  const int a = p.action, rows = 2 * p.batch, count = rows * a;
  const int stride = l.policy.stride(l.policy.layers);
  for (int row = 0; row < rows; row++)
    for (int j = 0; j < a; j++) {
      l.mean[row * a + j] = l.head[row * (long)stride + j];
      l.log_std[row * a + j] = l.head[row * (long)stride + a + j];
    }
  for (int i = 0; i < count; i += WIDTH) {
    const Floats noise = load(l.noise + i);
    const Floats log_std =
        at_most(at_least(load(l.log_std + i), p.least_log_std), p.most_log_std);
    const Floats spread = exponential(log_std) * noise, u = load(l.mean + i) + spread;
    const Floats decay = exponential(absolute(u) * -2.0f), z = u * -2.0f;
    const Floats softplus = (z < 0.0f ? Floats{} : z) + log_one_plus(decay);
    const Floats log_gaussian = noise * noise * -0.5f - log_std - 0.918938533204672742f;
    store(l.spread + i, spread);
    store(l.action + i, hyperbolic_tangent(u, decay));
    // Of each number of the action, in place of the mean, which nobody needs any more.
    store(l.mean + i, log_gaussian - 2.0f * (0.693147180559945309f - u - softplus));
  }
  for (int row = 0; row < rows; row++) {
    float total = 0;
    for (int j = 0; j < a; j++) total += l.mean[row * a + j];
    l.log_pi[row] = total;
  }
}

// `squash_gradient` of robosac/sac/gaussian.py: from `d_action` to the head's rows of this state.
static void squash_gradient(Heads &l, float d_log_pi) {
  const Problem &p = l.problem;
  const int a = p.action, d_stride = stride_of(a);
  float *d = l.room.wide;
  for (int row = 0; row < p.batch; row++, d += 2 * a)
    for (int j = 0; j < a; j++) {
      const int i = row * a + j;
      const float pi = l.action[i], log_std = l.log_std[i];
      const float d_u = l.d_action[row * (long)d_stride + j] * (1 - pi * pi) + d_log_pi * 2 * pi;
      const bool free = log_std >= (float)p.least_log_std && log_std <= (float)p.most_log_std;
      d[j] = d_u;
      d[a + j] = (d_u * l.spread[i] - d_log_pi) * (free ? 1.0f : 0.0f);
    }
  const int head = l.policy.layers;
  fill(l.room.wide, p.batch, 2 * a, l.policy_d[head], l.policy.stride(head));
}

// Equation 8: actions in both states by one pass of the same policy.
static void act(Heads &l, const float *seen, const float *next_seen, const float *noise) {
  const Problem &p = l.problem;
  const int rows = p.batch, o = p.observation, last = l.policy.layers - 1;
  const int stride = l.policy.stride(0), head_stride = l.policy.stride(last + 1);
  Value *in = l.policy_rows.input[0];
  float *head = l.head;
  fill(seen, rows, o, in, stride);
  fill(next_seen, rows, o, in + rows * (long)stride, stride);
  forward_hidden(l.policy, l.actor, l.policy_rows, 2 * rows, l.room);
  affine(2 * rows, l.policy_rows.input[last], l.policy.stride(last), l.policy.width[last],
         l.actor.weight[last], l.actor.bias[last], l.policy.width[last + 1], l.room,
         [=](int row, int j, Floats x, Floats y) {
           store(head + row * (long)head_stride + j, x, y);
         });
  memcpy(l.noise, noise, 2 * rows * (size_t)p.action * sizeof(float));
  squash(l);
}

// What the critics are asked about: a row begins with what is seen, by each critic or by both alike.
static void show(Heads &l, const float *const *seen) {
  for (int i = 0; i < (l.own_views ? CRITICS : 1); i++)
    fill(seen[i], l.problem.batch, l.problem.observation, l.critic_rows[i].input[0],
         l.critic.stride(0));
}

static void show_action(Heads &l, const float *action) {
  for (int i = 0; i < (l.own_views ? CRITICS : 1); i++)
    fill(action, l.problem.batch, l.problem.action,
         l.critic_rows[i].input[0] + l.problem.observation, l.critic.stride(0));
}

static void values(Heads &l, const Weights &net, int member) {
  forward_hidden(l.critic, net, l.critic_rows[member], l.problem.batch, l.room);
  forward_one(l.critic, net, l.critic_rows[member], l.problem.batch, l.q[member], l.room);
}

// Whether critic 0 is the smaller one; NaN is smaller than any number, the first of equals chosen.
static bool first_is_least(float q0, float q1) { return q0 <= q1 || q0 != q0; }

static float reduced(const Heads &l, int row, bool mean) {
  const float q0 = l.q[0][row], q1 = l.q[1][row];
  if (mean) return (q0 + q1) / CRITICS;
  return first_is_least(q0, q1) ? q0 : q1;
}

// Equations 2 and 3: what the critics are to become, given what their targets see of the next state.
static void soft_values(Heads &l, const Batch &b, const float *const *next_seen, float alpha) {
  const Problem &p = l.problem;
  const int batch = p.batch;
  show(l, next_seen);
  show_action(l, l.action + (long)batch * p.action);
  for (int i = 0; i < CRITICS; i++) values(l, l.targets[i], i);
  for (int row = 0; row < batch; row++) {
    float value = reduced(l, row, p.mean_target);
    if (p.entropy_backup) value -= alpha * l.log_pi[batch + row];
    l.target[row] = b.reward[row] + (float)p.discount * (1 - b.terminated[row]) * value;
  }
}

// Adds to `d` (rows, stride_of(count)) a critic's gradient by `count` of its input's columns; its rows
// are those that `which` names, or all.
static void add_input_gradient(Heads &l, int member, int rows, const int *which, int from, int count,
                               float *d) {
  const int stride = stride_of(count);
  affine_gradient(rows, l.critic_d[1], l.critic.stride(1), l.critic.width[1],
                  l.critics[member].weight[0], from, count, l.room,
                  [=](int row, int j, Floats x, Floats y) {
                    float *to = d + (which ? which[row] : row) * (long)stride + j;
                    store(to, load(to) + x, load(to + WIDTH) + y);
                  });
}

// What losses and values were.
struct Told {
  float loss, q_mean;
};

// Equations 5 and 6: the critics' step, of what `show` has shown; adds to `d_seen`, for each critic, the
// gradient by the first `columns` of it, where there are such.
static Told learn_values(Heads &l, const Batch &b, const Step &step, int columns,
                         float *const *d_seen) {
  const int batch = l.problem.batch, last = l.critic.layers - 1;
  double squares = 0, total = 0;
  show_action(l, b.action);
  for (int i = 0; i < CRITICS; i++) {
    values(l, l.critics[i], i);
    for (int row = 0; row < batch; row++) {
      const float residual = l.q[i][row] - l.target[row];
      squares += (double)residual * residual;
      total += l.q[i][row];
      l.d_q[row] = residual / batch;
    }
    const Rows &at = l.critic_rows[i];
    backward_one(l.critic, l.critics[i], batch, l.d_q,
                 Descent(l.critic, at, last, nullptr, l.critic_d[last], l.room));
    learn_one(l.critic, l.critics[i], at, batch, l.d_q, step, l.room);
    backward_hidden(l.critic, l.critics[i], at, batch, nullptr, l.critic_d, &step, l.room, [&] {
      if (columns) add_input_gradient(l, i, batch, nullptr, 0, columns, d_seen[i]);
    });
  }
  return {(float)(0.5 * squares / batch), (float)(total / (CRITICS * batch))};
}

// Gradient of the policy's loss by the action, through the critics' values of it.
static void action_gradient(Heads &l) {
  const Problem &p = l.problem;
  const int batch = p.batch, a = p.action, last = l.critic.layers - 1;
  memset(l.d_action, 0, batch * (size_t)stride_of(a) * sizeof(float));
  for (int i = 0; i < CRITICS; i++) {
    // Of the smaller value, only the rows where this critic's is that one.
    int rows = 0;
    for (int row = 0; row < batch; row++)
      if (p.mean_actor || first_is_least(l.q[0][row], l.q[1][row]) == (i == 0))
        l.chosen[rows++] = row;
    for (int row = 0; row < rows; row++)
      l.d_q[row] = p.mean_actor ? -1.0f / batch / CRITICS : -1.0f / batch;
    const Rows &at = l.critic_rows[i];
    backward_one(l.critic, l.critics[i], rows, l.d_q,
                 Descent(l.critic, at, last, l.chosen, l.critic_d[last], l.room));
    backward_hidden(l.critic, l.critics[i], at, rows, l.chosen, l.critic_d, nullptr, l.room, [] {});
    add_input_gradient(l, i, rows, l.chosen, p.observation, a, l.d_action);
  }
}

// Equations 9 and 10: the policy's step, of what `show` has shown the critics. Returns its loss, and in
// `d_seen` (batch, stride_of(columns)) the gradient by the first `columns` of what the policy saw.
static float learn_policy(Heads &l, float alpha, const Step &step, int columns, float *d_seen) {
  const Problem &p = l.problem;
  const int batch = p.batch, last = l.policy.layers - 1;
  show_action(l, l.action);
  for (int i = 0; i < CRITICS; i++) values(l, l.critics[i], i);
  double total = 0;
  for (int row = 0; row < batch; row++)
    total += alpha * l.log_pi[row] - reduced(l, row, p.mean_actor);
  action_gradient(l);
  squash_gradient(l, alpha / batch);
  const Value *d = l.policy_d[last + 1];
  through_layer(l.policy, l.actor, last, batch, d,
                Descent(l.policy, l.policy_rows, last, nullptr, l.policy_d[last], l.room), l.room);
  learn_layer(l.policy, l.actor, l.policy_rows, last, batch, d, step, l.room);
  backward_hidden(l.policy, l.actor, l.policy_rows, batch, nullptr, l.policy_d, &step, l.room, [&] {
    const int stride = stride_of(columns);
    affine_gradient(batch, l.policy_d[1], l.policy.stride(1), l.policy.width[1], l.actor.weight[0],
                    0, columns, l.room, [=](int row, int j, Floats x, Floats y) {
                      store(d_seen + row * (long)stride + j, x, y);
                    });
  });
  return total / batch;
}

// Equation 18 in the form J = log(alpha) (entropy - target entropy). Returns the entropy.
static float learn_temperature(Heads &l) {
  const Problem &p = l.problem;
  double total = 0;
  for (int row = 0; row < p.batch; row++) total += l.log_pi[row];
  const float entropy = -total / p.batch;
  const float d_log_alpha = entropy - (float)p.target_entropy;
  Step(p.alpha_adam)(p.alpha_adam.parameters, &d_log_alpha, 1);
  return entropy;
}

}  // namespace robosac
