/// What a running expression may spend, and how it fails. Every native function and operator gets one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "json/value.hpp"

namespace pawl::jq::detail {

using json::Value;

/// Containers nested deeper than this are refused by everything that walks them.
inline constexpr std::uint32_t kMaxDepth = 10'001;

class RegexCache;

/// Failing is a state, not an exception: a function that fails says so here and returns anything; the VM looks before it uses the result.
class Runtime {
 public:
  enum class Failure : std::uint8_t { none, raised, fuel, memory };

  Runtime(std::uint64_t fuel, std::int64_t memory, std::optional<TimePoint> now);
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  ~Runtime();

  /// Raises an error with a message; returns null so that a function can `return runtime.fail(..)`.
  Value fail(std::string message) { return raise(Value(std::move(message))); }
  Value raise(Value error);
  [[nodiscard]] bool ok() const { return failure_ == Failure::none; }
  [[nodiscard]] Failure failure() const { return failure_; }
  /// Clears a raised error (never one of the limits) and gives its value.
  [[nodiscard]] Value take_error();
  [[nodiscard]] const Value& error() const { return error_; }

  /// Pays for work. False, and failed for good, when nothing is left.
  bool spend(std::uint64_t units) {
    if (units >= fuel_) return out_of_fuel();
    fuel_ -= units;
    return true;
  }
  /// Announces that about `bytes` are going to be allocated (and pays for touching them). False, and failed, if that would break the limit.
  bool reserve(std::size_t bytes) {
    unchecked_ += bytes;
    if (!spend(bytes / 128)) return false;
    return unchecked_ < kCheckEvery || check_memory();
  }
  /// Compares what is held with the limit.
  bool check_memory();
  void out_of_memory() { failure_ = Failure::memory; }

  /// Values are counted per thread, so each stretch of work on one thread is measured by itself.
  void enter() { baseline_ = json::live_bytes() - held_; }
  void leave() { held_ = json::live_bytes() - baseline_; }
  /// Bytes of the VM's own stacks, kept up to date by the VM.
  void set_overhead(std::size_t bytes) { overhead_ = static_cast<std::int64_t>(bytes); }

  [[nodiscard]] const std::optional<TimePoint>& now() const { return now_; }
  [[nodiscard]] RegexCache& regexes();

 private:
  static constexpr std::size_t kCheckEvery = 1U << 20U;
  bool out_of_fuel();

  std::uint64_t fuel_;
  std::size_t unchecked_ = 0;
  Failure failure_ = Failure::none;
  std::int64_t memory_limit_;
  std::int64_t baseline_ = 0;
  std::int64_t held_ = 0;
  std::int64_t overhead_ = 0;
  Value error_;
  std::optional<TimePoint> now_;
  std::unique_ptr<RegexCache> regexes_;
};

}  // namespace pawl::jq::detail
