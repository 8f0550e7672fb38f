// Blocks of matrices mirrored at their diagonal, in registers.
#pragma once
#include "vectors.h"

namespace robosac {

typedef float Eight __attribute__((vector_size(32)));

// Eight rows of eight, mirrored at the diagonal.
static inline void transpose_block(const float *from, int stride, float *to, int to_stride) {
  Eight r[8], t[8];
  for (int i = 0; i < 8; i++) memcpy(&r[i], from + i * (long)stride, sizeof r[i]);
  for (int i = 0; i < 8; i += 2) {
    t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 2; j++) {
      r[i + j] = __builtin_shufflevector(t[i + j], t[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      r[i + j + 2] = __builtin_shufflevector(t[i + j], t[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  for (int i = 0; i < 4; i++) {
    t[i] = __builtin_shufflevector(r[i], r[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    t[i + 4] = __builtin_shufflevector(r[i], r[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
  for (int i = 0; i < 8; i++) memcpy(to + i * (long)to_stride, &t[i], sizeof t[i]);
}

}  // namespace robosac
