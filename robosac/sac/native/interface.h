// What both sides of the native core must see alike: robosac/sac/native/interface.py tells it to ctypes.
#pragma once
#include "adam.h"

namespace robosac {
constexpr int MOST_LAYERS = 9;
}

extern "C" {

// One network of a learner: where its layers begin in flat storage.
struct Places {
  int64_t weight[robosac::MOST_LAYERS], bias[robosac::MOST_LAYERS];
};

// What the networks that see rows of numbers are, and how they learn.
struct Problem {
  int32_t batch, observation, action, hidden_layers;
  int32_t hidden[robosac::MOST_LAYERS - 1];
  int32_t critic_norm, mean_target, mean_actor;  // mean: of the critics' values; else the smaller
  int32_t entropy_backup;
  double discount, target_entropy, least_log_std, most_log_std;
  Places critics, policy;
  Optimiser critic_adam, policy_adam, alpha_adam;
};

// How pictures become `units` of the numbers that those networks see, the `state` behind them. `own`:
// each network by convolutions of its own (the paper's recipe), else by one encoder of patches, and
// projections.
struct Eyes {
  int32_t own, height, width, channels, state, units, shift, layers;
  int32_t side[robosac::MOST_LAYERS], filters[robosac::MOST_LAYERS];
  Places encoder, projection;  // among the critics' parameters; convolutions have no projection
  Places policy;               // the policy's convolutions or projection, among its own parameters
};

// What an update gets; rows lie one behind the other. `told`: Losses, in their order.
struct Batch {
  const float *observation, *action, *reward, *next_observation, *terminated, *noise;
  float *told;
};

// Pictures (batch, height, width, channels) of both states, and for each where its crop begins, down
// then right, (2 states, 2, batch).
struct Pictures {
  const uint8_t *image, *next_image;
  const int64_t *offset;
};
}
