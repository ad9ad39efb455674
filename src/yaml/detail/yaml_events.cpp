#include <yaml.h>

#include <unordered_map>

#include "yaml/detail/events.hpp"

namespace pawl::yaml::detail {
namespace {

constexpr std::size_t kMaxFindings = 100;

/// libyaml's parser and current event, freed on every way out.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {
    ready_ = yaml_parser_initialize(&parser_) != 0;
    if (!ready_) return;
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;
  ~Parser() {
    yaml_event_delete(&event_);
    if (ready_) yaml_parser_delete(&parser_);
  }

  /// The next event, or null after an error.
  const yaml_event_t* next() {
    yaml_event_delete(&event_);
    event_ = {};
    if (!ready_ || yaml_parser_parse(&parser_, &event_) == 0) return nullptr;
    return &event_;
  }

  [[nodiscard]] Finding problem() const {
    if (!ready_ || parser_.error == YAML_MEMORY_ERROR) return finding_at({1, 1}, "yaml-limit", "The document needs too much memory.");
    std::string message = parser_.problem ? parser_.problem : "the text is not YAML";
    message[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(message[0])));
    if (parser_.error == YAML_READER_ERROR) return finding_at(position_of(parser_.problem_offset), "yaml-syntax", message + '.');
    if (parser_.context) {
      message += std::string(" (") + parser_.context;
      if (parser_.context_mark.line != parser_.problem_mark.line) {
        message += " that starts on line " + std::to_string(parser_.context_mark.line + 1);
      }
      message += ')';
    }
    return finding_at(position(parser_.problem_mark), "yaml-syntax", message + '.');
  }

  static Position position(const yaml_mark_t& mark) {
    return {static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
  }

 private:
  [[nodiscard]] Position position_of(std::size_t offset) const {
    Position at{1, 1};
    for (std::size_t i = 0; i < offset && i < text_.size(); ++i) {
      if (text_[i] == '\n') {
        ++at.line;
        at.column = 1;
      } else if ((static_cast<unsigned char>(text_[i]) & 0xC0U) != 0x80U) {
        ++at.column;
      }
    }
    return at;
  }

  std::string_view text_;
  yaml_parser_t parser_{};
  yaml_event_t event_{};
  bool ready_ = false;
};

std::string text_of(const yaml_char_t* text) { return text ? reinterpret_cast<const char*>(text) : std::string(); }

class Reader {
 public:
  Reader(std::string_view text, const Limits& limits) : parser_(text), limits_(limits) {}

  Events read() {
    bool started = false;
    while (const yaml_event_t* event = parser_.next()) {
      const Position at = Parser::position(event->start_mark);
      switch (event->type) {
        case YAML_STREAM_END_EVENT:
          if (!started) fail(at, "yaml-syntax", "The document is empty.");
          events_.complete = started && !stopped_;
          return std::move(events_);
        case YAML_DOCUMENT_START_EVENT:
          if (started) {
            fail(at, "yaml-syntax", "Only one document is allowed in a text: remove this `---` and what follows it.");
            return std::move(events_);
          }
          started = true;
          break;
        case YAML_ALIAS_EVENT: alias(*event, at); break;
        case YAML_SCALAR_EVENT: scalar(*event, at); break;
        case YAML_SEQUENCE_START_EVENT:
          begin(Event::Kind::begin_list, text_of(event->data.sequence_start.anchor), event->data.sequence_start.tag, at);
          break;
        case YAML_MAPPING_START_EVENT:
          begin(Event::Kind::begin_map, text_of(event->data.mapping_start.anchor), event->data.mapping_start.tag, at);
          break;
        case YAML_SEQUENCE_END_EVENT: end(Event::Kind::end_list, at); break;
        case YAML_MAPPING_END_EVENT: end(Event::Kind::end_map, at); break;
        default: break;
      }
      if (stopped_) return std::move(events_);
    }
    events_.findings.push_back(parser_.problem());
    return std::move(events_);
  }

 private:
  void fail(Position at, const char* rule, std::string message) {
    events_.findings.push_back(finding_at(at, rule, std::move(message)));
    stopped_ = true;
  }
  /// A problem that leaves the rest readable.
  void report(Position at, const char* rule, std::string message) {
    events_.findings.push_back(finding_at(at, rule, std::move(message)));
    if (events_.findings.size() >= kMaxFindings) stopped_ = true;
  }
  void push(Event event) {
    if (events_.list.size() >= 2 * std::size_t{limits_.max_nodes}) {
      fail(event.at, "yaml-limit", "The document has more than " + std::to_string(limits_.max_nodes) + " values.");
      return;
    }
    events_.list.push_back(std::move(event));
  }
  void tag(const yaml_char_t* tag, Position at) {
    if (tag) report(at, "yaml-tag", "Tags are not allowed: remove `" + text_of(tag) + "`; quotes make a text of a value.");
  }
  void scalar(const yaml_event_t& event, Position at) {
    const auto& data = event.data.scalar;
    tag(data.tag, at);
    const auto index = static_cast<std::uint32_t>(events_.list.size());
    Event made;
    made.kind = Event::Kind::scalar;
    made.plain = data.style == YAML_PLAIN_SCALAR_STYLE;
    made.at = at;
    made.text.assign(reinterpret_cast<const char*>(data.value), data.length);
    push(std::move(made));
    if (data.anchor) anchors_[text_of(data.anchor)] = {index, index + 1};
  }
  void begin(Event::Kind kind, std::string anchor, const yaml_char_t* type, Position at) {
    tag(type, at);
    if (open_.size() >= limits_.max_depth) {
      fail(at, "yaml-limit", "Values are nested more than " + std::to_string(limits_.max_depth) + " levels deep.");
      return;
    }
    open_.push_back({static_cast<std::uint32_t>(events_.list.size()), std::move(anchor)});
    Event made;
    made.kind = kind;
    made.at = at;
    push(std::move(made));
  }
  void end(Event::Kind kind, Position at) {
    Event made;
    made.kind = kind;
    made.at = at;
    push(std::move(made));
    Open open = std::move(open_.back());
    open_.pop_back();
    // Known only from here on: a value cannot contain itself.
    if (!open.anchor.empty()) anchors_[std::move(open.anchor)] = {open.begin, static_cast<std::uint32_t>(events_.list.size())};
  }
  void alias(const yaml_event_t& event, Position at) {
    const std::string name = text_of(event.data.alias.anchor);
    const auto found = anchors_.find(name);
    if (found == anchors_.end()) {
      fail(at, "yaml-anchor", "Nothing before this place has the anchor `&" + name + "`.");
      return;
    }
    if (++aliases_ > limits_.max_aliases) {
      fail(at, "yaml-limit", "The document has more than " + std::to_string(limits_.max_aliases) + " aliases.");
      return;
    }
    Event made;
    made.kind = Event::Kind::alias;
    made.at = at;
    made.begin = found->second.first;
    made.end = found->second.second;
    push(std::move(made));
  }

  struct Open {
    std::uint32_t begin;
    std::string anchor;
  };
  Parser parser_;
  const Limits& limits_;
  Events events_;
  std::vector<Open> open_;
  std::unordered_map<std::string, std::pair<std::uint32_t, std::uint32_t>> anchors_;
  std::uint32_t aliases_ = 0;
  bool stopped_ = false;
};

}  // namespace

Events read_yaml(std::string_view text, const Limits& limits) { return Reader(text, limits).read(); }

}  // namespace pawl::yaml::detail
