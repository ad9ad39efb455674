#include "config/model_settings.hpp"

#include "config/config.hpp"

namespace pawl::config {
namespace {

std::string without_slash(std::string text) {
  while (text.ends_with('/')) text.pop_back();
  return text;
}

std::uint32_t narrow(std::int64_t number) { return static_cast<std::uint32_t>(number); }

constexpr std::int64_t kMostTokens = 10'000'000;

}  // namespace

std::vector<Setting> model_settings() {
  using Type = Setting::Type;
  return {
      {.name = "LLM_PROVIDER",
       .type = Type::choice,
       .choices = {"openai", "openai-responses", "openai-compatible", "anthropic", "claude", "gemini", "ollama", "scripted"},
       .summary =
           "Provider of model calls that name none. Unset: such calls fail. Keys set here are for the installation's own organization; "
           "others bring an integration.",
       .apply = [](Config& config, const Parsed& value) { config.models.provider = value.text; }},
      {.name = "LLM_MODEL",
       .summary = "Model of calls that name neither provider nor model; it is LLM_PROVIDER's.",
       .apply = [](Config& config, const Parsed& value) { config.models.model = value.text; }},
      {.name = "LLM_TIMEOUT_SECONDS",
       .type = Type::integer,
       .fallback = "120",
       .unit = "seconds",
       .min = 1,
       .max = 900,
       .summary = "How long a model call may take, retries included, where it does not say so itself.",
       .apply = [](Config& config, const Parsed& value) { config.models.timeout_seconds = narrow(value.number); }},
      {.name = "LLM_MAX_CONCURRENT",
       .type = Type::integer,
       .fallback = "32",
       .min = 1,
       .max = 10'000,
       .summary = "Model calls to one provider address at once; more wait in order.",
       .apply = [](Config& config, const Parsed& value) { config.models.max_concurrent = narrow(value.number); }},
      {.name = "LLM_SCRIPTS",
       .summary =
           "Folder with answers of the provider `scripted` (offline, for tests and examples; docs/models.md). Unset: there are none.",
       .apply = [](Config& config, const Parsed& value) { config.models.scripts = value.text; }},
      {.name = "LLM_PRICES",
       .summary = "YAML file with prices of models; it comes before the program's own table.",
       .apply = [](Config& config, const Parsed& value) { config.models.prices = value.text; }},
      {.name = "AGENT_MEMORY_QUOTA",
       .type = Type::integer,
       .fallback = "268435456",
       .unit = "bytes",
       .min = std::int64_t{512} << 10U,  // what one memory may have
       .max = std::int64_t{64} << 30U,
       .summary = "Messages that the agents of one organization may keep between runs (`memory.stored`), as JSON. What would be more is "
                  "refused; a lower limit deletes nothing.",
       .apply = [](Config& config, const Parsed& value) { config.models.memory_quota = static_cast<std::uint64_t>(value.number); }},
      {.name = "OPENAI_API_KEY",
       .type = Type::secret,
       .summary = "Key of OpenAI.",
       .apply = [](Config& config, const Parsed& value) { config.models.openai.key = value.text; }},
      {.name = "OPENAI_BASE_URL",
       .summary = "Where OpenAI's API, or a compatible one, is reached. Unset: OpenAI's own, and no provider `openai-compatible`. Private "
                  "addresses must be allowed (PAWL_ALLOWED_ADDRESSES).",
       .apply = [](Config& config, const Parsed& value) { config.models.openai.base_url = without_slash(value.text); }},
      {.name = "OPENAI_MODEL",
       .summary = "Model of calls to it that name none.",
       .apply = [](Config& config, const Parsed& value) { config.models.openai.model = value.text; }},
      {.name = "OPENAI_MAX_TOKENS",
       .type = Type::integer,
       .min = 1,
       .max = kMostTokens,
       .summary = "Limit of an answer where a call gives none. Unset: the provider's.",
       .apply = [](Config& config, const Parsed& value) { config.models.openai.max_tokens = narrow(value.number); }},
      {.name = "ANTHROPIC_API_KEY",
       .type = Type::secret,
       .summary = "Key of Anthropic.",
       .apply = [](Config& config, const Parsed& value) { config.models.anthropic.key = value.text; }},
      {.name = "ANTHROPIC_BASE_URL",
       .fallback = "https://api.anthropic.com",
       .summary = "Where Anthropic's API is reached.",
       .apply = [](Config& config, const Parsed& value) { config.models.anthropic.base_url = without_slash(value.text); }},
      {.name = "ANTHROPIC_MODEL",
       .summary = "Model of calls to it that name none.",
       .apply = [](Config& config, const Parsed& value) { config.models.anthropic.model = value.text; }},
      {.name = "ANTHROPIC_MAX_TOKENS",
       .type = Type::integer,
       .min = 1,
       .max = kMostTokens,
       .summary = "Limit of an answer where a call gives none. Unset: 4096, since this provider needs one.",
       .apply = [](Config& config, const Parsed& value) { config.models.anthropic.max_tokens = narrow(value.number); }},
      {.name = "GEMINI_API_KEY",
       .type = Type::secret,
       .summary = "Key of Gemini.",
       .apply = [](Config& config, const Parsed& value) { config.models.gemini.key = value.text; }},
      {.name = "GOOGLE_API_KEY",
       .type = Type::secret,
       .summary = "The same under its other name; GEMINI_API_KEY wins.",
       .apply =
           [](Config& config, const Parsed& value) {
             if (config.models.gemini.key.empty()) config.models.gemini.key = value.text;
           }},
      {.name = "GEMINI_BASE_URL",
       .fallback = "https://generativelanguage.googleapis.com",
       .summary = "Where Gemini's API is reached.",
       .apply = [](Config& config, const Parsed& value) { config.models.gemini.base_url = without_slash(value.text); }},
      {.name = "GEMINI_MODEL",
       .summary = "Model of calls to it that name none.",
       .apply = [](Config& config, const Parsed& value) { config.models.gemini.model = value.text; }},
      {.name = "GEMINI_MAX_TOKENS",
       .type = Type::integer,
       .min = 1,
       .max = kMostTokens,
       .summary = "Limit of an answer where a call gives none. Unset: the provider's.",
       .apply = [](Config& config, const Parsed& value) { config.models.gemini.max_tokens = narrow(value.number); }},
      {.name = "OLLAMA_BASE_URL",
       .summary =
           "Where Ollama is reached (`http://127.0.0.1:11434`; a private address must be allowed, PAWL_ALLOWED_ADDRESSES). Unset: there "
           "is none.",
       .apply = [](Config& config, const Parsed& value) { config.models.ollama.base_url = without_slash(value.text); }},
      {.name = "OLLAMA_MODEL",
       .summary = "Model of calls to it that name none.",
       .apply = [](Config& config, const Parsed& value) { config.models.ollama.model = value.text; }},
  };
}

}  // namespace pawl::config
