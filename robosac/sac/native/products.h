// Products of matrices in the one precision that a library is built for.
#pragma once
#ifdef ROBOSAC_BFLOAT16
#include "products_bfloat16.h"
#else
#include "products_float32.h"
#endif

namespace robosac {

// Room that a product works in: a panel of its right factor, and its left factor.
struct Room {
  Packed *panel, *left;
};

}  // namespace robosac
