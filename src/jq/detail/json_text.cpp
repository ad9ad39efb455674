/// JSON text in and out, as expressions see it: bounded, without recursion, with jq's messages.
#include <charconv>
#include <cmath>

#include "jq/detail/lexer.hpp"
#include "jq/detail/ops.hpp"
#include "jq/detail/parser.hpp"
#include "jq/detail/utf8.hpp"
#include "json/write.hpp"

namespace pawl::jq::detail {
namespace {

constexpr std::size_t kDescribedBytes = 29;

/// Writes until `limit` bytes are exceeded (0: no limit).
class Writer {
 public:
  Writer(Runtime* runtime, std::string& out, std::size_t limit) : runtime_(runtime), out_(out), limit_(limit) {}

  void write(const Value& value) {
    begin(value);
    while (!open_.empty() && !stopped()) {
      Level& level = open_.back();
      const bool array = level.value->is_array();
      if (level.at == level.value->size()) {
        out_ += array ? ']' : '}';
        open_.pop_back();
        continue;
      }
      if (level.at > 0) out_ += ',';
      const std::size_t at = level.at++;
      if (array) {
        begin(level.value->at(at));
      } else {
        const auto& member = level.value->members()[at];
        json::append_quoted(out_, member.name());
        out_ += ':';
        begin(member.value);
      }
    }
  }

 private:
  struct Level {
    const Value* value;
    std::size_t at = 0;
  };

  bool stopped() {
    if (limit_ != 0) return out_.size() > limit_;
    const std::size_t fresh = out_.size() - paid_;
    if (fresh < 4096) return !runtime_->spend(1);
    paid_ = out_.size();
    return !runtime_->reserve(fresh);
  }

  void begin(const Value& value) {
    if (!value.is_array() && !value.is_object()) {
      if (value.is_string() && limit_ != 0 && value.size() > limit_) {
        json::append_quoted(out_, value.as_string().substr(0, limit_));
      } else {
        json::append_text(out_, value);
      }
      return;
    }
    if (open_.size() > kMaxDepth - 1) {
      out_ += "\"<skipped: too deep>\"";
      return;
    }
    out_ += value.is_array() ? '[' : '{';
    open_.push_back({&value});
  }

  Runtime* runtime_;
  std::string& out_;
  std::size_t limit_;
  std::size_t paid_ = 0;
  std::vector<Level> open_;
};

}  // namespace

std::string shortened(const Value& value) {
  std::string text;
  Writer(nullptr, text, kDescribedBytes).write(value);
  if (text.size() > kDescribedBytes) {
    const std::string_view tail = value.is_string() ? "...\"" : "...";
    std::size_t keep = kDescribedBytes - tail.size();
    while (keep > 0 && (static_cast<unsigned char>(text[keep]) & 0xC0U) == 0x80) --keep;
    text.resize(keep);
    text += tail;
  }
  return text;
}

std::string describe(const Value& value) { return std::string(kind_name(value)) + " (" + shortened(value) + ")"; }

void append_json(Runtime& runtime, std::string& out, const Value& value) { Writer(&runtime, out, 0).write(value); }

std::string to_json(Runtime& runtime, const Value& value) {
  std::string out;
  append_json(runtime, out, value);
  return out;
}

Value to_string(Runtime& runtime, Value value) {
  if (value.is_string()) return value;
  std::string text = to_json(runtime, value);
  return runtime.ok() ? Value(std::move(text)) : Value();
}

namespace {

bool is_nan(std::string_view word) {
  if (!word.empty() && word.front() == '-') word.remove_prefix(1);
  return word == "nan" || word == "NaN";
}

bool is_number(std::string_view word) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t begin = at;
    while (at < word.size() && word[at] >= '0' && word[at] <= '9') ++at;
    return at - begin;
  };
  if (at < word.size() && (word[at] == '-' || word[at] == '+')) ++at;
  std::size_t count = digits();
  if (at < word.size() && word[at] == '.') {
    ++at;
    count += digits();
  }
  if (count == 0) return false;
  if (at < word.size() && (word[at] == 'e' || word[at] == 'E')) {
    ++at;
    if (at < word.size() && (word[at] == '-' || word[at] == '+')) ++at;
    if (digits() == 0) return false;
  }
  return at == word.size();
}

/// Accepts what jq's own parser accepts: JSON, and `nan` in any case with a sign.
class Reader {
 public:
  Reader(Runtime& runtime, std::string_view text) : runtime_(runtime), text_(text) {
    if (text_.substr(0, 3) == "\xEF\xBB\xBF") at_ = 3;
  }

  Value read() {
    skip_blanks();
    if (at_ == text_.size()) return failure("Expected JSON value");
    Value value = document();
    if (!runtime_.ok()) return {};
    skip_blanks();
    if (at_ < text_.size()) return failure("Unexpected extra JSON values", false);
    return value;
  }

 private:
  struct Level {
    Value container;
    Value key;
  };

  Value document() {
    while (true) {
      Value value;
      bool opened = false;
      if (!begin_value(value, opened)) return {};
      if (opened) continue;
      while (true) {  // put the value in its place and close what ends here
        if (open_.empty()) return value;
        Level& level = open_.back();
        if (level.container.is_array()) {
          level.container.push_back(std::move(value));
        } else {
          level.container.set_shared(level.key, std::move(value));
        }
        if (!runtime_.spend(1) || !runtime_.reserve(sizeof(json::Member))) return {};
        skip_blanks();
        const char c = peek();
        if (c == ',') {
          ++at_;
          skip_blanks();
          if (level.container.is_object() && !read_key(level)) return {};
          break;
        }
        if (c != (level.container.is_array() ? ']' : '}')) return unfinished("Expected separator between values");
        ++at_;
        value = std::move(level.container);
        open_.pop_back();
      }
    }
  }

  /// A scalar or an empty container into `value`; or a container is opened and its first value comes next.
  bool begin_value(Value& value, bool& opened) {
    skip_blanks();
    const char c = peek();
    if (c == '[' || c == '{') {
      if (open_.size() >= kMaxDepth - 1) {
        failure("Exceeds depth limit for parsing");
        return false;
      }
      ++at_;
      skip_blanks();
      if (peek() == (c == '[' ? ']' : '}')) {
        ++at_;
        value = c == '[' ? Value::array() : Value::object();
        return true;
      }
      open_.push_back({c == '[' ? Value::array() : Value::object(), {}});
      opened = true;
      return c == '[' || read_key(open_.back());
    }
    if (c == '"') return read_string(value);
    return read_literal(value);
  }

  bool read_key(Level& level) {
    if (peek() != '"') {
      unfinished("Object keys must be strings");
      return false;
    }
    if (!read_string(level.key)) return false;
    skip_blanks();
    if (peek() != ':') {
      unfinished("Objects must consist of key:value pairs");
      return false;
    }
    ++at_;
    return true;
  }

  bool read_string(Value& value) {
    // The same escapes as in the language, where `\(` begins an interpolation and is refused here.
    const std::size_t begin = at_ + 1;
    std::size_t end = begin;
    bool plain = true;
    while (end < text_.size() && text_[end] != '"') {
      if (static_cast<unsigned char>(text_[end]) < 0x20) {
        at_ = end;
        failure("Invalid string: control characters from U+0000 through U+001F must be escaped");
        return false;
      }
      plain = plain && text_[end] != '\\';
      end += text_[end] == '\\' ? 2U : 1U;
    }
    if (end >= text_.size()) {
      at_ = text_.size();
      failure("Unfinished string");
      return false;
    }
    if (!runtime_.reserve(end - begin + 32)) return false;
    at_ = end + 1;
    if (plain) {
      value = Value(text_.substr(begin, end - begin));
      return true;
    }
    std::string out;
    const auto closed = Lexer(text_.substr(begin, end - begin + 1)).string_part(out);
    if (closed.has_error() || !closed.value()) {
      failure("Invalid escape");
      return false;
    }
    value = Value(std::move(out));
    return true;
  }

  bool read_literal(Value& value) {
    const std::size_t begin = at_;
    while (at_ < text_.size() && std::string_view(" \t\r\n,:[]{}\"").find(text_[at_]) == std::string_view::npos) ++at_;
    const auto word = text_.substr(begin, at_ - begin);
    if (word == "null") {
      value = Value();
    } else if (word == "true" || word == "false") {
      value = word == "true";
    } else if (is_nan(word)) {
      value = std::nan("");
    } else if (is_number(word)) {
      value = number_from_text(word.front() == '+' ? word.substr(1) : word);
    } else if (word == "Infinity" || word == "-Infinity") {
      value = word.front() == '-' ? -HUGE_VAL : HUGE_VAL;
    } else {
      failure(word.empty() ? "Unfinished JSON term" : word_problem(word));
      return false;
    }
    return true;
  }

  static std::string word_problem(std::string_view word) {
    const char c = word.front();
    return c == 't' || c == 'f' || c == 'n' || c == '\'' ? "Invalid literal" : "Invalid numeric literal";
  }

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r' || text_[at_] == '\n')) ++at_;
  }
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  Value unfinished(std::string message) { return failure(at_ == text_.size() ? "Unfinished JSON term" : std::move(message)); }

  Value failure(std::string message, bool with_place = true) {
    if (!runtime_.ok()) return {};
    if (with_place) {
      std::size_t line = 1;
      std::size_t column = 0;
      for (std::size_t i = 0; i < at_ && i < text_.size(); ++i) {
        ++column;
        if (text_[i] == '\n') {
          ++line;
          column = 0;
        }
      }
      message += at_ >= text_.size() ? " at EOF" : "";
      message += " at line " + std::to_string(line) + ", column " + std::to_string(column);
    }
    std::string shown(text_.substr(0, 256));
    return runtime_.fail(message + " (while parsing '" + repair_utf8(shown) + "')");
  }

  Runtime& runtime_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Level> open_;
};

}  // namespace

std::optional<Value> parse_number(std::string_view text) {
  if (is_nan(text)) return Value(std::nan(""));
  if (!is_number(text)) return std::nullopt;
  return number_from_text(text.front() == '+' ? text.substr(1) : text);
}

Value parse_json(Runtime& runtime, std::string_view text) { return Reader(runtime, text).read(); }

}  // namespace pawl::jq::detail
