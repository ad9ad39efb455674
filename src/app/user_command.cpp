#include <fmt/core.h>

#include <iostream>

#include "app/application.hpp"
#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "identity/accounts.hpp"

namespace pawl::app {
namespace {

int fail(const Error& error) {
  fmt::print(stderr, "pawl: {}\n", error.message);
  return kFailed;
}

/// The first line, without its end: `printf '%s' secret | pawl ...` and `echo secret | pawl ...` mean the same.
std::string read_password() {
  std::string line;
  std::getline(std::cin, line);
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

}  // namespace

int run_user_create(const CommonOptions& common, const UserCreateOptions& options) {
  const auto config = load_config(common, config::Purpose::tool);
  if (!config) return kUsage;
  if (!options.password_on_stdin) {
    fmt::print(stderr, "pawl: give the password on standard input, with --password-stdin\n");
    return kUsage;
  }
  ApplicationOptions application;
  application.schedules = false;
  auto app = Application::create(*config, std::move(application));
  if (app.has_error()) return fail(app.error());
  identity::NewAccount account;
  account.email = options.email;
  account.name = options.name.empty() ? options.email.substr(0, options.email.find('@')) : options.name;
  account.password = read_password();
  const auto made = (*app)->accounts().create_user(account, options.admin);
  if (made.has_error()) return fail(made.error());
  fmt::print("{}\n", made->id.to_string());
  return kOk;
}

}  // namespace pawl::app
