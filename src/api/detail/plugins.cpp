// The functions that a `call` may name.
#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/json_writer.hpp"
#include "engine/function.hpp"

namespace pawl::api::detail::handlers {
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

}  // namespace

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

}  // namespace pawl::api::detail::handlers
