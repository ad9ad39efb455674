/// Writes JSON objects straight into a text: what the replies of hot routes are made with.
///
///     std::string out;
///     { ObjectWriter object(out); object.text("id", id); object.value("output", output); }
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "json/value.hpp"
#include "json/write.hpp"

namespace pawl::api {

/// Open from construction to destruction; nested writers must end before the outer one goes on. Names are literals that need no escapes.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  ~ObjectWriter() { out_ += '}'; }
  ObjectWriter(const ObjectWriter&) = delete;
  ObjectWriter& operator=(const ObjectWriter&) = delete;

  void text(std::string_view name, std::string_view value) {
    key(name);
    json::append_quoted(out_, value);
  }
  void value(std::string_view name, const json::Value& value) {
    key(name);
    json::append_text(out_, value);
  }
  void boolean(std::string_view name, bool value) {
    key(name);
    out_ += value ? "true" : "false";
  }
  void integer(std::string_view name, std::int64_t value) {
    key(name);
    out_ += std::to_string(value);
  }
  void null(std::string_view name) {
    key(name);
    out_ += "null";
  }
  void time(std::string_view name, const std::optional<TimePoint>& time) {
    if (time) {
      text(name, to_rfc3339(*time));
    } else {
      null(name);
    }
  }
  /// Null where empty.
  void text_or_null(std::string_view name, std::string_view value) {
    if (value.empty()) {
      null(name);
    } else {
      text(name, value);
    }
  }
  /// Writes the name; the caller appends the value to `out` itself.
  std::string& raw(std::string_view name) {
    key(name);
    return out_;
  }

 private:
  void key(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    out_ += '"';
    out_ += name;
    out_ += "\":";
  }

  std::string& out_;
  bool first_ = true;
};

/// `[a,b,c]` with one call of `append(item)` for each.
template <class Items, class Append>
void append_array(std::string& out, const Items& items, Append append) {
  out += '[';
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += ',';
    first = false;
    append(item);
  }
  out += ']';
}

}  // namespace pawl::api
