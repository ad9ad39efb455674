/// Language models: providers, their keys and addresses, and the rows of the table that set them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pawl::config {

struct Setting;

struct ModelProvider {
  std::string key;               ///< empty: not configured, unless it needs none
  std::string base_url;          ///< without a slash at the end
  std::string model;             ///< where a call names none
  std::uint32_t max_tokens = 0;  ///< where a call gives no limit; 0: the provider's
};
struct Models {
  ModelProvider openai;
  ModelProvider anthropic;
  ModelProvider gemini;
  ModelProvider ollama;
  std::string provider;  ///< of calls that name none
  std::string model;     ///< likewise
  std::uint32_t timeout_seconds = 0;
  std::uint32_t max_concurrent = 0;  ///< calls to one provider at once
  std::string scripts;               ///< folder of `scripted`; empty: none
  std::string prices;                ///< file; empty: only the program's own table
  std::uint64_t memory_quota = 0;    ///< bytes of messages that the agents of one organization may keep between runs
};

[[nodiscard]] std::vector<Setting> model_settings();

}  // namespace pawl::config
