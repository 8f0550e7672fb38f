// Products of matrices in the one precision that a library is built for.
#pragma once
#ifdef ROBOSAC_BFLOAT16
#include "products_bfloat16.h"
#else
#include "products_float32.h"
#endif

namespace robosac {

// Room that a product works in: a panel of its right factor, a mirrored left factor, and for what is
// soon used up: a layer's gradient, rows on their way back.
struct Room {
  Packed *panel;
  Value *left;
  float *gradient, *wide;
};

}  // namespace robosac
