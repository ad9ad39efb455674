// Answers by the content of their requests, for a while and within bounds; the least recently used go first.
#pragma once

#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/time.hpp"
#include "json/value.hpp"
#include "models/message.hpp"

namespace pawl::models::detail {

struct KeptAnswer {
  Reply reply;
  json::Value output;
};

class AnswerCache {
 public:
  AnswerCache(std::size_t most_entries, std::size_t most_bytes) : most_entries_(most_entries), most_bytes_(most_bytes) {}

  [[nodiscard]] std::optional<KeptAnswer> find(const std::string& key, TimePoint now);
  void keep(const std::string& key, KeptAnswer answer, TimePoint until);

 private:
  struct Entry {
    std::string key;
    KeptAnswer answer;
    TimePoint until;
    std::size_t bytes = 0;
  };
  using Entries = std::list<Entry>;
  void drop(Entries::iterator entry);

  const std::size_t most_entries_;
  const std::size_t most_bytes_;
  std::mutex mutex_;
  Entries entries_;  // most recently used first
  std::unordered_map<std::string, Entries::iterator> by_key_;
  std::size_t bytes_ = 0;
};

}  // namespace pawl::models::detail
