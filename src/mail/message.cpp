#include "mail/message.hpp"

namespace pawl::mail {
namespace {

Letter letter_of(const Message& message) {
  Letter letter;
  letter.to = {message.to};
  letter.subject = message.subject;
  letter.text = message.text;
  letter.html = message.html;
  return letter;
}

}  // namespace

Result<void> check(const Message& message) { return check(letter_of(message)); }

Result<std::string> compose(const Message& message, const Envelope& envelope) { return compose(letter_of(message), envelope); }

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string html_of(std::string_view text) {
  std::string out = "<!doctype html>\n<html lang=\"en\"><body>\n<p>";
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const bool link = (line.starts_with("https://") || line.starts_with("http://")) && line.find(' ') == std::string_view::npos;
    const auto shown = escape_html(line);
    if (line.empty()) {
      if (!text.empty()) out += "</p>\n<p>";
    } else {
      out += link ? "<a href=\"" + shown + "\">" + shown + "</a><br>\n" : shown + "<br>\n";
    }
  }
  return out + "</p>\n</body></html>\n";
}

}  // namespace pawl::mail
