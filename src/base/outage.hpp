/// Something that is tried again and again, and whose failures are told once each time that it breaks down.
#pragma once

#include <utility>

namespace pawl {

class Outage {
 public:
  /// After each try: whether it is the first failure since a success (or the start).
  [[nodiscard]] bool begins(bool failed) { return !std::exchange(lasts_, failed) && failed; }

 private:
  bool lasts_ = false;
};

}  // namespace pawl
