// XC_MULTIVERSION: compiles a function once per instruction set and picks at load time the best
// that this CPU has. For plain loops that the compiler vectorises; results must not depend on the
// choice (integers, or floats without fused multiply-add: preprocess.cpp turns that off).
//
// Off under sanitizers (the choice runs before their runtime is up) and outside GCC on x86-64.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(XCLOUD_SANITIZED)
#define XC_MULTIVERSION __attribute__((target_clones("avx2", "default")))
#else
#define XC_MULTIVERSION
#endif
