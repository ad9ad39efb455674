// `s3`: objects in Amazon S3 or a service with the same API: put, get, head, list, delete, and addresses for others.
//
// Objects travel in pieces of some MiB, so that neither side of a large one is held in memory as a whole.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/utf8.hpp"
#include "engine/machine/machine.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/file_io.hpp"
#include "functions/detail/s3_client.hpp"
#include "functions/detail/secret_hosts.hpp"
#include "functions/detail/service_threads.hpp"
#include "functions/detail/staged_file.hpp"
#include "json/parse.hpp"

namespace pawl::functions {
namespace {

constexpr std::int64_t kDefaultList = 1'000;
constexpr std::int64_t kDefaultLifetime = 3'600;

Error bad(std::string message) { return {ErrorClass::invalid, "s3.arguments", std::move(message)}; }

enum class Operation : std::uint8_t { put, get, head, list, remove, presign };

Operation operation_of(const json::Value& arguments) {
  const std::string name = text_or(arguments, "operation", "");
  if (name == "put" || name == "upload") return Operation::put;
  if (name == "get" || name == "download") return Operation::get;
  if (name == "head") return Operation::head;
  if (name == "delete") return Operation::remove;
  return name == "presign" ? Operation::presign : Operation::list;
}

struct Task {
  Operation operation = Operation::list;
  std::string bucket_name;
  S3Bucket bucket;
  AwsKeys keys;
  std::string key;
  std::optional<Place> file;
  bool overwrite = false;
  Millis timeout{0};
};

std::int64_t number_or(const json::Value& arguments, std::string_view name, std::int64_t fallback) {
  const json::Value& value = arguments.get(name);
  return value.is_integer() ? value.as_integer() : fallback;
}

// libcurl would resolve such segments, as every browser does, and ask for another object.
bool has_dot_segment(std::string_view key) {
  while (true) {
    const std::size_t slash = std::min(key.find('/'), key.size());
    const std::string_view segment = key.substr(0, slash);
    if (segment == "." || segment == "..") return true;
    if (slash == key.size()) return false;
    key.remove_prefix(slash + 1);
  }
}

Result<Task> read_task(const json::Value& arguments, const Roots& roots) {
  Task task;
  task.operation = operation_of(arguments);
  task.bucket_name = text_or(arguments, "bucket", "");
  const std::string endpoint = text_or(arguments, "endpoint", "");
  // A bucket's name with a dot in it fits no certificate.
  const bool path_style = flag_or(arguments, "path_style", !endpoint.empty() || task.bucket_name.find('.') != std::string::npos);
  task.bucket = S3Bucket::of(task.bucket_name, text_or(arguments, "region", "us-east-1"), endpoint, path_style);
  task.keys = {text_or(arguments, "access_key_id", ""), text_or(arguments, "secret_access_key", ""),
               text_or(arguments, "session_token", "")};
  task.key = text_or(arguments, "key", text_or(arguments, "s3_key", ""));
  task.overwrite = flag_or(arguments, "overwrite", false);
  PAWL_TRY(timeout, duration_argument(arguments, "timeout"));
  task.timeout = timeout.value_or(Millis(300'000));
  if (task.operation != Operation::list && task.key.empty()) return bad("`key` is missing");
  if (has_dot_segment(task.key)) return bad("a `key` with a part `.` or `..` cannot be asked for");
  if (task.key.find('\0') != std::string::npos) return bad("`key` contains a NUL");
  const json::Value& path = arguments.get("local_path");
  if (path.is_string()) {
    PAWL_TRY(place, roots.find(path.as_string()));
    task.file = std::move(place);
  }
  const bool has_content = arguments.find("content") != nullptr;
  if (task.operation == Operation::put && task.file.has_value() == has_content) return bad("`put` needs either `local_path` or `content`");
  return task;
}

Result<std::string> inline_content(const json::Value& arguments) {
  const json::Value& content = arguments.get("content");
  if (text_or(arguments, "encoding", "text") != "base64") return as_text(content);
  auto bytes = content.is_string() ? from_base64(content.as_string()) : std::nullopt;
  if (!bytes) return bad("`content` is not base64 text");
  return std::move(*bytes);
}

engine::Outcome failure(const Error& error, const json::Value& secrets) {
  const std::string message = redact(error.message, secrets);
  int status = 0;
  if (error.code.starts_with("s3.")) std::from_chars(error.code.data() + 3, error.code.data() + error.code.size(), status);
  if (status >= 300) return engine::Outcome::failure(engine::make_error("communication", status, "S3 call failed", message));
  if (error.code == "s3.answer") return engine::Outcome::failure(engine::make_error("communication", 502, "Malformed response", message));
  return failed({error.kind, error.code, message});
}

json::Value to_json(const S3Object& object) {
  json::Value value = json::Value::object({{"key", object.key}, {"size", object.size}, {"etag", object.etag}});
  if (!object.last_modified.empty()) value.set("last_modified", object.last_modified);
  if (!object.content_type.empty()) value.set("content_type", object.content_type);
  return value;
}

// ---- the operations ------------------------------------------------------------------------------------------------------------

Result<json::Value> put(S3Client& client, const Task& task, const json::Value& arguments, const FunctionsOptions& options) {
  const std::string type = text_or(arguments, "content_type", "application/octet-stream");
  json::Value output = json::Value::object({{"bucket", task.bucket_name}, {"key", task.key}});
  std::uint64_t size = 0;
  S3Client::Give give;
  if (task.file) {
    auto opened = FileReader::open(*task.file);
    if (opened.has_error()) return std::move(opened).error();
    const auto reader = std::make_shared<const FileReader>(std::move(opened).value());
    size = reader->size();
    give = [reader, size](std::uint64_t offset, std::size_t length) -> Result<std::string> {
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(length, size - offset));
      PAWL_TRY(piece, reader->piece(offset, wanted));
      if (piece.size() != wanted) return Error(ErrorClass::conflict, "file.changed", "the file became shorter while it was read");
      return piece;
    };
    output.set("local_path", task.file->display());
  } else {
    PAWL_TRY(content, inline_content(arguments));
    size = content.size();
    give = [content = std::move(content)](std::uint64_t offset, std::size_t length) -> Result<std::string> {
      return content.substr(static_cast<std::size_t>(offset), length);
    };
  }
  if (size > options.max_transfer) {
    return Error(ErrorClass::invalid, "s3.too_large",
                 fmt::format("there are {} bytes, more than the limit of {}", size, options.max_transfer));
  }
  PAWL_TRY(tag, client.put(task.key, size, give, type, task.overwrite));
  output.set("size", size);
  output.set("etag", std::move(tag));
  return output;
}

Result<json::Value> get(S3Client& client, const Task& task, const json::Value& arguments, const FunctionsOptions& options) {
  if (task.file) {
    PAWL_TRY(writer, StagedFile::open(*task.file, task.overwrite));
    PAWL_TRY(object, client.get(task.key, options.max_transfer, [&](std::string_view piece) { return writer.write(piece); }));
    PAWL_TRY(created, writer.commit());
    json::Value output = to_json(object);
    output.set("local_path", task.file->display());
    output.set("created", created);
    return output;
  }
  std::string content;
  const auto keep = [&](std::string_view piece) -> Result<void> {
    content += piece;
    return {};
  };
  PAWL_TRY(object, client.get(task.key, options.max_file_read, keep));
  json::Value output = to_json(object);
  const std::string encoding = text_or(arguments, "encoding", "text");
  if (encoding == "base64") {
    output.set("content", to_base64(content));
  } else if (encoding == "json") {
    auto value = json::parse(content);
    if (value.has_error()) return Error(ErrorClass::invalid, "s3.content", "the object is not JSON");
    output.set("content", std::move(value).value());
  } else {
    if (!is_utf8(content)) return Error(ErrorClass::invalid, "s3.content", "the object is not text in UTF-8; ask for base64 or for a file");
    output.set("content", std::move(content));
  }
  return output;
}

Result<json::Value> list(S3Client& client, const json::Value& arguments) {
  const auto most = static_cast<std::size_t>(number_or(arguments, "max_keys", kDefaultList));
  PAWL_TRY(listing, client.list(text_or(arguments, "prefix", ""), text_or(arguments, "delimiter", ""), most));
  json::Value objects = json::Value::array();
  for (const S3Object& object : listing.objects) objects.push_back(to_json(object));
  json::Value prefixes = json::Value::array();
  for (std::string& prefix : listing.prefixes) prefixes.push_back(std::move(prefix));
  json::Value output = json::Value::object({{"count", objects.size()}, {"truncated", listing.truncated}});
  output.set("objects", std::move(objects));
  output.set("prefixes", std::move(prefixes));
  return output;
}

Result<json::Value> presigned(const Task& task, const engine::Invocation& call, TimePoint now) {
  const json::Value& arguments = call.arguments;
  const std::string method = text_or(arguments, "method", "GET");
  // Whoever has such an address replaces what is there with it.
  if (method == "PUT" && !call.may_destroy) {
    return Error(ErrorClass::denied, "s3.presign", "the role of who started the run does not permit an address to write to");
  }
  const std::chrono::seconds lifetime(number_or(arguments, "expires", kDefaultLifetime));
  net::OutboundRequest carrier;
  carrier.url = fmt::format("{}://{}/", task.bucket.scheme, task.bucket.host);
  carrier.credentials = net::BasicCredentials{task.keys.access_key_id, task.keys.secret_access_key};
  PAWL_TRY_VOID(hold_to_hosts(carrier, call.secrets));
  const AwsRequest request{.method = method, .host = task.bucket.host, .path = task.bucket.path(task.key)};
  const std::string path = presign(request, lifetime, task.keys, {task.bucket.region, "s3"}, now);
  return json::Value::object({{"url", fmt::format("{}://{}{}", task.bucket.scheme, task.bucket.host, path)},
                              {"method", method},
                              {"expires_at", to_rfc3339(std::chrono::floor<std::chrono::seconds>(now) + lifetime)}});
}

Result<json::Value> perform(S3Client& client, const Task& task, const engine::Invocation& call, const Parts& parts) {
  switch (task.operation) {
    case Operation::put: return put(client, task, call.arguments, parts.options);
    case Operation::get: return get(client, task, call.arguments, parts.options);
    case Operation::list: return list(client, call.arguments);
    case Operation::presign: return presigned(task, call, parts.dependencies.clock.now());
    case Operation::head: {
      PAWL_TRY(object, client.head(task.key));
      json::Value output = object ? to_json(*object) : json::Value::object({{"key", task.key}});
      output.set("exists", object.has_value());
      return output;
    }
    case Operation::remove: break;
  }
  PAWL_TRY_VOID(client.remove(task.key));
  return json::Value::object({{"bucket", task.bucket_name}, {"key", task.key}, {"deleted", true}});
}

class S3 final : public Builtin {
 public:
  explicit S3(const Parts& parts)
      : Builtin({.name = "s3",
                 .summary = "Stores, fetches, lists and deletes objects in Amazon S3 or a service with the same API",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "operation": {"type": "string", "enum": ["put", "get", "head", "list", "delete", "presign", "upload", "download"],
                                   "description": "upload and download are other names of put and get"},
                     "bucket": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$"},
                     "key": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "the object's name; all but list need it"},
                     "s3_key": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "the same as key"},
                     "local_path": {"type": "string", "minLength": 1, "description": "put: the file to store; get: the file to make; below the allowed folders"},
                     "content": {"description": "put: text, or a value that is written as JSON, in place of a file"},
                     "encoding": {"type": "string", "enum": ["text", "base64", "json"], "default": "text", "description": "of content, given or asked for"},
                     "content_type": {"type": "string", "pattern": "^[^\\r\\n]{1,200}$", "default": "application/octet-stream"},
                     "overwrite": {"type": "boolean", "default": false,
                                   "description": "put: replace an object; get: replace a file; needs allow_destructive"},
                     "prefix": {"type": "string", "maxLength": 1024, "description": "list: names that begin so"},
                     "delimiter": {"type": "string", "maxLength": 10, "description": "list: names are grouped up to this, such as /"},
                     "max_keys": {"type": "integer", "minimum": 1, "maximum": 10000, "default": 1000},
                     "method": {"type": "string", "enum": ["GET", "PUT", "HEAD"], "default": "GET", "description": "presign: what the address is for"},
                     "expires": {"type": "integer", "minimum": 1, "maximum": 604800, "default": 3600, "description": "presign: seconds"},
                     "region": {"type": "string", "pattern": "^[a-z0-9-]{1,50}$", "default": "us-east-1"},
                     "endpoint": {"type": "string", "pattern": "^https?://[^/@?#\\s]+/?$", "description": "address of another service than Amazon's"},
                     "path_style": {"type": "boolean", "description": "the bucket stands in the path; default: with an endpoint"},
                     "access_key_id": {"type": "string", "minLength": 1},
                     "secret_access_key": {"type": "string", "minLength": 1, "description": "keep it in a secret"},
                     "session_token": {"type": "string", "minLength": 1, "description": "of temporary credentials"},
                     "timeout": {"description": "seconds for everything, ISO 8601 text or a duration object; default 5 min"},
                     "allow_destructive": {"type": "boolean", "default": false},
                     "dry_run": {"type": "boolean", "default": false}
                   },
                   "required": ["operation", "bucket", "access_key_id", "secret_access_key"],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({
                   "type": "object",
                   "properties": {
                     "bucket": {"type": "string"}, "key": {"type": "string"}, "size": {"type": "integer"}, "etag": {"type": "string"},
                     "content_type": {"type": "string"}, "last_modified": {"type": "string"}, "local_path": {"type": "string"},
                     "content": {"description": "get without a file"}, "exists": {"type": "boolean"}, "deleted": {"type": "boolean"},
                     "objects": {"type": "array"}, "prefixes": {"type": "array"}, "count": {"type": "integer"}, "truncated": {"type": "boolean"},
                     "url": {"type": "string"}, "method": {"type": "string"}, "expires_at": {"type": "string"}, "created": {"type": "boolean"}
                   }
                 })"),
                 .examples = literal(R"([
                   {"operation": "put", "bucket": "reports", "key": "2026/11/report.pdf", "local_path": "out/report.pdf", "content_type": "application/pdf",
                    "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "secret", "region": "eu-central-1"},
                   {"operation": "list", "bucket": "reports", "prefix": "2026/", "endpoint": "https://storage.example.org",
                    "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "secret"},
                   {"operation": "delete", "bucket": "reports", "key": "2025/old.pdf", "allow_destructive": true,
                    "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "secret"}
                 ])"),
                 .destructive = true,
                 .reach = {{engine::Access::Kind::host, "/endpoint", ""},
                           {engine::Access::Kind::host, "", "*.amazonaws.com"},
                           {engine::Access::Kind::read, "/local_path", ""},
                           {engine::Access::Kind::write, "/local_path", ""}}}),
        parts_(parts) {}

  [[nodiscard]] bool destroys(const json::Value& arguments) const override {
    return operation_of(arguments) == Operation::remove || flag_or(arguments, "overwrite", false);
  }
  // Making what must not be there yet does not work a second time; all else gives the same again.
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override {
    const Operation operation = operation_of(arguments);
    const bool writes = operation == Operation::put || (operation == Operation::get && arguments.find("local_path") != nullptr);
    if (operation == Operation::remove || (writes && flag_or(arguments, "overwrite", false))) return engine::EffectClass::idempotent;
    return writes ? engine::EffectClass::once : engine::EffectClass::read;
  }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY(task, read_task(call.arguments, *parts_.roots));
    json::Value step = json::Value::object({{"action", text_or(call.arguments, "operation", "")},
                                            {"host", task.bucket.host},
                                            {"bucket", task.bucket_name},
                                            {"destructive", destroys(call.arguments)}});
    if (!task.key.empty()) step.set("key", task.key);
    if (task.file) step.set("local_path", task.file->display());
    return json::Value::array({std::move(step)});
  }

  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    auto task = read_task(call.arguments, *parts_.roots);
    if (task.has_error()) {
      done(failed(task.error()));
      return {};
    }
    auto work = [this, task = std::move(task).value(), call = std::move(call)](const std::atomic<bool>& cancelled) {
      S3Client client({parts_.dependencies.outbound, parts_.dependencies.clock, cancelled, call.secrets, task.bucket, task.keys,
                       task.timeout, call.effect == engine::EffectClass::once});
      auto output = perform(client, task, call, parts_);
      return output.has_value() ? engine::Outcome::success(std::move(output).value()) : failure(output.error(), call.secrets);
    };
    return threads_.run(std::move(work), std::move(done));
  }
  Parts parts_;
  ServiceThreads threads_;  // the last: its end waits for what uses the others
};

}  // namespace

std::unique_ptr<engine::Function> make_s3(const Parts& parts) { return std::make_unique<S3>(parts); }

}  // namespace pawl::functions
