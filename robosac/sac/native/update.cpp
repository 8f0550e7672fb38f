// One update of Soft Actor-Critic (arXiv 1812.05905, Algorithm 1) on a CPU, in float32; products of
// matrices in what products.h is built for, by as many threads as there shall be. From vectors it is
// `Sac.update` of robosac/sac/agent.py, from pictures `PixelSac.update` of pixel_agent.py; nothing is
// allocated after `robosac_create`.
#include <stdlib.h>

#include <new>

#include "heads.h"
#include "own_sight.h"
#include "shared_sight.h"

using namespace robosac;

namespace {

struct Learner {
  Heads heads;
  // One of them, of a learner from pictures.
  SharedSight *shared;
  OwnSight *own;
  char *memory;
  Team *team;
};

void share_out(Learner &l, const RoomSize &size, Arena &arena) {
  const Problem &p = l.heads.problem;
  const Room room = size.made(arena);
  l.heads.room = room;
  share_out(l.heads, arena);
  if (l.shared) {
    l.shared->room = room;
    share_out(*l.shared, p, arena);
  }
  if (l.own) {
    l.own->room = room;
    share_out(*l.own, arena);
  }
}

Told learn_from_vectors(Heads &l, const Batch &b, float alpha, float *actor_loss) {
  const Problem &p = l.problem;
  act(l, b.observation, b.next_observation, b.noise);
  soft_values(l, b, &b.next_observation, alpha);
  show(l, &b.observation);
  const Told told = learn_values(l, b, Step(p.critic_adam), 0, nullptr);
  *actor_loss = learn_policy(l, alpha, Step(p.policy_adam), 0, nullptr);
  return told;
}

// From pictures all gradients are taken at the same weights, so the policy learns first.
Told learn_by_shared_sight(
    Heads &l, SharedSight &s, const Batch &b, const Pictures &pictures, float alpha, float *actor_loss) {
  const Problem &p = l.problem;
  const int units = s.eyes.units;
  look(s, b, pictures);
  act(l, s.policy_seen, s.policy_seen + p.batch * (long)s.columns, b.noise);
  soft_values(l, b, &s.targets_seen, alpha);
  show(l, &s.critics_seen);
  const Step policy(p.policy_adam), critics(p.critic_adam);
  *actor_loss = learn_policy(l, alpha, policy, units, s.d_policy);
  learn_projection(s, s.policy, s.policy_seen, s.d_policy, policy, false);
  memset(s.d_critics, 0, p.batch * (size_t)stride_of(units) * sizeof(float));
  float *const d_seen[] = {s.d_critics, s.d_critics};
  const Told told = learn_values(l, b, critics, units, d_seen);
  learn_projection(s, s.critics, s.critics_seen, s.d_critics, critics, true);
  learn_encoder(s, pictures, critics);
  return told;
}

Told learn_by_own_sight(
    Heads &l, OwnSight &s, const Batch &b, const Pictures &pictures, float alpha, float *actor_loss) {
  const Problem &p = l.problem;
  const int units = s.eyes.units;
  look(s, p, b, pictures);
  act(l, s.policy_seen, s.policy_seen + p.batch * (long)s.columns, b.noise);
  soft_values(l, b, s.targets_seen, alpha);
  show(l, s.critics_seen);
  const Step policy(p.policy_adam), critics(p.critic_adam);
  *actor_loss = learn_policy(l, alpha, policy, units, s.d_units[0]);
  for (int i = 0; i < CRITICS; i++)
    memset(s.d_units[1 + i], 0, p.batch * (size_t)stride_of(units) * sizeof(float));
  const Told told = learn_values(l, b, critics, units, s.d_units + 1);
  learn_convolutions(s, p, policy, critics);
  return told;
}

// What sees pictures of a learner, and what the heads then need.
template <class Sight>
Sight *made_sight(const Problem &problem, const Eyes &eyes, RoomSize &room) {
  Sight *s = static_cast<Sight *>(calloc(1, sizeof(Sight)));
  if (!s) return nullptr;
  s->eyes = eyes;
  s->batch = problem.batch;
  shape_sight(*s, room);
  return s;
}

void destroy(Learner *l) {
  delete l->team;
  free(l->shared);
  free(l->own);
  free(l->memory);
  free(l);
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
// memory, or no more threads.
EXPORTED void *robosac_create(const Problem *problem, const Eyes *eyes, int32_t threads) {
  if (threads < 1 || threads > MOST_THREADS) return nullptr;
  Learner *l = static_cast<Learner *>(calloc(1, sizeof(Learner)));
  if (!l) return nullptr;
  l->team = new (std::nothrow) Team(threads);
  if (!l->team || !l->team->start(begin_products)) {
    destroy(l);
    return nullptr;
  }
  RoomSize room = {};
  room.team = l->team;
  l->heads.problem = *problem;
  l->heads.own_views = eyes && eyes->own;
  shape_heads(l->heads, room);
  if (eyes && eyes->own)
    l->own = made_sight<OwnSight>(*problem, *eyes, room);
  else if (eyes)
    l->shared = made_sight<SharedSight>(*problem, *eyes, room);
  Arena arena = {nullptr, 0};
  void *memory = nullptr;
  const bool seeing = !eyes || l->own || l->shared;
  if (seeing) share_out(*l, room, arena);
  if (!seeing || posix_memalign(&memory, 64, arena.used)) {
    destroy(l);
    return nullptr;
  }
  memset(memory, 0, arena.used);
  arena = {l->memory = static_cast<char *>(memory), 0};
  share_out(*l, room, arena);
  return l;
}

EXPORTED void robosac_destroy(void *learner) {
  if (learner) destroy(static_cast<Learner *>(learner));
}

// `pictures`: of a learner that sees; its `batch` has the states beside them.
EXPORTED void robosac_update(void *learner, const Batch *batch, const Pictures *pictures) {
  Learner &l = *static_cast<Learner *>(learner);
  const float alpha = expf(*l.heads.problem.alpha_adam.parameters);
  float actor_loss;
  Told told;
  begin_products();
  if (l.shared)
    told = learn_by_shared_sight(l.heads, *l.shared, *batch, *pictures, alpha, &actor_loss);
  else if (l.own)
    told = learn_by_own_sight(l.heads, *l.own, *batch, *pictures, alpha, &actor_loss);
  else
    told = learn_from_vectors(l.heads, *batch, alpha, &actor_loss);
  end_products();
  const float entropy = learn_temperature(l.heads);
  const float losses[] = {told.loss, actor_loss, alpha, entropy, told.q_mean};
  memcpy(batch->told, losses, sizeof losses);
}
