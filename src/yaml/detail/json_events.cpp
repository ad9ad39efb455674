/// JSON text to events. libyaml reads nearly all JSON, but not surrogate pairs (`"\ud83d\ude00"`), keys beyond 1,024 characters and tabs
/// everywhere that JSON allows them; and this is several times faster.
#include <vector>

#include "base/utf8.hpp"
#include "yaml/detail/events.hpp"

namespace pawl::yaml::detail {
namespace {

class JsonReader {
 public:
  JsonReader(std::string_view text, const Limits& limits) : text_(text), limits_(limits) {}

  Events read() {
    bool good = value();
    while (good && !open_.empty()) good = step();
    skip_space();
    events_.complete = good && at_ == text_.size();
    if (!events_.complete && !limit_) events_.findings.clear();
    return std::move(events_);
  }

 private:
  struct Open {
    bool map;
    bool first = true;
  };

  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  [[nodiscard]] Position here() const { return {line_, static_cast<std::uint32_t>(at_ - line_start_ - continuation_ + 1)}; }
  void skip_space() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') {
        ++line_;
        line_start_ = at_ + 1;
        continuation_ = 0;
      } else if (c != ' ' && c != '\t' && c != '\r') {
        return;
      }
    }
  }
  bool push(Event::Kind kind, Position at, std::string text = {}, bool plain = false) {
    if (events_.list.size() >= 2 * std::size_t{limits_.max_nodes}) {
      return over(at, "The document has more than " + std::to_string(limits_.max_nodes) + " values.");
    }
    Event made;
    made.kind = kind;
    made.plain = plain;
    made.at = at;
    made.text = std::move(text);
    events_.list.push_back(std::move(made));
    return true;
  }
  bool over(Position at, std::string message) {
    events_.findings.push_back(finding_at(at, "yaml-limit", std::move(message)));
    limit_ = true;
    return false;
  }

  /// One more member or item of the innermost container, or its end.
  bool step() {
    skip_space();
    const bool map = open_.back().map;
    if (peek() == (map ? '}' : ']')) {
      const Position at = here();
      ++at_;
      open_.pop_back();
      return push(map ? Event::Kind::end_map : Event::Kind::end_list, at);
    }
    if (!open_.back().first) {
      if (peek() != ',') return false;
      ++at_;
      skip_space();
    }
    open_.back().first = false;
    if (!map) return value();
    if (!string()) return false;
    skip_space();
    if (peek() != ':') return false;
    ++at_;
    return value();
  }

  bool value() {
    skip_space();
    const char c = peek();
    if (c == '{' || c == '[') {
      const Position at = here();
      if (open_.size() >= limits_.max_depth) {
        return over(at, "Values are nested more than " + std::to_string(limits_.max_depth) + " levels deep.");
      }
      ++at_;
      open_.push_back({c == '{'});
      return push(c == '{' ? Event::Kind::begin_map : Event::Kind::begin_list, at);
    }
    if (c == '"') return string();
    return word();
  }

  /// `true`, `false`, `null` or a number; the core schema reads them the same way.
  bool word() {
    const Position at = here();
    const std::size_t start = at_;
    while (at_ < text_.size() && std::string_view("+-.0123456789abcdefghijklmnopqrstuvwxyzE").find(text_[at_]) != std::string_view::npos)
      ++at_;
    const std::string_view word = text_.substr(start, at_ - start);
    if (word != "true" && word != "false" && word != "null" && !is_number(word)) return false;
    return push(Event::Kind::scalar, at, std::string(word), true);
  }
  static bool is_number(std::string_view word) {
    std::size_t i = 0;
    const auto digits = [&] {
      const std::size_t start = i;
      while (i < word.size() && word[i] >= '0' && word[i] <= '9') ++i;
      return i - start;
    };
    if (i < word.size() && word[i] == '-') ++i;
    const bool zero = i < word.size() && word[i] == '0';
    const std::size_t whole = digits();
    if (whole == 0 || (zero && whole > 1)) return false;
    if (i < word.size() && word[i] == '.') {
      ++i;
      if (digits() == 0) return false;
    }
    if (i < word.size() && (word[i] | 0x20) == 'e') {
      ++i;
      if (i < word.size() && (word[i] == '+' || word[i] == '-')) ++i;
      if (digits() == 0) return false;
    }
    return i == word.size();
  }

  bool string() {
    const Position at = here();
    if (peek() != '"') return false;
    ++at_;
    std::string out;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return push(Event::Kind::scalar, at, std::move(out));
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if ((static_cast<unsigned char>(c) & 0xC0U) == 0x80U) ++continuation_;
      if (c != '\\') {
        out += c;
      } else if (!escape(out)) {
        return false;
      }
    }
    return false;
  }
  bool escape(std::string& out) {
    if (at_ >= text_.size()) return false;
    switch (text_[at_++]) {
      case '"': out += '"'; return true;
      case '\\': out += '\\'; return true;
      case '/': out += '/'; return true;
      case 'b': out += '\b'; return true;
      case 'f': out += '\f'; return true;
      case 'n': out += '\n'; return true;
      case 'r': out += '\r'; return true;
      case 't': out += '\t'; return true;
      case 'u': return unicode(out);
      default: return false;
    }
  }
  bool unicode(std::string& out) {
    std::uint32_t code = 0;
    if (!hex(code)) return false;
    if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_, 2) == "\\u") {
      at_ += 2;
      std::uint32_t low = 0;
      if (!hex(low) || low < 0xDC00 || low > 0xDFFF) return false;
      code = 0x10000 + ((code - 0xD800) << 10U) + (low - 0xDC00);
    }
    if (code >= 0xD800 && code < 0xE000) return false;  // half a pair
    const auto byte = [&](std::uint32_t bits) { out += static_cast<char>(static_cast<unsigned char>(bits)); };
    if (code < 0x80) {
      byte(code);
    } else if (code < 0x800) {
      byte(0xC0U | (code >> 6U));
      byte(0x80U | (code & 0x3FU));
    } else if (code < 0x10000) {
      byte(0xE0U | (code >> 12U));
      byte(0x80U | ((code >> 6U) & 0x3FU));
      byte(0x80U | (code & 0x3FU));
    } else {
      byte(0xF0U | (code >> 18U));
      byte(0x80U | ((code >> 12U) & 0x3FU));
      byte(0x80U | ((code >> 6U) & 0x3FU));
      byte(0x80U | (code & 0x3FU));
    }
    return true;
  }
  bool hex(std::uint32_t& code) {
    for (int i = 0; i < 4; ++i) {
      const char c = peek();
      ++at_;
      std::uint32_t digit = 0;
      if (c >= '0' && c <= '9') {
        digit = static_cast<std::uint32_t>(c - '0');
      } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
        digit = static_cast<std::uint32_t>((c | 0x20) - 'a' + 10);
      } else {
        return false;
      }
      code = code * 16 + digit;
    }
    return true;
  }

  std::string_view text_;
  const Limits& limits_;
  Events events_;
  std::vector<Open> open_;
  std::size_t at_ = 0;
  std::size_t line_start_ = 0;
  std::size_t continuation_ = 0;  // bytes of this line that begin no character
  std::uint32_t line_ = 1;
  bool limit_ = false;
};

}  // namespace

Events read_json(std::string_view text, const Limits& limits) { return is_utf8(text) ? JsonReader(text, limits).read() : Events{}; }

}  // namespace pawl::yaml::detail
