// One update of Soft Actor-Critic (arXiv 1812.05905, Algorithm 1) on one core, in float32; products of
// matrices in what products.h is built for.
// The arithmetic is that of `Sac.update` in robosac/sac/agent.py, which is the reference; nothing is
// allocated after `robosac_create`. robosac/sac/native/core.py is the other side of this interface.
#include <stdlib.h>

#include <initializer_list>

#include "perceptron.h"

using namespace robosac;

constexpr int CRITICS = 2;

extern "C" {

// One network of a learner: where its layers begin in flat storage.
struct Places {
  int64_t weight[MOST_LAYERS], bias[MOST_LAYERS];
};

struct Problem {
  int32_t batch, observation, action, hidden_layers;
  int32_t hidden[MOST_LAYERS - 1];
  int32_t critic_norm, mean_target, mean_actor;  // mean: of the critics' values; else the smaller
  double discount, target_entropy, least_log_std, most_log_std;
  Places critics, policy;
  Optimiser critic_adam, policy_adam, alpha_adam;
};

// What an update gets; rows lie one behind the other. `told`: Losses, in their order.
struct Batch {
  const float *observation, *action, *reward, *next_observation, *terminated, *noise;
  float *told;
};
}

namespace {

struct Learner {
  Problem problem;
  Shape critic, policy;
  Weights critics[CRITICS], targets[CRITICS], actor;
  Rows critic_rows[CRITICS], policy_rows;
  Value *critic_d[MOST_LAYERS + 1], *policy_d[MOST_LAYERS + 1];  // [i]: by what layer i - 1 put out
  float *head, *action, *log_pi, *q[CRITICS], *target, *d_q, *d_action;
  Room room;
  float *mean, *log_std, *noise, *spread;  // of both states' actions, without gaps
  int *chosen;
  char *memory;
};

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
};

Weights weights_at(const Shape &shape, const Places &places, float *flat, int member) {
  Weights found = {};
  for (int i = 0; i < shape.layers; i++) {
    const long in = shape.width[i], out = shape.width[i + 1];
    found.weight[i] = flat + places.weight[i] + member * in * out;
    found.bias[i] = flat + places.bias[i] + member * out;
  }
  return found;
}

// Whole blocks of rows, as a product's left factor has them.
Value *values_in(Arena &arena, const Shape &shape, int index, int rows) {
  return arena.take<Value>(whole(rows, ROWS) * (size_t)shape.stride(index));
}

// `input`: what the first layer gets, which networks may share.
Rows rows_in(Arena &arena, const Shape &shape, int rows, Value *input) {
  Rows found = {};
  found.input[0] = input;
  for (int i = 1; i < shape.layers; i++) {
    found.input[i] = values_in(arena, shape, i, rows);
    if (!shape.norm) continue;
    const size_t size = rows * (size_t)shape.stride(i);
    found.normal[i] = arena.take<float>(size);
    found.scale[i] = arena.take<float>(rows);
  }
  return found;
}

void share_out(Learner &l, Arena &arena) {
  const Problem &p = l.problem;
  const int batch = p.batch, layers = p.hidden_layers + 1;
  l.critic.layers = l.policy.layers = layers;
  l.critic.norm = p.critic_norm;
  l.policy.norm = false;
  l.critic.width[0] = p.observation + p.action;
  l.policy.width[0] = p.observation;
  for (int i = 1; i < layers; i++) l.critic.width[i] = l.policy.width[i] = p.hidden[i - 1];
  l.critic.width[layers] = 1;
  l.policy.width[layers] = 2 * p.action;
  Value *critic_input = values_in(arena, l.critic, 0, batch);
  for (int i = 0; i < CRITICS; i++) {
    l.critics[i] = weights_at(l.critic, p.critics, p.critic_adam.parameters, i);
    l.targets[i] = weights_at(l.critic, p.critics, p.critic_adam.follower, i);
    l.critic_rows[i] = rows_in(arena, l.critic, batch, critic_input);
    l.q[i] = arena.take<float>(batch);
  }
  l.actor = weights_at(l.policy, p.policy, p.policy_adam.parameters, 0);
  Value *policy_input = values_in(arena, l.policy, 0, 2 * batch);
  l.policy_rows = rows_in(arena, l.policy, 2 * batch, policy_input);
  int widest = 2 * batch, broadest = 0, largest = 0;
  for (int i = 0; i <= layers; i++) {
    l.critic_d[i] = values_in(arena, l.critic, i, batch);
    l.policy_d[i] = values_in(arena, l.policy, i, batch);
    for (const Shape *shape : {&l.critic, &l.policy}) {
      const int n = shape->width[i], size = i < layers ? (n + 1) * shape->width[i + 1] : 0;
      broadest = n > broadest ? n : broadest;
      largest = size > largest ? size : largest;
    }
  }
  widest = broadest > widest ? broadest : widest;
  l.room.panel = arena.take<Packed>(packed_size(widest));
  l.room.left = arena.take<Value>(mirrored_size(widest, widest));
  l.room.gradient = arena.take<float>(largest + 2 * WIDTH);
  l.room.wide = arena.take<float>(batch * (size_t)stride_of(broadest));
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
void squash(Learner &l) {
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
void squash_gradient(Learner &l, float d_log_pi) {
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

void values(Learner &l, const Weights &net, int member) {
  forward_hidden(l.critic, net, l.critic_rows[member], l.problem.batch, l.room);
  forward_one(l.critic, net, l.critic_rows[member], l.problem.batch, l.q[member]);
}

// Whether critic 0 is the smaller one; NaN is smaller than any number, the first of equals chosen.
bool first_is_least(float q0, float q1) { return q0 <= q1 || q0 != q0; }

float reduced(const Learner &l, int row, bool mean) {
  const float q0 = l.q[0][row], q1 = l.q[1][row];
  if (mean) return (q0 + q1) / CRITICS;
  return first_is_least(q0, q1) ? q0 : q1;
}

// Equations 2, 3, 5 and 6: targets, then the critics' step. `told`: loss and mean value.
void learn_values(Learner &l, const Batch &b, float alpha, float *loss, float *q_mean) {
  const Problem &p = l.problem;
  const int batch = p.batch, o = p.observation, a = p.action, last = l.critic.layers - 1;
  const int stride = l.critic.stride(0);
  Value *in = l.critic_rows[0].input[0];
  fill(b.next_observation, batch, o, in, stride);
  fill(l.action + (long)batch * a, batch, a, in + o, stride);
  for (int i = 0; i < CRITICS; i++) values(l, l.targets[i], i);
  for (int row = 0; row < batch; row++) {
    const float value = reduced(l, row, p.mean_target) - alpha * l.log_pi[batch + row];
    l.target[row] = b.reward[row] + (float)p.discount * (1 - b.terminated[row]) * value;
  }
  double squares = 0, total = 0;
  const Step step(p.critic_adam);
  fill(b.observation, batch, o, in, stride);
  fill(b.action, batch, a, in + o, stride);
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
    backward_hidden(l.critic, l.critics[i], at, batch, nullptr, l.critic_d, &step, l.room);
  }
  *loss = 0.5 * squares / batch;
  *q_mean = total / (CRITICS * batch);
}

// Gradient of the policy's loss by the action, through the critics' values of it.
void action_gradient(Learner &l) {
  const Problem &p = l.problem;
  const int batch = p.batch, a = p.action, last = l.critic.layers - 1, stride = stride_of(a);
  memset(l.d_action, 0, batch * (size_t)stride * sizeof(float));
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
    backward_hidden(l.critic, l.critics[i], at, rows, l.chosen, l.critic_d, nullptr, l.room);
    affine_gradient(rows, l.critic_d[1], l.critic.stride(1), l.critic.width[1],
                    l.critics[i].weight[0], p.observation, a, l.room,
                    [&](int row, int j, Floats x, Floats y) {
                      float *to = l.d_action + l.chosen[row] * (long)stride + j;
                      store(to, load(to) + x, load(to + WIDTH) + y);
                    });
  }
}

// Equations 9 and 10: the policy's step. Returns its loss.
float learn_policy(Learner &l, float alpha) {
  const Problem &p = l.problem;
  const int batch = p.batch, last = l.policy.layers - 1, a = p.action;
  // The observations are there from the values' step.
  fill(l.action, batch, a, l.critic_rows[0].input[0] + p.observation, l.critic.stride(0));
  for (int i = 0; i < CRITICS; i++) values(l, l.critics[i], i);
  double total = 0;
  for (int row = 0; row < batch; row++)
    total += alpha * l.log_pi[row] - reduced(l, row, p.mean_actor);
  action_gradient(l);
  squash_gradient(l, alpha / batch);
  const Step step(p.policy_adam);
  const Value *d = l.policy_d[last + 1];
  through_layer(l.policy, l.actor, last, batch, d,
                Descent(l.policy, l.policy_rows, last, nullptr, l.policy_d[last], l.room), l.room);
  learn_layer(l.policy, l.actor, l.policy_rows, last, batch, d, step, l.room);
  backward_hidden(l.policy, l.actor, l.policy_rows, batch, nullptr, l.policy_d, &step, l.room);
  return total / batch;
}

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

// Sizes of what both sides must see alike.
EXPORTED int64_t robosac_layout(int which) {
  const int64_t sizes[] = {sizeof(Problem), sizeof(Optimiser), sizeof(Batch), MOST_LAYERS, HAS_UNITS};
  return which >= 0 && which < 5 ? sizes[which] : -1;
}

// Whether this process may use what the products are made by; ask before the first update.
EXPORTED int32_t robosac_allowed(void) { return units_allowed(); }

// Everything an update of that problem needs; null: no memory.
EXPORTED void *robosac_create(const Problem *problem) {
  Learner l = {};
  l.problem = *problem;
  Arena counting = {nullptr, 0};
  share_out(l, counting);
  void *memory = nullptr;
  if (posix_memalign(&memory, 64, counting.used)) return nullptr;
  memset(memory, 0, counting.used);
  Arena arena = {static_cast<char *>(memory), 0};
  share_out(l, arena);
  l.memory = arena.memory;
  Learner *made = static_cast<Learner *>(malloc(sizeof(Learner)));
  if (made)
    *made = l;
  else
    free(memory);
  return made;
}

EXPORTED void robosac_destroy(void *learner) {
  if (learner) free(static_cast<Learner *>(learner)->memory);
  free(learner);
}

EXPORTED void robosac_update(void *learner, const Batch *batch) {
  Learner &l = *static_cast<Learner *>(learner);
  const Problem &p = l.problem;
  const int rows = p.batch, o = p.observation, last = l.policy.layers - 1;
  const float alpha = expf(*p.alpha_adam.parameters);
  begin_products();
  const int stride = l.policy.stride(0), head_stride = l.policy.stride(last + 1);
  Value *in = l.policy_rows.input[0];
  float *head = l.head;
  fill(batch->observation, rows, o, in, stride);
  fill(batch->next_observation, rows, o, in + rows * (long)stride, stride);
  forward_hidden(l.policy, l.actor, l.policy_rows, 2 * rows, l.room);
  affine(2 * rows, l.policy_rows.input[last], l.policy.stride(last), l.policy.width[last],
         l.actor.weight[last], l.actor.bias[last], l.policy.width[last + 1], l.room,
         [=](int row, int j, Floats x, Floats y) {
           store(head + row * (long)head_stride + j, x, y);
         });
  memcpy(l.noise, batch->noise, 2 * rows * (size_t)p.action * sizeof(float));
  squash(l);
  float critic_loss, q_mean;
  learn_values(l, *batch, alpha, &critic_loss, &q_mean);
  const float actor_loss = learn_policy(l, alpha);
  end_products();
  double total = 0;
  for (int row = 0; row < rows; row++) total += l.log_pi[row];
  const float entropy = -total / rows;
  // Equation 18 in the form J = log(alpha) (entropy - target entropy).
  const float d_log_alpha = entropy - (float)p.target_entropy;
  Step(p.alpha_adam)(p.alpha_adam.parameters, &d_log_alpha, 1);
  const float told[] = {critic_loss, actor_loss, alpha, entropy, q_mean};
  memcpy(batch->told, told, sizeof told);
}
