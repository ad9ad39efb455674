#include "models/detail/answer_cache.hpp"

#include "json/write.hpp"

namespace pawl::models::detail {

std::optional<KeptAnswer> AnswerCache::find(const std::string& key, TimePoint now) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  if (found->second->until <= now) {
    drop(found->second);
    return std::nullopt;
  }
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->answer;
}

void AnswerCache::keep(const std::string& key, KeptAnswer answer, TimePoint until) {
  const auto bytes = key.size() + answer.reply.content.size() + answer.reply.reasoning.size() + json::to_text(answer.reply.raw).size() +
                     json::to_text(answer.output).size();
  if (bytes > most_bytes_ / 4) return;  // one answer does not drive out all others
  const std::lock_guard lock(mutex_);
  if (const auto found = by_key_.find(key); found != by_key_.end()) drop(found->second);
  entries_.push_front({key, std::move(answer), until, bytes});
  by_key_[key] = entries_.begin();
  bytes_ += bytes;
  while (entries_.size() > most_entries_ || bytes_ > most_bytes_) drop(std::prev(entries_.end()));
}

void AnswerCache::drop(Entries::iterator entry) {
  bytes_ -= entry->bytes;
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace pawl::models::detail
