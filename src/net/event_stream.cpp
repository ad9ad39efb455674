#include "net/event_stream.hpp"

namespace pawl::net {

void LineSplitter::feed(std::string_view bytes, const OnLine& on_line) {
  while (!bytes.empty() && !overflown_) {
    if (after_cr_ && bytes.front() == '\n') bytes.remove_prefix(1);
    after_cr_ = false;
    const auto end = bytes.find_first_of("\r\n");
    const auto piece = bytes.substr(0, end);
    overflown_ = line_.size() + piece.size() > kMaxEvent;
    if (overflown_) return;
    line_.append(piece);
    if (end == std::string_view::npos) return;
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    on_line(line_);
    line_.clear();
  }
}

void EventStream::feed(std::string_view bytes, const OnEvent& on_event) {
  lines_.feed(bytes, [&](std::string_view line) { take(line, on_event); });
}

void EventStream::finish(const OnEvent& on_event) {
  if (!lines_.rest().empty()) take(std::string(lines_.rest()), on_event);
  take({}, on_event);
}

void EventStream::take(std::string_view line, const OnEvent& on_event) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  if (first_ && line.starts_with(kMark)) line.remove_prefix(kMark.size());
  first_ = false;
  if (line.empty()) {
    if (has_data_) on_event(event_, data_);
    has_data_ = false;
    event_.clear();
    data_.clear();
    return;
  }
  const auto colon = line.find(':');
  if (colon == 0) return;  // a comment
  const auto name = line.substr(0, colon);
  auto value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "event") event_ = value;
  if (name != "data") return;
  overflown_ = overflown_ || data_.size() + value.size() > kMaxEvent;
  if (overflown_) return;
  if (has_data_) data_ += '\n';
  has_data_ = true;
  data_ += value;
}

}  // namespace pawl::net
