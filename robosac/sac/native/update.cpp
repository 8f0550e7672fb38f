// One update of Soft Actor-Critic (arXiv 1812.05905, Algorithm 1) on one core, in float32; products of
// matrices in what products.h is built for. From vectors it is `Sac.update` of robosac/sac/agent.py,
// from pictures `PixelSac.update` of pixel_agent.py; nothing is allocated after `robosac_create`.
#include <stdlib.h>


#include "heads.h"
#include "sight.h"

using namespace robosac;

namespace {

struct Learner {
  Heads heads;
  Sight sight;
  bool sees;
  char *memory;
};

void share_out(Learner &l, const RoomSize &room, Arena &arena) {
  robosac::share_out(l.heads, arena);
  if (l.sees) robosac::share_out(l.sight, l.heads.problem, arena);
  l.heads.room = l.sight.room = room.made(arena);
}

Told learn_from_vectors(Heads &l, const Batch &b, float alpha, float *actor_loss) {
  const Problem &p = l.problem;
  act(l, b.observation, b.next_observation, b.noise);
  soft_values(l, b, b.next_observation, alpha);
  show(l, b.observation);
  const Told told = learn_values(l, b, Step(p.critic_adam), 0, nullptr);
  *actor_loss = learn_policy(l, alpha, Step(p.policy_adam), 0, nullptr);
  return told;
}

// All gradients are taken at the same weights, so the policy learns first.
Told learn_from_pictures(
    Heads &l, Sight &s, const Batch &b, const Pictures &pictures, float alpha, float *actor_loss) {
  const Problem &p = l.problem;
  const int units = s.eyes.units;
  look(s, b, pictures);
  act(l, s.policy_seen, s.policy_seen + p.batch * (long)s.columns, b.noise);
  soft_values(l, b, s.targets_seen, alpha);
  show(l, s.critics_seen);
  const Step policy(p.policy_adam), critics(p.critic_adam);
  *actor_loss = learn_policy(l, alpha, policy, units, s.d_policy);
  learn_projection(s, s.policy, s.policy_seen, s.d_policy, policy, false);
  memset(s.d_critics, 0, p.batch * (size_t)stride_of(units) * sizeof(float));
  const Told told = learn_values(l, b, critics, units, s.d_critics);
  learn_projection(s, s.critics, s.critics_seen, s.d_critics, critics, true);
  learn_encoder(s, pictures, critics);
  return told;
}

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

// Sizes of what both sides must see alike.
EXPORTED int64_t robosac_layout(int which) {
  const int64_t sizes[] = {sizeof(Problem),  sizeof(Optimiser), sizeof(Eyes), sizeof(Batch),
                           sizeof(Pictures), MOST_LAYERS,       HAS_UNITS};
  return which >= 0 && which < 7 ? sizes[which] : -1;
}

// Whether this process may use what the products are made by; ask before the first update.
EXPORTED int32_t robosac_allowed(void) { return units_allowed(); }

// Everything an update of that problem needs, by what sees pictures where `eyes` is not null; null: no
// memory.
EXPORTED void *robosac_create(const Problem *problem, const Eyes *eyes) {
  Learner *l = static_cast<Learner *>(calloc(1, sizeof(Learner)));
  if (!l) return nullptr;
  RoomSize room = {};
  l->heads.problem = *problem;
  shape_heads(l->heads, room);
  l->sees = eyes;
  if (l->sees) {
    l->sight.eyes = *eyes;
    l->sight.grid = grid_of(*eyes);
    l->sight.batch = problem->batch;
    shape_sight(l->sight, room);
  }
  Arena counting = {nullptr, 0};
  share_out(*l, room, counting);
  void *memory = nullptr;
  if (posix_memalign(&memory, 64, counting.used)) {
    free(l);
    return nullptr;
  }
  memset(memory, 0, counting.used);
  Arena arena = {static_cast<char *>(memory), 0};
  share_out(*l, room, arena);
  l->memory = arena.memory;
  return l;
}

EXPORTED void robosac_destroy(void *learner) {
  if (learner) free(static_cast<Learner *>(learner)->memory);
  free(learner);
}

// `pictures`: of a learner that sees; its `batch` has the states beside them.
EXPORTED void robosac_update(void *learner, const Batch *batch, const Pictures *pictures) {
  Learner &l = *static_cast<Learner *>(learner);
  const float alpha = expf(*l.heads.problem.alpha_adam.parameters);
  float actor_loss;
  begin_products();
  const Told told = l.sees
      ? learn_from_pictures(l.heads, l.sight, *batch, *pictures, alpha, &actor_loss)
      : learn_from_vectors(l.heads, *batch, alpha, &actor_loss);
  end_products();
  const float entropy = learn_temperature(l.heads);
  const float losses[] = {told.loss, actor_loss, alpha, entropy, told.q_mean};
  memcpy(batch->told, losses, sizeof losses);
}
