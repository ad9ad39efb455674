/// Language models, as this installation is configured: whose key is used for whom.
#pragma once

#include <memory>

#include "app/figures.hpp"
#include "async/blocking_pool.hpp"
#include "async/io_threads.hpp"
#include "base/error.hpp"
#include "config/model_settings.hpp"
#include "integrations/integrations.hpp"
#include "models/client.hpp"
#include "models/prices.hpp"

namespace pawl::app {

/// An organization's own integration comes first: `openai` and `anthropic` by connector, Gemini and Ollama as an HTTP integration of that
/// name. What the environment holds is for the installation's own organization alone, as with other secrets of the operator.
class ConfiguredProviders final : public models::Providers {
 public:
  ConfiguredProviders(const config::Models& settings, const integrations::Integrations& integrations, const OrganizationId& installation)
      : settings_(settings), integrations_(integrations), installation_(installation) {}

  [[nodiscard]] Result<models::Endpoint> endpoint(const OrganizationId& organization, std::string_view provider) const override;
  [[nodiscard]] std::string default_provider(const OrganizationId& organization) const override;

 private:
  [[nodiscard]] std::optional<models::Endpoint> stored(const OrganizationId& organization, std::string_view provider) const;
  [[nodiscard]] Result<models::Endpoint> configured(std::string_view provider) const;

  const config::Models settings_;
  const integrations::Integrations& integrations_;
  const OrganizationId installation_;
};

/// The program's table, and before it the lines of the file that the settings name. Errors `file.read`, `llm.prices`.
[[nodiscard]] Result<models::Prices> prices_of(const config::Models& settings);

class Tracing;

class ModelParts {
 public:
  struct Dependencies {
    const config::Models& settings;
    const integrations::Integrations& integrations;
    const OrganizationId& installation;
    net::Outbound& outbound;
    async::BlockingPool& pool;  ///< decodes and checks answers
    async::IoThreads& threads;  ///< whose timers end waits; nothing waits before they run and after they have stopped
    const Clock& clock;
    Random& random;
    Figures& figures;
    models::Ledger* ledger;  ///< null: nothing is accounted
    Tracing* tracing;        ///< null: nothing is traced
  };
  /// Error `llm.script` or `llm.prices`: a file of the configuration is not what it should be.
  [[nodiscard]] static Result<std::unique_ptr<ModelParts>> make(const Dependencies& dependencies);

  [[nodiscard]] models::Client& client() { return *client_; }

 private:
  ModelParts() = default;
  std::unique_ptr<ConfiguredProviders> providers_;
  std::unique_ptr<models::Client> client_;
};

}  // namespace pawl::app
