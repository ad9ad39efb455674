#include "models/client.hpp"

#include <algorithm>

#include "models/detail/exchange.hpp"

namespace pawl::models {

struct Client::Impl : detail::Shared {
  using Shared::Shared;
};

std::vector<std::string> provider_names() {
  return {"openai", "openai-responses", "openai-compatible", "anthropic", "gemini", "ollama", "scripted"};
}

std::string canonical_provider(std::string_view name) {
  if (name == "claude") return "anthropic";
  if (name == "google") return "gemini";
  return std::string(name);
}

Client::Client(Dependencies dependencies, ClientOptions options) : impl_(std::make_shared<Impl>(std::move(dependencies), options)) {}

Client::~Client() = default;

Client::Cancel Client::ask(Call call, Done done) {
  const auto exchange = std::make_shared<detail::Exchange>(impl_, std::move(call), std::move(done));
  exchange->begin();
  return [weak = std::weak_ptr(exchange)] {
    if (const auto running = weak.lock()) running->cancel();
  };
}

std::vector<ProviderState> Client::providers(const OrganizationId& organization) const {
  std::vector<ProviderState> states;
  for (const auto& name : provider_names()) {
    ProviderState state;
    state.name = name;
    if (name == "scripted") {
      const auto scripts = impl_->dependencies.scripts.names();
      state.available = !scripts.empty();
      state.source = state.available ? "configuration" : "";
      state.reason = state.available ? "" : "LLM_SCRIPTS names no folder with scripts";
      state.model = scripts.empty() ? "" : scripts.front();
    } else if (const auto endpoint = impl_->dependencies.providers.endpoint(organization, name); endpoint.has_value()) {
      state.available = true;
      state.model = endpoint->default_model;
      state.source = endpoint->source;
    } else {
      state.reason = endpoint.error().message;
    }
    states.push_back(std::move(state));
  }
  return states;
}

const Prices& Client::prices() const { return impl_->dependencies.prices; }

}  // namespace pawl::models
