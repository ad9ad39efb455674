// The functions that a `call` may name.
#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"
#include "engine/function.hpp"

namespace pawl::api::detail {
namespace {

void append_plugin(std::string& out, const engine::Function& function) {
  const auto& info = function.info();
  ObjectWriter object(out);
  object.text("name", info.name);
  object.text("version", info.version);
  object.text("description", info.summary);
  object.boolean("destructive", info.destructive);
  object.value("parameters", info.parameters);
  object.value("output", info.output);
  object.value("examples", info.examples);
}

void list_plugins(Context& context, Call call) {
  Query query(call.request);
  PAWL_API_CHECK(query.finish());
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), context.d.functions.all(), [&](const engine::Function* function) { append_plugin(out, *function); });
    object.null("next_cursor");
  }
  call.reply(200, std::move(out));
}

void get_plugin(Context& context, Call call) {
  std::string name(call.request.param("name"));
  for (char& c : name) c = c == '_' ? '-' : c;
  const auto* function = context.d.functions.get(name);
  if (function == nullptr) return call.fail(Error(ErrorClass::not_found, "plugin.not_found", "There is no plug-in of this name."));
  std::string out;
  append_plugin(out, *function);
  call.reply(200, std::move(out));
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Shape plugin_shape() {
  const auto schema = Shape::any(json::Value::object({{"type", "object"}}));
  return Shape::object("Plugin", {{"name", Shape::text("http")},
                                  {"version", Shape::text("1.0.0")},
                                  {"description", Shape::text("Calls an HTTP service.", 10'000)},
                                  {"destructive", Shape::boolean(false)},
                                  {"parameters", schema},
                                  {"output", schema},
                                  {"examples", Shape::any(json::Value::array())}});
}

}  // namespace

std::vector<Route> plugin_routes() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/api/plugins",
       .id = "listPlugins",
       .tag = "plugins",
       .summary = "List the functions that workflows may call",
       .permission = Permission::read,
       .handler = list_plugins,
       .reply = Shape::page("PluginPage", plugin_shape())},
      {.method = Method::get,
       .path = "/api/plugins/{name}",
       .id = "getPlugin",
       .tag = "plugins",
       .summary = "Read a function: schemas and examples",
       .permission = Permission::read,
       .handler = get_plugin,
       .reply = plugin_shape()},
  };
}

}  // namespace pawl::api::detail
