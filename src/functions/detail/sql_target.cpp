#include "functions/detail/sql_target.hpp"

#include "functions/detail/builtin.hpp"

namespace pawl::functions {
namespace {

// `sqlite:///relative`, `sqlite:////absolute`, `sqlite:path`, or a path.
std::string sqlite_path(std::string text) {
  for (const std::string_view scheme : {"sqlite:///", "sqlite://", "sqlite:", "file:"}) {
    if (text.starts_with(scheme)) return text.substr(scheme.size());
  }
  return text;
}

Result<PostgresAddress> address_of(const json::Value& connection) {
  PostgresAddress address;
  address.host = text_or(connection, "host", "");
  if (connection.get("port").is_integer()) address.port = std::to_string(connection.get("port").as_integer());
  address.database = text_or(connection, "database", "");
  address.user = text_or(connection, "username", "");
  address.password = text_or(connection, "password", "");
  address.sslmode = text_or(connection, "sslmode", "require");
  if (address.host.starts_with('/') || address.host.find(',') != std::string::npos) {
    return Error(ErrorClass::invalid, "sql.connection", "`connection` names no single host");
  }
  return address;
}

}  // namespace

Result<SqlTarget> sql_target(const Roots& roots, const json::Value& arguments) {
  SqlTarget target;
  if (const json::Value& connection = arguments.get("connection"); connection.is_object()) {
    PAWL_TRY(address, address_of(connection));
    target.server = std::move(address);
    return target;
  }
  const std::string text = text_or(arguments, "connection_string", text_or(arguments, "path", ""));
  std::string type = text_or(arguments, "database_type", "");
  if (type.empty()) {
    const bool server = arguments.get("path").is_null() && (text.starts_with("postgres") || text.find('=') != std::string::npos);
    type = server ? "postgresql" : "sqlite";
  }
  if (type == "sqlite") {
    PAWL_TRY(place, roots.find(sqlite_path(text)));
    target.file = std::move(place);
    return target;
  }
  PAWL_TRY(address, PostgresAddress::parse(text));
  target.server = std::move(address);
  return target;
}

}  // namespace pawl::functions
