/// A child process of a benchmark, ended with its owner.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace pawl::bench {

class Child {
 public:
  /// Runs `arguments` (the first is the program's path) with exactly this environment; its output goes to `log`.
  [[nodiscard]] static Result<Child> start(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
                                           const std::string& log);
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Child& operator=(Child&& other) noexcept {
    std::swap(pid_, other.pid_);
    return *this;
  }
  /// SIGTERM, then waits.
  ~Child();

  /// Resident memory in bytes (VmRSS).
  [[nodiscard]] std::size_t resident_bytes() const;

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
};

/// A TCP port on 127.0.0.1 that is free now.
[[nodiscard]] std::uint16_t free_port();

}  // namespace pawl::bench
