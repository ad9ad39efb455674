#include "bench/bench.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <thread>

#include "bench/child.hpp"
#include "bench/load_client.hpp"
#include "bench/yardstick.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr const char* kKey = "benchmark-key-0123456789-0123456789-0123456789";
constexpr std::uint32_t kJournalRowBytes = 120;  // of a `once` step with a small result

/// `pawl serve` over a folder of its own, and what scenarios ask of it.
class Server {
 public:
  static Result<std::unique_ptr<Server>> start(const BenchOptions& options, const std::string& name, const std::string& model_url = {}) {
    auto server = std::make_unique<Server>();
    server->port_ = free_port();
    server->folder_ = options.folder + "/" + name;
    std::filesystem::create_directories(server->folder_);
    const auto begin = SteadyClock::now();
    std::vector<std::string> environment = {std::string("PAWL_API_KEY=") + kKey,
                                            "PAWL_ALLOW_PRIVATE_ADDRESSES=true",
                                            "LOG_LEVEL=warning",
                                            "RATE_LIMIT_ENABLED=false",
                                            "PATH=/usr/bin:/bin",
                                            "DATABASE_URL=" + options.database_url};
    if (!model_url.empty()) environment.push_back("OPENAI_BASE_URL=" + model_url);
    auto child = Child::start(
        {options.program, "serve", "--host", "127.0.0.1", "--port", std::to_string(server->port_), "--data-dir", server->folder_},
        environment, server->folder_ + "/bench.log");
    if (child.has_error()) return child.error();
    server->child_ = std::make_unique<Child>(std::move(child).value());
    while (true) {
      auto answer = run_load({.port = server->port_, .request = make_request("GET", "/health/liveness", "", ""), .requests = 1});
      if (answer.has_value() && answer.value().completed == 1) break;
      if (SteadyClock::now() - begin > std::chrono::seconds(10)) {
        return Error(ErrorClass::unavailable, "bench.server",
                     "pawl serve did not answer within 10 s; see " + server->folder_ + "/bench.log");
      }
      std::this_thread::yield();
    }
    server->start_ms_ = std::chrono::duration<double, std::milli>(SteadyClock::now() - begin).count();
    return server;
  }

  /// The request that runs this workflow once, and waits for its end if it `waits`.
  Result<std::string> execute_request(const std::string& definition, bool waits = true) {
    json::Value body = json::Value::object({{"definition", definition}});
    auto reply = run_load({.port = port_, .request = make_request("POST", "/api/workflows", json::to_text(body), kKey), .requests = 1});
    if (reply.has_error()) return reply.error();
    auto workflow = json::parse(reply.value().last_body);
    if (reply.value().completed != 1 || workflow.has_error()) {
      return Error(ErrorClass::internal, "bench.workflow", "the workflow was refused: " + reply.value().last_body);
    }
    const auto path = "/api/workflows/" + std::string(workflow.value().get("id").as_string()) + "/execute";
    return make_request("POST", path, waits ? R"({"wait":true,"input":{}})" : R"({"input":{}})", kKey);
  }

  /// Starts runs that do not end.
  Result<LoadResult> begin(const std::string& request, std::uint32_t connections, std::uint64_t requests) {
    auto result = run_load({.port = port_, .request = request, .connections = connections, .requests = requests});
    if (result.has_value() && result.value().refused > 0) {
      return Error(ErrorClass::internal, "bench.run", "runs were not started: " + result.value().last_body.substr(0, 400));
    }
    return result;
  }

  /// Runs the load and makes sure that what was measured did complete.
  Result<LoadResult> load(const std::string& request, std::uint32_t connections, std::uint64_t requests) {
    auto result = run_load({.port = port_, .request = request, .connections = connections, .requests = requests});
    if (result.has_error()) return result;
    if (result.value().refused > 0 || result.value().completed == 0 ||
        result.value().last_body.find("\"completed\"") == std::string::npos) {
      return Error(ErrorClass::internal, "bench.run", "runs did not complete: " + result.value().last_body.substr(0, 400));
    }
    return result;
  }

  [[nodiscard]] double start_ms() const { return start_ms_; }
  /// Where the file functions of its workflows are at home.
  [[nodiscard]] std::string files() const { return folder_ + "/files"; }
  [[nodiscard]] std::size_t resident_bytes() const { return child_->resident_bytes(); }
  void stop() { child_.reset(); }
  /// In bytes: of everything that the server keeps but its log, and of that the audit trail's copy in JSON lines.
  struct Disk {
    std::uintmax_t database = 0;
    std::uintmax_t audit_file = 0;
  };
  [[nodiscard]] Disk disk() const {
    Disk disk;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
      if (!entry.is_regular_file() || entry.path().extension() == ".log") continue;
      const bool lines = entry.path().filename().string().starts_with("audit.jsonl");
      (lines ? disk.audit_file : disk.database) += entry.file_size();
    }
    return disk;
  }

 private:
  std::uint16_t port_ = 0;
  std::string folder_;
  std::unique_ptr<Child> child_;
  double start_ms_ = 0;
};

std::string header(const std::string& name) {
  return "document: {dsl: '1.0.3', namespace: bench, name: " + name + ", version: '1.0.0'}\ndo:\n";
}

std::string noop_steps(const std::string& name, int count, const std::string& effect) {
  auto text = header(name);
  for (int i = 0; i < count; ++i) text += fmt::format("  - s{}: {{call: noop, with: {{n: {}}}, metadata: {{effect: {}}}}}\n", i, i, effect);
  return text;
}

std::string fan_out(int branches) {
  auto text = header("fan-out") + "  - all:\n      fork:\n        branches:\n";
  for (int i = 0; i < branches; ++i)
    text += fmt::format("          - b{}: {{call: noop, with: {{n: {}}}, metadata: {{effect: once}}}}\n", i, i);
  return text;
}

/// One benchmark: adds its figures.
class Bench {
 public:
  explicit Bench(const BenchOptions& options) : options_(options) {}

  std::vector<Figure> figures;

  Result<void> limits() {
    PAWL_TRY(syncs, syncs_per_second(options_.folder));
    add({"limits", "fdatasync", syncs, "/s"});
    for (const std::uint32_t batch : {1U, 64U, 256U}) {
      PAWL_TRY(rows, sqlite_rows_per_second(options_.folder, batch, kJournalRowBytes));
      add({"limits", fmt::format("sqlite rows, FULL, batches of {}", batch), rows, "/s"});
    }
    PAWL_TRY(hello, hello_rate());
    add({"limits", "bare server, 64 connections", hello, "req/s"});
    return {};
  }

  Result<void> noop() {
    PAWL_TRY(server, Server::start(options_, "noop"));
    PAWL_TRY(request, server->execute_request(header("noop") + "  - one: {set: {n: 1}}\n"));
    PAWL_TRY(hello, hello_rate());
    for (const std::uint32_t connections : {1U, 16U, 64U}) {
      PAWL_TRY_VOID(warm(*server, request, connections));
      PAWL_TRY(result, server->load(request, connections, scaled(connections == 1 ? 3000 : 60000)));
      const auto at = fmt::format("{} connections", connections);
      add({"noop", at, result.per_second(), "workflows/s", connections == 64 ? 20000.0 : 0, true, "bare server",
           result.per_second() / hello});
      add({"noop", at + ", p50", result.percentile_ms(0.5), "ms", connections == 1 ? 0.6 : 0, false});
      add({"noop", at + ", p99", result.percentile_ms(0.99), "ms", 0, false});
    }
    return {};
  }

  Result<void> b1() {
    PAWL_TRY(server, Server::start(options_, "b1"));
    PAWL_TRY(request, server->execute_request(noop_steps("b1", 3, "once")));
    PAWL_TRY_VOID(warm(*server, request, 1));
    PAWL_TRY(single, server->load(request, 1, 100));
    add({"b1", "three journaled steps, 100 single runs, p50", single.percentile_ms(0.5), "ms", 0, false});
    PAWL_TRY(batch, server->load(request, 64, scaled(10000)));
    add({"b1", "three journaled steps, 64 connections", batch.per_second(), "workflows/s"});
    return {};
  }

  Result<void> ten_steps() {
    PAWL_TRY(server, Server::start(options_, "ten"));
    PAWL_TRY(writing, server->execute_request(noop_steps("writing", 10, "once")));
    PAWL_TRY(reading, server->execute_request(noop_steps("reading", 10, "read")));
    PAWL_TRY(one, server->execute_request(noop_steps("one", 1, "read")));
    PAWL_TRY_VOID(warm(*server, writing, 64));
    PAWL_TRY(wrote, server->load(writing, 64, scaled(10000)));
    PAWL_TRY(rows, sqlite_rows_per_second(options_.folder, 64, kJournalRowBytes));
    // Ten results with the next begin, and the start: eleven rows a run.
    add({"ten-steps", "writing, 64 connections", wrote.per_second(), "workflows/s", 4000, true, "journal rows to SQLite's in batches of 64",
         wrote.per_second() * 11 / rows});
    add({"ten-steps", "writing, 64 connections, p50", wrote.percentile_ms(0.5), "ms", 0, false});
    PAWL_TRY(read, server->load(reading, 64, scaled(30000)));
    PAWL_TRY(single, server->load(one, 64, scaled(30000)));
    add({"ten-steps", "reading, 64 connections", read.per_second(), "workflows/s", 0, true, "one reading step",
         read.per_second() / single.per_second()});
    PAWL_TRY(read_one, server->load(reading, 1, scaled(2000)));
    PAWL_TRY(single_one, server->load(one, 1, scaled(2000)));
    add({"ten-steps", "reading: time of ten to time of one, one connection", read_one.percentile_ms(0.5) / single_one.percentile_ms(0.5),
         "x", 1.5, false});
    return {};
  }

  Result<void> fan() {
    PAWL_TRY(server, Server::start(options_, "fan"));
    PAWL_TRY(request, server->execute_request(fan_out(100)));
    PAWL_TRY_VOID(warm(*server, request, 1));
    PAWL_TRY(result, server->load(request, 1, scaled(500)));
    add({"fan-out", "100 journaled branches, p50", result.percentile_ms(0.5), "ms", 2, false});
    return {};
  }

  Result<void> http_step() {
    const auto port = free_port();
    auto hello =
        Child::start({options_.program, "bench", "--hello", std::to_string(port)}, {"PATH=/usr/bin:/bin"}, options_.folder + "/hello.log");
    if (hello.has_error()) return hello.error();
    PAWL_TRY_VOID(await(port));
    PAWL_TRY(server, Server::start(options_, "http"));
    PAWL_TRY(request,
             server->execute_request(
                 header("http") + fmt::format("  - get: {{call: http, with: {{method: get, endpoint: 'http://127.0.0.1:{}/'}}}}\n", port)));
    PAWL_TRY_VOID(warm(*server, request, 64));
    PAWL_TRY(result, server->load(request, 64, scaled(20000)));
    add({"http-step", "one HTTP step, 64 connections", result.per_second(), "workflows/s", 8000, true});
    add({"http-step", "one HTTP step, 64 connections, p50", result.percentile_ms(0.5), "ms", 0, false});
    return {};
  }

  /// What one call costs within a run, beside the bare operation.
  Result<void> functions() {
    const auto port = free_port();
    auto hello =
        Child::start({options_.program, "bench", "--hello", std::to_string(port)}, {"PATH=/usr/bin:/bin"}, options_.folder + "/hello.log");
    if (hello.has_error()) return hello.error();
    PAWL_TRY_VOID(await(port));
    PAWL_TRY(server, Server::start(options_, "functions"));
    PAWL_TRY_VOID(make_table(server->files() + "/bench.db"));
    constexpr std::uint32_t kTimes = 20;
    PAWL_TRY(asked, run_load({.port = port, .request = make_request("GET", "/", "", ""), .requests = scaled(1000)}));
    PAWL_TRY(queried, query_ms(server->files() + "/bench.db", 200));
    PAWL_TRY(spawned, spawn_ms({"/usr/bin/true"}, 100));
    PAWL_TRY(python, spawn_ms({"/usr/bin/python3", "-c", "pass"}, kTimes));
    PAWL_TRY(node, spawn_ms({"/usr/bin/node", "-e", "0"}, kTimes));
    const auto http = fmt::format("call: http, with: {{method: get, endpoint: 'http://127.0.0.1:{}/'}}", port);
    const std::string script = "run: {script: {language: ";
    PAWL_TRY_VOID(quick_call(*server, "set", "set: {n: 1}", 0, ""));
    PAWL_TRY_VOID(quick_call(*server, "http", http, asked.percentile_ms(0.5), "a bare client's request"));
    PAWL_TRY_VOID(quick_call(*server, "sql-query", "call: sql-query, with: {path: bench.db, query: 'select id, name from items'}", queried,
                             "SQLite: open, ask, close"));
    PAWL_TRY_VOID(slow_call(*server, "shell-command", "call: shell-command, with: {command: 'true', allow_destructive: true}", spawned, 0));
    // An interpreter reads its time zone when it starts, so that none that waits will do.
    PAWL_TRY_VOID(slow_call(*server, "script, python, cold", script + "python, code: 'print(1)', environment: {TZ: UTC}}}", python, 0));
    PAWL_TRY_VOID(slow_call(*server, "script, python, warm", script + "python, code: 'print(1)'}}", python, 5));
    PAWL_TRY_VOID(slow_call(*server, "script, js, cold", script + "js, code: 'console.log(1)', environment: {TZ: UTC}}}", node, 0));
    return slow_call(*server, "script, js, warm", script + "js, code: 'console.log(1)'}}", node, 5);
  }

  Result<void> agent_turn() {
    const auto port = free_port();
    auto model =
        Child::start({options_.program, "bench", "--hello", std::to_string(port)}, {"PATH=/usr/bin:/bin"}, options_.folder + "/hello.log");
    if (model.has_error()) return model.error();
    PAWL_TRY_VOID(await(port));
    const auto bare_request =
        make_request("POST", "/v1/chat/completions", R"({"model":"mock","messages":[{"role":"user","content":"Go on."}]})", "");
    const auto bare = run_load({.port = port, .request = bare_request, .requests = scaled(5000)});
    if (bare.has_error()) return bare.error();
    PAWL_TRY(server, Server::start(options_, "agent", fmt::format("http://127.0.0.1:{}/v1", port)));
    PAWL_TRY(request,
             server->execute_request(header("agent") + "  - ask: {call: agent, with: {model: openai-compatible/mock, prompt: Go on., "
                                                       "tools: [{function: noop, name: step, parameters: {type: object}}]}}\n"));
    PAWL_TRY_VOID(warm(*server, request, 1));
    PAWL_TRY(result, server->load(request, 1, scaled(500)));
    // Ten turns, and nine calls of a tool that does nothing.
    const auto turn = result.percentile_ms(0.5) / 10;
    const auto call = bare->percentile_ms(0.5);
    add({"agent-turn", "the model alone, one connection, p50", call, "ms", 0, false});
    add({"agent-turn", "a turn with a tool call, journaled, of ten, p50", turn, "ms", 0, false, "the model alone", turn / call});
    add({"agent-turn", "added by a turn", turn - call, "ms", 2, false});
    return {};
  }

  Result<void> start_up() {
    std::vector<double> times;
    double memory = 0;
    for (int i = 0; i < 5; ++i) {
      PAWL_TRY(server, Server::start(options_, "start"));
      times.push_back(server->start_ms());
      memory = static_cast<double>(server->resident_bytes()) / 1e6;
    }
    std::sort(times.begin(), times.end());
    add({"start", "start to first answer, median of 5", times[2], "ms", 60, false});
    add({"start", "idle memory", memory, "MB", 25, false});
    return {};
  }

  Result<void> disk() {
    PAWL_TRY(server, Server::start(options_, "disk"));
    PAWL_TRY(request, server->execute_request(noop_steps("disk", 10, "once")));
    const auto runs = scaled(10000);
    PAWL_TRY(first, server->load(request, 64, 64));
    server->stop();
    const auto before = server->disk();
    auto again = Server::start(options_, "disk");
    if (again.has_error()) return again.error();
    PAWL_TRY(result, again.value()->load(request, 64, runs));
    again.value()->stop();
    const auto after = again.value()->disk();
    const auto per_10000 = [&](std::uintmax_t more) { return static_cast<double>(more) * 10000 / static_cast<double>(runs) / 1e6; };
    add({"disk", "10,000 ten-step runs", per_10000(after.database - before.database), "MB", 2.9, false});
    add({"disk", "... and their lines in the audit file", per_10000(after.audit_file - before.audit_file), "MB", 0, false});
    return {};
  }

  /// Runs that wait for days are to cost disk, and no memory that grows with them.
  Result<void> waiting() {
    PAWL_TRY(server, Server::start(options_, "waiting"));
    PAWL_TRY(request, server->execute_request(header("waiting") + "  - rest: {wait: {days: 10}}\n", false));
    PAWL_TRY_VOID(server->begin(request, 64, scaled(10'000)));
    const auto few = server->resident_bytes();
    const auto runs = scaled(1'000'000);
    PAWL_TRY(result, server->begin(request, 64, runs));
    const auto many = server->resident_bytes();
    const auto of = fmt::format("{} runs that wait", runs);
    add({"waiting", of + ", begun", result.per_second(), "/s"});
    add({"waiting", of + ": memory", static_cast<double>(many) / 1e6, "MB", 0, false, fmt::format("that with {}", scaled(10'000)),
         static_cast<double>(many) / static_cast<double>(few)});
    server->stop();
    add({"waiting", of + ": disk for each, without the audit file",
         static_cast<double>(server->disk().database) / static_cast<double>(runs), "bytes", 0, false});
    PAWL_TRY(again, Server::start(options_, "waiting"));
    add({"waiting", of + ": start to first answer", again->start_ms(), "ms", 0, false});
    add({"waiting", of + ": memory after a start", static_cast<double>(again->resident_bytes()) / 1e6, "MB", 0, false});
    return {};
  }

 private:
  static std::string steps(const std::string& task, int count) {
    auto text = header("functions");
    for (int i = 0; i < count; ++i) text += fmt::format("  - s{}: {{{}}}\n", i, task);
    return text;
  }

  /// A run of eleven calls is compared with a run of one.
  Result<void> quick_call(Server& server, const std::string& name, const std::string& task, double bare, const std::string& yardstick) {
    PAWL_TRY(one, server.execute_request(steps(task, 1)));
    PAWL_TRY(eleven, server.execute_request(steps(task, 11)));
    PAWL_TRY_VOID(warm(server, eleven, 1));
    PAWL_TRY(short_runs, server.load(one, 1, scaled(1000)));
    PAWL_TRY(long_runs, server.load(eleven, 1, scaled(1000)));
    add_call(name, (long_runs.percentile_ms(0.5) - short_runs.percentile_ms(0.5)) / 10, bare, yardstick, 0);
    return {};
  }

  /// A run of one call is compared with a run of one `set`. Other runs go between two calls, so that an interpreter is there for the next
  /// and none is being started meanwhile.
  Result<void> slow_call(Server& server, const std::string& name, const std::string& task, double bare, double target) {
    PAWL_TRY(call, server.execute_request(steps(task, 1)));
    PAWL_TRY(other, server.execute_request(steps("set: {n: 1}", 1)));
    std::vector<double> calls;
    std::vector<double> others;
    for (int i = 0; i < 15; ++i) {
      PAWL_TRY(between, server.load(other, 1, scaled(600)));
      PAWL_TRY(once, server.load(call, 1, 1));
      if (i == 0) continue;  // finds out what contains processes here
      calls.push_back(once.percentile_ms(0.5));
      others.push_back(between.percentile_ms(0.5));
    }
    std::sort(calls.begin(), calls.end());
    std::sort(others.begin(), others.end());
    add_call(name, calls[calls.size() / 2] - others[others.size() / 2], bare, "posix_spawn of the bare program", target);
    return {};
  }

  void add_call(const std::string& name, double ms, double bare, const std::string& yardstick, double target) {
    Figure figure{"functions", name + ", one call, p50", ms, "ms", target, false};
    figure.yardstick = yardstick;
    figure.ratio = bare > 0 ? ms / bare : 0;
    add(std::move(figure));
  }

  void add(Figure figure) { figures.push_back(std::move(figure)); }
  [[nodiscard]] std::uint64_t scaled(std::uint64_t count) const { return options_.quick ? std::max<std::uint64_t>(count / 10, 64) : count; }

  Result<void> warm(Server& server, const std::string& request, std::uint32_t connections) {
    PAWL_TRY(result, server.load(request, connections, scaled(500)));
    return {};
  }

  static Result<void> await(std::uint16_t port) {
    const auto begin = SteadyClock::now();
    while (SteadyClock::now() - begin < std::chrono::seconds(5)) {
      if (run_load({.port = port, .request = make_request("GET", "/", "", ""), .requests = 1}).has_value()) return {};
      std::this_thread::yield();
    }
    return Error(ErrorClass::unavailable, "bench.hello", "the bare server did not start");
  }

  Result<double> hello_rate() {
    const auto port = free_port();
    auto hello =
        Child::start({options_.program, "bench", "--hello", std::to_string(port)}, {"PATH=/usr/bin:/bin"}, options_.folder + "/hello.log");
    if (hello.has_error()) return hello.error();
    PAWL_TRY_VOID(await(port));
    PAWL_TRY(result, run_load({.port = port, .request = make_request("GET", "/", "", ""), .connections = 64, .requests = scaled(100000)}));
    return result.per_second();
  }

  const BenchOptions& options_;
};

struct Named {
  const char* name;
  Result<void> (Bench::*run)();
  bool only_by_name = false;  ///< takes minutes
};
constexpr Named kBenchmarks[] = {{"limits", &Bench::limits},
                                 {"noop", &Bench::noop},
                                 {"b1", &Bench::b1},
                                 {"ten-steps", &Bench::ten_steps},
                                 {"fan-out", &Bench::fan},
                                 {"http-step", &Bench::http_step},
                                 {"functions", &Bench::functions},
                                 {"agent-turn", &Bench::agent_turn},
                                 {"start", &Bench::start_up},
                                 {"disk", &Bench::disk},
                                 {"waiting", &Bench::waiting, true}};

bool met(const Figure& figure) { return figure.more_is_better ? figure.value >= figure.target : figure.value <= figure.target; }

}  // namespace

std::vector<std::string> benchmark_names() {
  std::vector<std::string> names;
  for (const auto& benchmark : kBenchmarks) names.emplace_back(benchmark.name);
  return names;
}

Result<std::vector<Figure>> run_benchmarks(const BenchOptions& options) {
  Bench bench(options);
  bool any = false;
  for (const auto& benchmark : kBenchmarks) {
    if (options.name.empty() ? benchmark.only_by_name : options.name != benchmark.name) continue;
    any = true;
    PAWL_TRY_VOID((bench.*benchmark.run)());
  }
  if (!any) return Error(ErrorClass::invalid, "bench.unknown", "there is no benchmark named " + options.name);
  return std::move(bench.figures);
}

std::string to_table(const std::vector<Figure>& figures) {
  std::string table;
  for (const auto& figure : figures) {
    table += fmt::format("{:10} {:58} {:>12.2f} {:12}", figure.benchmark, figure.metric, figure.value, figure.unit);
    if (figure.target > 0)
      table += fmt::format(" target {} {} {}", figure.more_is_better ? ">=" : "<=", figure.target, met(figure) ? "met" : "MISSED");
    if (figure.ratio > 0) table += fmt::format(" ({:.2f} of {})", figure.ratio, figure.yardstick);
    table += '\n';
  }
  return table;
}

json::Value to_json(const std::vector<Figure>& figures) {
  json::Value all = json::Value::array();
  for (const auto& figure : figures) {
    auto one =
        json::Value::object({{"benchmark", figure.benchmark}, {"metric", figure.metric}, {"value", figure.value}, {"unit", figure.unit}});
    if (figure.target > 0) {
      one.set("target", figure.target);
      one.set("met", met(figure));
    }
    if (figure.ratio > 0) {
      one.set("yardstick", figure.yardstick);
      one.set("ratio", figure.ratio);
    }
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace pawl::bench
