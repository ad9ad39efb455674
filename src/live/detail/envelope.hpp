// What one process's hub tells the others', as the relay carries it: JSON.
//
//     {"origin":"","time":"","organization":"","event":"a.b","topics":["runs"],"only_for":"","truncated":true,"transient":true,"data":{}}
//     {"origin":"...","revoke":{"organization":"...","user":"...","session":"...","api_key":"..."}}
//     {"origin":"...","gap":true}                       some of the sender's messages have been lost
//
// What comes in is checked: a carrier shared with something else must not bring the hub down.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "live/hub.hpp"

namespace pawl::live::detail {

/// An announcement as it is told: its data as text, left out where too large.
struct News {
  Announcement announcement;
  std::string time;
  std::string data = "{}";
  bool truncated = false;
};
[[nodiscard]] News news_of(Announcement announcement, TimePoint time, std::size_t max_data_bytes);

struct Envelope {
  std::string origin;
  News news;
  std::optional<Revocation> revocation;  ///< instead of an announcement
  bool gap = false;                      ///< likewise
};

[[nodiscard]] std::string write_envelope(std::string_view origin, const News& news);
[[nodiscard]] std::string write_envelope(std::string_view origin, const Revocation& revocation);
[[nodiscard]] std::string write_gap(std::string_view origin);
/// Nothing for anything else than what these write.
[[nodiscard]] std::optional<Envelope> read_envelope(std::string_view text);

}  // namespace pawl::live::detail
