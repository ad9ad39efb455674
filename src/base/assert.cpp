#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace pawl {

void assertion_failed(const char* condition, const char* file, int line, const char* why) {
  std::fprintf(stderr, "pawl: broken invariant: %s (%s) at %s:%d\n", why, condition, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace pawl
