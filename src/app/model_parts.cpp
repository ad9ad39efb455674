#include "app/model_parts.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "app/files.hpp"
#include "app/tracing.hpp"

namespace pawl::app {
namespace {

using models::Endpoint;
using models::Wire;

constexpr std::string_view kOpenAi = "https://api.openai.com/v1";
constexpr std::string_view kAnthropic = "https://api.anthropic.com";

Error missing(std::string message) { return {ErrorClass::conflict, "llm.not_configured", std::move(message)}; }

std::string text_or(const json::Value& object, std::string_view name, std::string_view fallback) {
  const auto& value = object.get(name);
  std::string text(value.is_string() && !value.empty() ? value.as_string() : fallback);
  while (text.ends_with('/')) text.pop_back();
  return text;
}

Endpoint openai(std::string_view provider, std::string base_url, std::string key) {
  Endpoint endpoint;
  endpoint.wire = provider == "openai-responses" ? Wire::responses : Wire::chat;
  endpoint.base_url = std::move(base_url);
  if (!key.empty()) endpoint.headers.emplace_back("Authorization", "Bearer " + key);
  endpoint.key = std::move(key);
  return endpoint;
}

Endpoint with_key_field(Wire wire, std::string base_url, std::string_view field, std::string key) {
  Endpoint endpoint;
  endpoint.wire = wire;
  endpoint.base_url = std::move(base_url);
  if (!key.empty()) endpoint.headers.emplace_back(field, key);
  endpoint.key = std::move(key);
  return endpoint;
}

void add_defaults(Endpoint& endpoint, const config::ModelProvider& settings) {
  endpoint.source = "configuration";
  if (endpoint.default_model.empty()) endpoint.default_model = settings.model;
  if (settings.max_tokens > 0) endpoint.max_tokens = settings.max_tokens;
}

bool is_openai(std::string_view provider) { return provider.starts_with("openai"); }

}  // namespace

std::optional<Endpoint> ConfiguredProviders::stored(const OrganizationId& organization, std::string_view provider) const {
  if (is_openai(provider) || provider == "anthropic") {
    const auto found = integrations_.first_of(organization, is_openai(provider) ? "openai" : "anthropic");
    if (!found) return std::nullopt;
    const auto key = text_or(found->secret, "api_key", "");
    auto endpoint = is_openai(provider) ? openai(provider, text_or(found->secret, "base_url", kOpenAi), key)
                                        : with_key_field(Wire::anthropic, text_or(found->secret, "base_url", kAnthropic), "x-api-key", key);
    if (const auto own = text_or(found->secret, "organization", ""); is_openai(provider) && !own.empty()) {
      endpoint.headers.emplace_back("OpenAI-Organization", own);
    }
    endpoint.default_model = text_or(found->secret, "model", "");
    endpoint.source = found->name;
    return endpoint;
  }
  const std::string name(provider);
  const auto secrets = integrations_.secrets(organization, std::span(&name, 1));
  const auto& secret = secrets.get(name);
  if (!secret.get("base_url").is_string()) return std::nullopt;
  auto endpoint = with_key_field(provider == "gemini" ? Wire::gemini : Wire::ollama, text_or(secret, "base_url", ""),
                                 text_or(secret, "header_name", "Authorization"), text_or(secret, "header_value", ""));
  endpoint.source = name;
  return endpoint;
}

Result<Endpoint> ConfiguredProviders::configured(std::string_view provider) const {
  if (is_openai(provider)) {
    const bool compatible = provider == "openai-compatible";
    if (compatible && settings_.openai.base_url.empty())
      return missing("OPENAI_BASE_URL is not set, and there is no integration `openai`.");
    if (!compatible && settings_.openai.key.empty()) return missing("OPENAI_API_KEY is not set, and there is no integration `openai`.");
    auto endpoint =
        openai(provider, settings_.openai.base_url.empty() ? std::string(kOpenAi) : settings_.openai.base_url, settings_.openai.key);
    add_defaults(endpoint, settings_.openai);
    return endpoint;
  }
  if (provider == "anthropic") {
    if (settings_.anthropic.key.empty()) return missing("ANTHROPIC_API_KEY is not set, and there is no integration `anthropic`.");
    auto endpoint = with_key_field(Wire::anthropic, settings_.anthropic.base_url, "x-api-key", settings_.anthropic.key);
    add_defaults(endpoint, settings_.anthropic);
    return endpoint;
  }
  if (provider == "gemini") {
    if (settings_.gemini.key.empty()) return missing("GEMINI_API_KEY is not set, and there is no HTTP integration named `gemini`.");
    auto endpoint = with_key_field(Wire::gemini, settings_.gemini.base_url, "x-goog-api-key", settings_.gemini.key);
    add_defaults(endpoint, settings_.gemini);
    return endpoint;
  }
  if (settings_.ollama.base_url.empty()) return missing("OLLAMA_BASE_URL is not set, and there is no HTTP integration named `ollama`.");
  auto endpoint = with_key_field(Wire::ollama, settings_.ollama.base_url, "Authorization", "");
  add_defaults(endpoint, settings_.ollama);
  return endpoint;
}

Result<Endpoint> ConfiguredProviders::endpoint(const OrganizationId& organization, std::string_view provider) const {
  if (provider == "scripted") {  // needs no key; all that is configured of it is which script is meant
    Endpoint scripted;
    if (settings_.provider == provider) scripted.default_model = settings_.model;
    return scripted;
  }
  auto found = stored(organization, provider);
  if (!found && organization != installation_) {
    return missing("The organization has no integration for the model provider `" + std::string(provider) + "`.");
  }
  if (!found) {
    PAWL_TRY(endpoint, configured(provider));
    found = std::move(endpoint);
  }
  const bool by_default = models::canonical_provider(settings_.provider) == provider;
  if (found->default_model.empty() && by_default && organization == installation_) found->default_model = settings_.model;
  return std::move(*found);
}

std::string ConfiguredProviders::default_provider(const OrganizationId&) const { return settings_.provider; }

Result<models::Prices> prices_of(const config::Models& settings) {
  auto prices = models::Prices::built_in();
  if (settings.prices.empty()) return prices;
  PAWL_TRY(text, read_file(settings.prices));
  PAWL_TRY_VOID(prices.add(text));
  return prices;
}

Result<std::unique_ptr<ModelParts>> ModelParts::make(const Dependencies& dependencies) {
  const auto& settings = dependencies.settings;
  auto prices = prices_of(settings);
  if (prices.has_error()) return Error(prices.error().kind, prices.error().code, "LLM_PRICES: " + prices.error().message);
  models::Scripts scripts;
  if (!settings.scripts.empty()) {
    auto loaded = models::Scripts::load(settings.scripts);
    if (loaded.has_error()) return Error(loaded.error().kind, loaded.error().code, "LLM_SCRIPTS: " + loaded.error().message);
    scripts = std::move(*loaded);
  }
  std::unique_ptr<ModelParts> parts(new ModelParts);
  parts->providers_ = std::make_unique<ConfiguredProviders>(settings, dependencies.integrations, dependencies.installation);
  auto after = [&threads = dependencies.threads](Millis wait, std::function<void()> job) {
    if (!threads.running()) return;
    const auto thread = threads.current().value_or(0);
    threads.post(thread, [&threads, thread, wait, job = std::move(job)]() mutable {
      const auto timer = std::make_shared<boost::asio::steady_timer>(threads.context(thread), wait);
      timer->async_wait([timer, job = std::move(job)](const boost::system::error_code& error) {
        if (!error) job();
      });
    });
  };
  models::ClientOptions options;
  options.timeout = std::chrono::seconds(settings.timeout_seconds);
  options.max_concurrent = settings.max_concurrent;
  parts->client_ = std::make_unique<models::Client>(
      models::Client::Dependencies{.outbound = dependencies.outbound,
                                   .providers = *parts->providers_,
                                   .clock = dependencies.clock,
                                   .random = dependencies.random,
                                   .after = std::move(after),
                                   .prices = std::move(*prices),
                                   .scripts = std::move(scripts),
                                   .measure =
                                       [&figures = dependencies.figures, tracing = dependencies.tracing](const models::Measured& measured) {
                                         figures.model(measured);
                                         if (tracing != nullptr) tracing->model(measured);
                                       },
                                   .work = [&pool = dependencies.pool](std::function<void()> job) { return pool.try_post(std::move(job)); },
                                   .ledger = dependencies.ledger,
                                   .steady = [] { return std::chrono::steady_clock::now(); }},
      options);
  return parts;
}

}  // namespace pawl::app
