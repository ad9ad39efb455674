// What agents keep between runs: list, read, delete.
#include "api/routes/memories.hpp"

#include "agents/memories.hpp"
#include "api/body.hpp"
#include "api/detail/find_stored.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"

namespace pawl::api::detail {
namespace {

using agents::Memory;
using agents::MemoryId;

Result<MemoryId> memory_id(const http::Request& request) { return path_id<MemoryId>(request, "memory_id", "memory.not_found", "memory"); }

/// All its state is in the database, and nothing is written here.
agents::Memories memories_of(Context& context) { return {context.d.database, context.d.clock, context.d.random}; }

void find_memory(Context& context, const http::Request& request, Found done) {
  const auto owner = [&context](const MemoryId& id) { return memories_of(context).owner(id); };
  find_stored(context, MemoryId::parse(request.param("memory_id")), owner, std::move(done));
}

const Owner kMemoryOwner{&find_memory, "memory.not_found", "memory"};

void append_memory(std::string& out, const Memory& memory, bool whole) {
  ObjectWriter object(out);
  object.text("id", memory.id.to_string());
  object.text("scope", memory.scope);
  object.text("key", memory.key);
  object.integer("message_count", static_cast<std::int64_t>(memory.message_count));
  object.integer("bytes", static_cast<std::int64_t>(memory.bytes));
  object.value("untrusted", memory.untrusted);
  object.text("run_id", memory.run.to_string());
  object.text_or_null("user_id", memory.user.is_nil() ? "" : memory.user.to_string());
  object.time("created_at", memory.created_at);
  object.time("updated_at", memory.updated_at);
  object.time("expires_at", memory.expires_at);
  if (whole) object.value("messages", memory.messages);
}

void list_memories(Context& context, Call call) {
  Query query(call.request);
  const auto limit = query.limit();
  std::optional<MemoryId> before;
  if (const auto cursor = query.text("cursor")) {
    before = MemoryId::parse(*cursor);
    if (!before) query.problem("cursor", "is not a cursor of this list");
  }
  PAWL_API_CHECK(query.finish());
  PAWL_API_TRY(page, memories_of(context).list(call.organization, limit, before));
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.memories, [&](const Memory& memory) { append_memory(out, memory, false); });
    object.text_or_null("next_cursor", page.next ? page.next->to_string() : "");
  }
  call.reply(200, std::move(out));
}

void get_memory(Context& context, Call call) {
  PAWL_API_TRY(id, memory_id(call.request));
  PAWL_API_TRY(memory, memories_of(context).get(call.organization, id));
  std::string out;
  append_memory(out, memory, true);
  call.reply(200, std::move(out));
}

void delete_memory(Context& context, Call call) {
  PAWL_API_TRY(id, memory_id(call.request));
  PAWL_API_TRY_VOID(memories_of(context).remove(call.organization, id));
  call.reply(http::Response::empty(204));
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

std::vector<Shape::Member> memory_members() {
  return {{"id", Shape::id()},
          {"scope", Shape::text("support/triage", 1000).described("A workflow, or empty: shared by all of the organization's.")},
          {"key", Shape::text("customer-17", 1000)},
          {"message_count", Shape::integer(12)},
          {"bytes", Shape::integer(4096).described("Of its messages.")},
          {"untrusted", Shape::array(Shape::text("find-customer", 10'000)).described("Where what came from that nobody vouches for.")},
          {"run_id", Shape::id().described("That wrote it last.")},
          {"user_id", Shape::id().or_null().described("Who started the run that wrote it first.")},
          {"created_at", Shape::time()},
          {"updated_at", Shape::time()},
          {"expires_at", Shape::time().or_null()}};
}

Route row(http::Method method, std::string_view path, std::string_view id, std::string_view summary, Permission permission,
          Handler handler) {
  return {.method = method,
          .path = path,
          .id = id,
          .tag = "llm",
          .summary = summary,
          .permission = permission,
          .handler = handler,
          .runs = Runs::pool};
}

}  // namespace

std::vector<Route> memory_routes() {
  constexpr std::string_view kOne = "/api/llm/memories/{memory_id}";
  auto listing = row(http::Method::get, "/api/llm/memories", "listAgentMemories", "What agents keep between runs, without its content",
                     Permission::read, list_memories);
  listing.query = {limit_parameter(), cursor_parameter()};
  listing.reply = Shape::page("AgentMemoryPage", Shape::object("AgentMemory", memory_members()));
  auto reading = row(http::Method::get, kOne, "getAgentMemory", "One of them with its messages", Permission::read, get_memory);
  auto whole = memory_members();
  whole.push_back({"messages", Shape::array(Shape::any(json::Value::object({{"role", "user"}, {"content", "I prefer e-mail."}})))});
  reading.owner = &kMemoryOwner;
  reading.reply = Shape::object("AgentMemoryContent", std::move(whole));
  auto deleting = row(http::Method::delete_, kOne, "deleteAgentMemory", "Forget it", Permission::write, delete_memory);
  deleting.owner = &kMemoryOwner;
  deleting.status = 204;
  return {listing, reading, deleting};
}

}  // namespace pawl::api::detail
