#include "jq/detail/runtime.hpp"

#include "jq/detail/regex.hpp"

namespace pawl::jq::detail {

Runtime::Runtime(std::uint64_t fuel, std::int64_t memory, std::optional<TimePoint> now) : fuel_(fuel), memory_limit_(memory), now_(now) {}
Runtime::~Runtime() = default;

Value Runtime::raise(Value error) {
  if (failure_ == Failure::none) {
    failure_ = Failure::raised;
    error_ = std::move(error);
  }
  return {};
}

Value Runtime::take_error() {
  failure_ = Failure::none;
  return std::exchange(error_, Value());
}

bool Runtime::out_of_fuel() {
  fuel_ = 0;
  if (failure_ == Failure::none || failure_ == Failure::raised) failure_ = Failure::fuel;
  return false;
}

bool Runtime::check_memory() {
  const std::int64_t held = json::live_bytes() - baseline_ + overhead_ + static_cast<std::int64_t>(unchecked_);
  unchecked_ = 0;
  if (held <= memory_limit_) return true;
  failure_ = Failure::memory;
  return false;
}

RegexCache& Runtime::regexes() {
  if (!regexes_) regexes_ = std::make_unique<RegexCache>();
  return *regexes_;
}

}  // namespace pawl::jq::detail
