/// Keeps the secrets of one run out of everything that is stored or shown of it. Private to the shard.
///
/// A secret may go where a function takes it (a header, a password): there it is used. What comes back, and what comes in from outside,
/// loses it before it becomes an event; the state of a run may hold it (`set: {x: ${ $secrets.a }}`), but nothing that leaves memory does:
/// views, results and updates are scrubbed, and a state with a secret in it is not kept as a snapshot: its events, which have none, are.
#pragma once

#include <memory>
#include <string_view>

#include "audit/redact.hpp"
#include "engine/machine/event.hpp"
#include "engine/machine/machine.hpp"
#include "json/value.hpp"

namespace pawl::engine {

class Scrub {
 public:
  /// Nothing for a run that uses no secrets: then there is nothing to do anywhere.
  [[nodiscard]] static std::unique_ptr<const Scrub> of(const json::Value& secrets);

  [[nodiscard]] json::Value value(const json::Value& value) const;
  void event(decltype(Event::body)& body) const;
  void record(TaskRecord& record) const;
  [[nodiscard]] bool occurs_in(const json::Value& value) const;

 private:
  void lines(std::vector<LogLine>& lines) const;

  audit::Needles needles_;
  audit::Redactor redactor_;
};

}  // namespace pawl::engine
