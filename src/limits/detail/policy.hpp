/// The state of one subject under one rule, whichever way the rule counts.
#pragma once

#include "limits/gcra.hpp"
#include "limits/sliding_window.hpp"

namespace pawl::limits::detail {

struct Policy {
  Rate rate;
  bool sliding = false;  ///< else GCRA
};

/// GCRA uses the first place, a sliding window as many as its amount.
using Cell = CallTimes;

inline Verdict look(const Policy& policy, const Cell& cell, Micros now) {
  return policy.sliding ? sliding_look(policy.rate, cell, now) : gcra_look(policy.rate, cell[0], now);
}

inline void take(const Policy& policy, Cell& cell, Micros now) {
  if (policy.sliding) {
    sliding_take(policy.rate, cell, now);
  } else {
    cell[0] = gcra_take(policy.rate, cell[0], now);
  }
}

}  // namespace pawl::limits::detail
