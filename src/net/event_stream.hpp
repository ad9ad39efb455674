/// Streamed answers, byte by byte: server-sent events and lines of JSON. Both take bytes split anywhere. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace pawl::net {

/// A line or an event that is longer ends the stream as broken.
inline constexpr std::size_t kMaxEvent = 16U << 20U;

/// Lines that end with LF, CR or CRLF.
class LineSplitter {
 public:
  using OnLine = std::function<void(std::string_view line)>;
  void feed(std::string_view bytes, const OnLine& on_line);
  /// What came after the last line's end.
  [[nodiscard]] std::string_view rest() const noexcept { return line_; }
  [[nodiscard]] bool overflown() const noexcept { return overflown_; }

 private:
  std::string line_;
  bool after_cr_ = false;
  bool overflown_ = false;
};

/// `text/event-stream` as the HTML standard has it: comments, `event`, several `data` lines, a byte order mark; ids and `retry` are of no
/// use here. An event that its empty line has not ended is none.
class EventStream {
 public:
  using OnEvent = std::function<void(std::string_view event, std::string_view data)>;
  void feed(std::string_view bytes, const OnEvent& on_event);
  [[nodiscard]] bool overflown() const noexcept { return lines_.overflown() || overflown_; }
  /// For servers that forget the empty line at the very end: hands out the event that is still open.
  void finish(const OnEvent& on_event);

 private:
  void take(std::string_view line, const OnEvent& on_event);

  LineSplitter lines_;
  bool first_ = true;
  bool overflown_ = false;
  bool has_data_ = false;
  std::string event_;
  std::string data_;
};

}  // namespace pawl::net
