// How fast this core multiplies and adds when it does nothing else; and one product of 256 x 256.
#include "perceptron.h"

#define EXPORTED extern "C" __attribute__((visibility("default")))

// `rounds` times twelve independent multiply-adds of a vector; their sum, so that they are made.
EXPORTED float multiply_add(int rounds, const float *start) {
  robosac::Floats x[12];
  for (int i = 0; i < 12; i++) x[i] = robosac::all(start[i]);
  const robosac::Floats factor = robosac::all(start[12]), term = robosac::all(start[13]);
  for (int round = 0; round < rounds; round++)
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++) x[i] = x[i] * factor + term;
  float total = 0;
  for (int i = 0; i < 12; i++) total += robosac::sum(x[i]);
  return total;
}

EXPORTED int floats_of_round() { return 12 * robosac::WIDTH; }

// A layer of `size` units over as many rows; `memory` holds 5 times size (size + 32) floats.
EXPORTED void layer(int size, float *memory) {
  const int stride = robosac::stride_of(size);
  float *in = memory, *out = in + size * (long)stride, *weight = out + size * (long)stride;
  float *bias = weight + size * (long)size, *panel = bias + size + 64;
  const robosac::Room room = {panel, panel};
  robosac::affine(size, in, stride, size, weight, bias, size, room,
                  [=](int row, int j, robosac::Floats x, robosac::Floats y) {
                    robosac::put(out + row * (long)stride + j, robosac::relu(x), robosac::relu(y));
                  });
}
