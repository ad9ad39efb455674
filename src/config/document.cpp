// What people read about the settings, written from the table.
#include <fmt/core.h>

#include "config/config.hpp"

namespace pawl::config {
namespace {

std::string wrap(std::string_view text, std::string_view prefix, std::size_t width) {
  std::string out;
  std::string line(prefix);
  while (!text.empty()) {
    const auto space = text.find(' ');
    const auto word = text.substr(0, space);
    if (line.size() > prefix.size() && line.size() + 1 + word.size() > width) {
      out += line + "\n";
      line = std::string(prefix);
    }
    if (line.size() > prefix.size()) line += ' ';
    line += word;
    text = space == std::string_view::npos ? std::string_view{} : text.substr(space + 1);
  }
  return out + line + "\n";
}

std::string kind_of(const Setting& setting) {
  switch (setting.type) {
    case Setting::Type::text: return "text";
    case Setting::Type::secret: return "secret text";
    case Setting::Type::secret_list: return "secret texts, comma separated";
    case Setting::Type::boolean: return "true or false";
    case Setting::Type::list: return "comma list";
    case Setting::Type::integer:
      return fmt::format("{} to {}{}{}", setting.min, setting.max, setting.unit.empty() ? "" : " ", setting.unit);
    case Setting::Type::choice: {
      std::string out;
      for (const auto choice : setting.choices) out += (out.empty() ? "`" : ", `") + std::string(choice) + "`";
      return out;
    }
  }
  return "";
}

}  // namespace

std::string example_file() {
  std::string out =
      "# Settings of Pawl. Copy to a file of your own and start with `pawl serve --config FILE`, or set them in the environment.\n"
      "# Commented lines show the defaults. Written by `pawl config --example`.\n";
  for (const auto& setting : settings()) {
    out += "\n" + wrap(setting.summary, "# ", 118);
    out += fmt::format("#{}={}\n", setting.name, setting.fallback);
  }
  out += "\n" + wrap("Secrets of workflows: `$secrets.NAME` where the document lists NAME in `use.secrets`.", "# ", 118);
  out += fmt::format("#{}NAME=\n", kSecretPrefix);
  return out;
}

std::string reference_page() {
  std::string out =
      "# Configuration\n\n"
      "Written by `pawl config --docs` from the table in `src/config/settings.cpp`; do not edit by hand.\n\n"
      "Each setting is an environment variable, or a line `NAME=value` in the file named by `--config FILE` or `PAWL_CONFIG`; some are "
      "flags as well.\n"
      "Flags win over the environment, the environment over the file, the file over the default. An empty value counts as unset. All "
      "problems are\n"
      "reported at once, and the server does not start with any.\n\n"
      "| name | value | default | flag | meaning |\n| --- | --- | --- | --- | --- |\n";
  for (const auto& setting : settings()) {
    const auto fallback = setting.fallback.empty() ? std::string() : fmt::format("`{}`", setting.fallback);
    const auto flag = setting.flag.empty() ? std::string() : fmt::format("`{}`", setting.flag);
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", setting.name, kind_of(setting), fallback, flag, setting.summary);
  }
  out += fmt::format(
      "| `{}<NAME>` | secret text | | | Value of `$secrets.<NAME>` in workflows whose document lists the name in `use.secrets`. |\n"
      "| `PAWL_CONFIG` | path | | `--config` | File with settings. |\n",
      kSecretPrefix);
  out +=
      "\n`NO_COLOR` and `TERM` are honoured for output on a terminal.\n\n"
      "Outside of development the server refuses to start when a key is missing, shorter than 32 characters or contains a weak word\n"
      "(`default`, `secret`, `change-me`, `password`, `example`, `pawl`, `insecure`), and production also when an origin is `*` or not "
      "https.\n";
  return out;
}

}  // namespace pawl::config
