// Vectors of floats as wide as the processor's, and functions of them; by GCC's and Clang's vector
// extensions, so that one source serves every width. NaN comes through all of it, as in torch.
#pragma once
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace robosac {

#if defined(__AVX512F__)
constexpr int WIDTH = 16;
#else
constexpr int WIDTH = 8;
#endif

typedef float Floats __attribute__((vector_size(WIDTH * 4)));
typedef int32_t Ints __attribute__((vector_size(WIDTH * 4)));
typedef uint8_t Bytes __attribute__((vector_size(WIDTH)));

static inline int least(int a, int b) { return a < b ? a : b; }

static inline int whole(int count, int of) { return (count + of - 1) / of * of; }

static inline Floats load(const float *from) {
  Floats x;
  memcpy(&x, from, sizeof x);
  return x;
}

static inline void store(float *to, Floats x) { memcpy(to, &x, sizeof x); }

// A vector and the one behind it.
static inline void store(float *to, Floats x, Floats y) {
  store(to, x);
  store(to + WIDTH, y);
}

// The first `count` of a vector, zeros behind them.
static inline Floats padded(const float *from, int count) {
  if (count >= WIDTH) return load(from);
#if defined(__AVX512F__)
  return (Floats)_mm512_maskz_loadu_ps(count > 0 ? (1 << count) - 1 : 0, from);
#else
  Floats x = {};
  for (int j = 0; j < count; j++) x[j] = from[j];
  return x;
#endif
}

// The first `count` of a vector.
static inline void store_some(float *to, Floats x, int count) {
  if (count >= WIDTH)
    store(to, x);
#if defined(__AVX512F__)
  else if (count > 0)
    _mm512_mask_storeu_ps(to, (1 << count) - 1, (__m512)x);
#else
  else if (count > 0)
    memcpy(to, &x, count * sizeof(float));
#endif
}

// Bytes as numbers, and back. GCC takes a vector of bytes apart one by one.
static inline Ints bytes(const uint8_t *from) {
#if defined(__AVX512F__)
  return (Ints)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)from));
#else
  Bytes x;
  memcpy(&x, from, sizeof x);
  return __builtin_convertvector(x, Ints);
#endif
}

static inline void store(uint8_t *to, Ints x) {
#if defined(__AVX512F__)
  _mm_storeu_si128((__m128i *)to, _mm512_cvtepi32_epi8((__m512i)x));
#else
  const Bytes told = __builtin_convertvector(x, Bytes);
  memcpy(to, &told, sizeof told);
#endif
}

static inline Floats all(float x) { return x - Floats{}; }

static inline Floats at_least(Floats x, float bound) { return x < bound ? all(bound) : x; }

static inline Floats at_most(Floats x, float bound) { return x > bound ? all(bound) : x; }

static inline Floats relu(Floats x) { return x < 0.0f ? Floats{} : x; }

// What ReLU lets through of a gradient, given what it put out.
static inline Floats relu_gradient(Floats d, Floats out) { return out <= 0.0f ? Floats{} : d; }

static inline float sum(Floats x) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps((__m512)x);
#else
  float total = 0;
  for (int i = 0; i < WIDTH; i++) total += x[i];
  return total;
#endif
}

static inline Floats absolute(Floats x) { return x < 0.0f ? -x : x; }

#if defined(__AVX512F__)

// The processor's estimates of 14 bits, and one step of Newton's method: 1 or 2 ulp, in a quarter of
// the time of its exact root and quotient.
static inline Floats square_root(Floats x) {
  const Floats least = at_least(x, 1e-37f);  // of zero there is no inverse root
  const Floats inverse = (Floats)_mm512_rsqrt14_ps((__m512)least), y = least * inverse;
  const Floats root = y + (least - y * y) * inverse * 0.5f;
  return x > 3e38f ? x : root;
}

static inline Floats quotient(Floats x, Floats y) {
  const Floats inverse = (Floats)_mm512_rcp14_ps((__m512)y);
  const Floats nearer = inverse + inverse * (1.0f - y * inverse);
  return x * (y > 3e38f ? Floats{} : nearer);
}

#else

static inline Floats square_root(Floats x) {
  for (int i = 0; i < WIDTH; i++) x[i] = __builtin_sqrtf(x[i]);
  return x;
}

static inline Floats quotient(Floats x, Floats y) { return x / y; }

#endif

// e^x to 2 ulp: x = n log 2 + r, and the polynomial of Cephes' expf (S. Moshier) for e^r.
static inline Floats exponential(Floats x) {
  const float shift = 12582912.0f;  // 1.5 * 2^23: adding it rounds to the nearest integer
  x = at_most(at_least(x, -87.0f), 88.0f);
  const Floats shifted = x * 1.44269504088896341f + shift;
  const Floats n = shifted - shift;
  const Floats r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Floats y = r * 1.9875691500e-4f + 1.3981999507e-3f;
  y = y * r + 8.3334519073e-3f;
  y = y * r + 4.1665795894e-2f;
  y = y * r + 1.6666665459e-1f;
  y = y * r + 5.0000001201e-1f;
  y = y * (r * r) + r + 1.0f;
  Ints bits;
  memcpy(&bits, &shifted, sizeof bits);
  bits = (bits - 0x4b400000 + 127) << 23;
  Floats power;
  memcpy(&power, &bits, sizeof power);
  return y * power;
}

// log(1 + x) for x in [0, 1]: 2 artanh(x / (2 + x)), whose argument is at most 1/3.
static inline Floats log_one_plus(Floats x) {
  const Floats z = x / (x + 2.0f), s = z * z;
  Floats y = s * (2.0f / 17) + 2.0f / 15;
  y = y * s + 2.0f / 13;
  y = y * s + 2.0f / 11;
  y = y * s + 2.0f / 9;
  y = y * s + 2.0f / 7;
  y = y * s + 2.0f / 5;
  y = y * s + 2.0f / 3;
  return y * s * z + 2.0f * z;
}

// tanh x, given e^(-2|x|); Cephes' polynomial where the quotient would cancel.
static inline Floats hyperbolic_tangent(Floats x, Floats decay) {
  const Floats size = absolute(x), s = x * x;
  Floats y = s * -5.70498872745e-3f + 2.06390887954e-2f;
  y = y * s - 5.37397155531e-2f;
  y = y * s + 1.33314422036e-1f;
  y = y * s - 3.33332819422e-1f;
  const Floats small = y * s * x + x;
  const Floats quotient = (1.0f - decay) / (1.0f + decay);
  return size < 0.625f ? small : x < 0.0f ? -quotient : quotient;
}

}  // namespace robosac
