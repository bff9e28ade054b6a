#pragma once

#include <dlfcn.h>

/// In a function that takes the place of a packaged library's: makes `next` the library's own one,
/// of this mangled name. `Function` is its type, with `this` in front.
#define NEXT(Function, symbol) \
  static const auto next = reinterpret_cast<Function>(dlsym(RTLD_NEXT, symbol))
