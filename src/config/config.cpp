#include "config/config.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <set>

#include <fmt/core.h>

#include "base/time.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace pawl::config {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const auto comma = text.find(',');
    const auto item = trim(text.substr(0, comma));
    if (!item.empty()) items.emplace_back(item);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return items;
}

void report(Findings& findings, std::string_view name, std::string message, std::uint32_t line = 0) {
  Finding finding;
  finding.pointer = std::string(name);
  finding.line = line;
  finding.message = std::move(message);
  finding.rule = "configuration";
  findings.push_back(std::move(finding));
}

std::optional<bool> parse_boolean(std::string_view text) {
  const auto word = lower(text);
  if (word == "true" || word == "1" || word == "yes" || word == "on") return true;
  if (word == "false" || word == "0" || word == "no" || word == "off") return false;
  return std::nullopt;
}

std::string join(const std::vector<std::string_view>& words) {
  std::string out;
  for (const auto word : words) out += (out.empty() ? "" : ", ") + std::string(word);
  return out;
}

std::optional<Parsed> parse_value(const Setting& setting, std::string_view text, Findings& findings) {
  Parsed parsed;
  parsed.text = std::string(text);
  switch (setting.type) {
    case Setting::Type::text:
    case Setting::Type::secret: return parsed;
    case Setting::Type::integer: {
      const auto digits = trim(text);
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), parsed.number);
      if (error != std::errc{} || end != digits.data() + digits.size() || parsed.number < setting.min || parsed.number > setting.max) {
        report(findings, setting.name,
               fmt::format("must be a whole number from {} to {}{}{}, not `{}`", setting.min, setting.max, setting.unit.empty() ? "" : " ",
                           setting.unit, text));
        return std::nullopt;
      }
      return parsed;
    }
    case Setting::Type::boolean: {
      const auto value = parse_boolean(trim(text));
      if (!value) {
        report(findings, setting.name, fmt::format("must be true or false, not `{}`", text));
        return std::nullopt;
      }
      parsed.flag = *value;
      return parsed;
    }
    case Setting::Type::choice:
      if (std::find(setting.choices.begin(), setting.choices.end(), text) == setting.choices.end()) {
        report(findings, setting.name, fmt::format("must be one of {}, not `{}`", join(setting.choices), text));
        return std::nullopt;
      }
      return parsed;
    case Setting::Type::secret_list:
    case Setting::Type::list: parsed.list = split_list(text); return parsed;
  }
  return std::nullopt;
}

// An origin is scheme, host and optional port; a path or credentials would never match what a browser sends.
std::string origin_problem(std::string_view origin, Environment environment) {
  const bool strict = environment == Environment::production;
  if (origin == "*") return strict ? "`*` lets every web page call the API; production needs a list of https origins" : "";
  if (origin.find('*') != std::string_view::npos) return fmt::format("`{}`: wildcards inside an origin are not understood", origin);
  std::string_view rest;
  if (origin.starts_with("https://")) {
    rest = origin.substr(8);
  } else if (origin.starts_with("http://")) {
    if (strict) return fmt::format("`{}`: production needs https origins", origin);
    rest = origin.substr(7);
  } else {
    return fmt::format("`{}` is not an origin such as https://app.example.org", origin);
  }
  if (rest.empty() || rest.find_first_of("/@?# \t") != std::string_view::npos) {
    return fmt::format("`{}` is not an origin: write scheme, host and port only", origin);
  }
  return "";
}

/// `https://user:password@host/path?key=secret` without what stands before the host and behind the path.
std::string without_credentials(std::string_view text) {
  constexpr std::string_view kHidden = "********";
  const auto scheme = text.find("://");
  if (scheme == std::string_view::npos) return std::string(text);
  const auto begin = scheme + 3;
  const auto at = text.substr(begin, text.find_first_of("/?# ,", begin) - begin).rfind('@');
  std::string shown(text);
  if (const auto query = shown.find('?', begin); query != std::string::npos) shown.replace(query + 1, std::string::npos, kHidden);
  if (at != std::string_view::npos) shown.replace(begin, at, kHidden);
  return shown;
}

Effective effective(const Setting& setting, std::string_view text, Source source) {
  Effective shown{.setting = &setting, .source = source, .is_set = !text.empty(), .value = {}};
  if (!setting.is_secret()) shown.value = without_credentials(text);
  return shown;
}

void check_encryption_keys(const Config& config, Findings& findings) {
  const bool development = config.environment == Environment::development;
  const auto& key = config.encryption_key;
  if (key.empty()) {
    if (!development) report(findings, "ENCRYPTION_KEY", fmt::format("is required in {}", to_text(config.environment)));
    return;
  }
  if (const auto weakness = development && key.size() >= kMinKeyLength ? "" : key_weakness(key); !weakness.empty()) {
    report(findings, "ENCRYPTION_KEY", weakness);
  } else if (key == config.secret_key) {
    report(findings, "ENCRYPTION_KEY", "must not be the same as SECRET_KEY");
  }
  // A previous key may be as weak as it was: it only opens, and the way out of it is to rotate.
  const auto& previous = config.previous_encryption_keys;
  if (std::find(previous.begin(), previous.end(), key) != previous.end()) {
    report(findings, "ENCRYPTION_KEY_PREVIOUS", "holds ENCRYPTION_KEY itself: nothing would change");
  }
}

void check_secret_key_previous(const Config& config, Findings& findings) {
  const auto& previous = config.previous_secret_keys;
  if (!config.secret_key.empty() && std::find(previous.begin(), previous.end(), config.secret_key) != previous.end()) {
    report(findings, "SECRET_KEY_PREVIOUS", "holds SECRET_KEY itself: nothing would change");
  }
  if (!config.previous_secret_keys_until.empty() && !parse_rfc3339(config.previous_secret_keys_until)) {
    report(findings, "SECRET_KEY_PREVIOUS_UNTIL", "is not a time such as 2026-12-31T00:00:00Z");
  }
}

void check_client(const OAuthClient& client, const std::string& prefix, Findings& findings) {
  if (!client.client_id.empty() && client.client_secret.empty())
    report(findings, prefix + "_CLIENT_SECRET", "is needed with " + prefix + "_CLIENT_ID");
}

void check_sign_in_rules(const Config& config, Findings& findings) {
  const bool development = config.environment == Environment::development;
  if (!config.smtp.host.empty() && config.smtp.from.ends_with("@localhost") && !development) {
    report(findings, "SMTP_FROM_EMAIL", "is needed with SMTP_HOST");
  }
  if (config.confirm_address && config.smtp.host.empty() && !development) {
    report(findings, "PAWL_CONFIRM_ADDRESS", "needs SMTP_HOST: nobody could confirm an address");
  }
  if (config.core_dumps && !development) report(findings, "PAWL_CORE_DUMPS", "is for development only: memory holds keys");
  if (!config.smtp.password.empty() && !config.smtp.use_tls) {
    report(findings, "SMTP_USE_TLS", "must not be false with SMTP_PASSWORD: the password would travel in clear");
  }
  check_client(config.google, "GOOGLE", findings);
  check_client(config.github, "GITHUB", findings);
  check_client(config.oidc, "OIDC", findings);
  if (config.oidc.client_id.empty() != config.oidc_issuer.empty()) {
    report(findings, "OIDC_ISSUER", "and OIDC_CLIENT_ID are needed together");
  } else if (!config.oidc_issuer.empty() && !development && !config.oidc_issuer.starts_with("https://")) {
    report(findings, "OIDC_ISSUER", "must begin with https://");
  }
}

void check_server_rules(const Config& config, Findings& findings) {
  const bool development = config.environment == Environment::development;
  if (config.secret_key.empty()) {
    if (!development) report(findings, "SECRET_KEY", fmt::format("is required in {}", to_text(config.environment)));
  } else if (!development) {
    if (const auto weakness = key_weakness(config.secret_key); !weakness.empty()) report(findings, "SECRET_KEY", weakness);
  }
  check_secret_key_previous(config, findings);
  check_encryption_keys(config, findings);
  if (config.api_key.empty()) {
    if (!development) report(findings, "PAWL_API_KEY", fmt::format("is required in {}", to_text(config.environment)));
  } else if (config.api_key.size() < kMinKeyLength) {
    report(findings, "PAWL_API_KEY", fmt::format("must have at least {} characters, it has {}", kMinKeyLength, config.api_key.size()));
  } else if (!development) {
    if (const auto weakness = key_weakness(config.api_key); !weakness.empty()) {
      report(findings, "PAWL_API_KEY", weakness);
    } else if (config.api_key == config.secret_key || config.api_key == config.encryption_key) {
      report(findings, "PAWL_API_KEY", "must not be SECRET_KEY or ENCRYPTION_KEY: it leaves the machine with every request");
    }
  }
  for (const auto& origin : config.cors_origins) {
    if (auto problem = origin_problem(origin, config.environment); !problem.empty()) report(findings, "CORS_ORIGINS", std::move(problem));
  }
  if (config.host.empty()) report(findings, "API_HOST", "must not be empty");
  const auto check_address = [&](std::string_view setting, const std::string& address) {
    if (address.empty()) return;
    auto problem = address == "*" ? std::string("is one address, not `*`") : origin_problem(address, config.environment);
    if (!problem.empty()) report(findings, setting, std::move(problem));
  };
  check_address("PAWL_PUBLIC_URL", config.public_url);
  check_address("FRONTEND_URL", config.frontend_url);
  const auto check_url = [&](std::string_view setting, std::string_view url) {
    if (url.empty() || url.starts_with("http://") || url.starts_with("https://")) return;
    report(findings, setting, "must be an `http://` or `https://` URL");
  };
  check_url("OTEL_EXPORTER_OTLP_ENDPOINT", config.trace_endpoint);
  check_url("OPENAI_BASE_URL", config.models.openai.base_url);
  check_url("ANTHROPIC_BASE_URL", config.models.anthropic.base_url);
  check_url("GEMINI_BASE_URL", config.models.gemini.base_url);
  check_url("OLLAMA_BASE_URL", config.models.ollama.base_url);
  if (!config.redis_url.empty() && !config.redis_url.starts_with("redis://") && !config.redis_url.starts_with("rediss://")) {
    report(findings, "REDIS_URL", "must be a `redis://[[user]:password@]host[:port][/database]` URL, `rediss://` with TLS");
  }
  check_sign_in_rules(config, findings);
}

void check_common_rules(const Config& config, Findings& findings) {
  if (config.data_dir.empty()) report(findings, "PAWL_DATA_DIR", "must not be empty");
  const std::string_view url = config.database_url;
  if (!url.empty() && !url.starts_with("sqlite:///") && !url.starts_with("postgresql://") && !url.starts_with("postgres://")) {
    report(findings, "DATABASE_URL", "must be a `postgresql://user:password@host/database` or a `sqlite:///path` URL");
  }
}

}  // namespace

std::string_view to_text(Environment environment) {
  switch (environment) {
    case Environment::development: return "development";
    case Environment::staging: return "staging";
    case Environment::production: return "production";
  }
  return "";
}

std::string_view to_text(Source source) {
  switch (source) {
    case Source::standard: return "default";
    case Source::file: return "file";
    case Source::environment: return "environment";
    case Source::flag: return "flag";
  }
  return "";
}

namespace {

/// `1234567890` until it is long enough.
bool repeats_a_part(std::string_view key) {
  for (std::size_t part = 1; part <= key.size() / 2; ++part) {
    if (key.substr(part) == key.substr(0, key.size() - part)) return true;
  }
  return false;
}

}  // namespace

std::string key_weakness(std::string_view key) {
  if (key.size() < kMinKeyLength) return fmt::format("must have at least {} characters, it has {}", kMinKeyLength, key.size());
  const auto word_text = lower(key);
  for (const std::string_view word :
       {"default", "secret", "change-me", "change_me", "changeme", "password", "example", "pawl", "insecure"}) {
    if (word_text.find(word) != std::string::npos) return fmt::format("contains the word `{}`: use a random key", word);
  }
  if (std::set<char>(key.begin(), key.end()).size() < 10) return "repeats a few characters only: use a random key";
  if (repeats_a_part(key)) return "repeats a part of itself: use a random key";
  return "";
}

Checked<Config> load(const Sources& sources, Purpose purpose) {
  Checked<Config> out;
  Values from_file;
  if (!sources.file_text.empty()) {
    auto file = parse_file(sources.file_text);
    for (auto& finding : file.findings) {
      finding.message = fmt::format("{}:{}: {}", sources.file_name, finding.line, finding.message);
      out.findings.push_back(std::move(finding));
    }
    if (file.value) from_file = std::move(*file.value);
  }
  Config config;
  bool migrate_given = false;
  bool confirm_given = false;
  for (const auto& setting : settings()) {
    std::string_view text = setting.fallback;
    auto source = Source::standard;
    // An empty variable counts as unset: that is how compose files and shells pass "nothing".
    for (const auto& [values, from] : std::initializer_list<std::pair<const Values*, Source>>{
             {&from_file, Source::file}, {&sources.environment, Source::environment}, {&sources.flags, Source::flag}}) {
      const auto it = values->find(setting.name);
      if (it == values->end() || it->second.empty()) continue;
      text = it->second;
      source = from;
    }
    const bool flag_port = setting.name == "PORT" && sources.flags.contains("API_PORT");
    config.effective.push_back(flag_port ? effective(setting, {}, Source::standard) : effective(setting, text, source));
    if (text.empty() || flag_port) continue;
    migrate_given |= setting.name == "PAWL_AUTO_MIGRATE";
    confirm_given |= setting.name == "PAWL_CONFIRM_ADDRESS";
    if (const auto parsed = parse_value(setting, text, out.findings)) setting.apply(config, *parsed);
  }
  if (!migrate_given) config.auto_migrate = config.environment != Environment::production;
  if (!confirm_given) {
    // Where anybody may come, registering must not tell who is there already; without mails nobody could come at all.
    config.confirm_address =
        config.environment != Environment::development && config.registration == Registration::open && !config.smtp.host.empty();
  }
  for (const Values* values : std::initializer_list<const Values*>{&from_file, &sources.environment}) {
    for (const auto& [name, value] : *values) {
      if (name.starts_with(kSecretPrefix) && name.size() > kSecretPrefix.size()) config.secrets[name.substr(kSecretPrefix.size())] = value;
    }
  }
  check_common_rules(config, out.findings);
  if (purpose == Purpose::server) check_server_rules(config, out.findings);
  out.value = std::move(config);
  return out;
}

Values process_environment() {
  Values values;
  for (const auto& setting : settings()) {
    if (const char* value = std::getenv(std::string(setting.name).c_str()); value != nullptr) values.emplace(setting.name, value);
  }
  if (const char* value = std::getenv("PAWL_CONFIG"); value != nullptr) values.emplace("PAWL_CONFIG", value);
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (text.starts_with(kSecretPrefix) && equals != std::string_view::npos)
      values.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return values;
}

bool plain_terminal() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return (no_color != nullptr && *no_color != '\0') || term == nullptr || std::string_view(term) == "dumb";
}

Checked<Values> parse_file(std::string_view text) {
  Checked<Values> out;
  out.value.emplace();
  std::uint32_t line_number = 0;
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = trim(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    ++line_number;
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("export ")) line = trim(line.substr(7));
    const auto equals = line.find('=');
    const auto name = trim(line.substr(0, equals));
    if (equals == std::string_view::npos || name.empty()) {
      report(out.findings, "", "expected NAME=value", line_number);
      continue;
    }
    auto value = trim(line.substr(equals + 1));
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front()) {
      value = value.substr(1, value.size() - 2);
    }
    const auto known = std::any_of(settings().begin(), settings().end(), [&](const Setting& setting) { return setting.name == name; });
    if (!known && !name.starts_with(kSecretPrefix)) {
      report(out.findings, name, fmt::format("there is no setting `{}`", name), line_number);
      continue;
    }
    (*out.value)[std::string(name)] = std::string(value);
  }
  return out;
}

}  // namespace pawl::config
