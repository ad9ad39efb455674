#include "engine/capabilities.hpp"

#include <gtest/gtest.h>

#include "dsl/compile.hpp"
#include "engine/detail/test_support.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::engine {
namespace {

class Reaching final : public Function {
 public:
  explicit Reaching(Info info) : info_(std::move(info)) {}
  [[nodiscard]] const Info& info() const override { return info_; }
  [[nodiscard]] EffectClass effect_class(const json::Value& /*arguments*/) const override { return EffectClass::read; }
  [[nodiscard]] Result<json::Value> plan(const Invocation& /*call*/) const override { return json::Value::array(); }
  [[nodiscard]] Cancel start(Invocation /*call*/, Done done) override {
    done(Outcome::success({}));
    return {};
  }

 private:
  Info info_;
};

class CapabilitiesTest : public testing::Test {
 protected:
  CapabilitiesTest() {
    using K = Access::Kind;
    add("fetch", {{K::host, "/endpoint/uri", {}}});
    add("copy", {{K::read, "/from", {}}, {K::write, "/to", {}}});
    add("query", {{K::database, "/connection", {}}, {K::host, "/connection", {}}});
    add("send", {{K::mail, "/to", {}}, {K::host, {}, "(configured mail server)"}});
    add("wipe", {{K::write, "/path", {}}}, true);
  }
  void add(std::string name, std::vector<Access> reach, bool destructive = false) {
    Function::Info info;
    info.name = std::move(name);
    info.destructive = destructive;
    info.reach = std::move(reach);
    functions_.add(std::make_unique<Reaching>(std::move(info)));
  }
  [[nodiscard]] Capabilities of(std::string_view body) const {
    const auto text = "document: {dsl: '1.0.3', namespace: t, name: n, version: '1.0.0'}\n" + std::string(body);
    const auto checked = dsl::compile(std::string_view(text), functions_);
    EXPECT_TRUE(checked.ok()) << (checked.findings.empty() ? "" : checked.findings.front().message);
    return checked.ok() ? capabilities_of(**checked.value, functions_) : Capabilities{};
  }
  /// `name@task,task;` of each.
  [[nodiscard]] static std::string text(const Capabilities& found, Capabilities::Kind kind) {
    std::string all;
    for (const auto& each : found.of(kind)) {
      all += each.name;
      for (const auto& task : each.tasks) all += (task == each.tasks.front() ? "@" : ",") + task;
      all += ";";
    }
    return all;
  }

  FunctionRegistry functions_;
};

using Kind = Capabilities::Kind;

TEST_F(CapabilitiesTest, NamesHostsAndSaysWhereAnExpressionDecides) {
  const auto found = of(R"(
do:
  - a: {call: fetch, with: {endpoint: {uri: 'https://ann:secret@API.example.com:8443/items?key=1'}}}
  - b: {call: fetch, with: {endpoint: 'https://api.example.com:8443/other'}}
  - c: {call: fetch, with: {endpoint: {uri: 'https://fixed.example.com/items/${ .id }'}}}
  - d: {call: fetch, with: {endpoint: {uri: 'https://${ .host }/items'}}}
  - e: {call: fetch, with: {endpoint: {uri: '${ .uri }'}}}
  - g: {call: fetch, with: {endpoint: {uri: 'https://{tenant}.example.com/'}}}
  - h: {call: fetch, with: {endpoint: {uri: 'https:/{+place}'}}}
  - i: {call: fetch, with: {endpoint: {uri: 'https:/${ .place }'}}}
  - j: {call: fetch, with: {endpoint: {uri: 'api.example.com:8443/third'}}}
)");
  EXPECT_EQ(text(found, Kind::host),
            "(decided at run time)@/do/3/d,/do/4/e,/do/5/g,/do/6/h,/do/7/i;"
            "api.example.com:8443@/do/0/a,/do/1/b,/do/8/j;fixed.example.com@/do/2/c;");
  EXPECT_EQ(json::to_text(to_json(found)).find("secret@"), std::string::npos);
}

TEST_F(CapabilitiesTest, NamesPathsDatabasesMailAndWorkflows) {
  const auto found = of(R"(
use: {secrets: [token]}
do:
  - a: {call: copy, with: {from: ./in.csv, to: '${ .to }'}}
  - b: {call: query, with: {connection: 'postgres://ann:hunter2@db.example.com/shop?sslmode=require'}}
  - c: {call: send, with: {to: [ann@example.com, '${ .boss }']}}
  - d: {run: {workflow: {namespace: t, name: other, version: '1.0.0'}}}
  - e: {for: {each: x, in: '[1]'}, do: [{f: {call: copy, with: {from: ./in.csv, to: ./out.csv}}}]}
)");
  EXPECT_EQ(text(found, Kind::read), "./in.csv@/do/0/a,/do/4/e/do/0/f;");
  EXPECT_EQ(text(found, Kind::write), "(decided at run time)@/do/0/a;./out.csv@/do/4/e/do/0/f;");
  EXPECT_EQ(text(found, Kind::database), "postgres://db.example.com/shop@/do/1/b;");
  EXPECT_EQ(text(found, Kind::host), "(configured mail server)@/do/2/c;db.example.com@/do/1/b;");
  EXPECT_EQ(text(found, Kind::mail), "(decided at run time)@/do/2/c;");
  EXPECT_EQ(text(found, Kind::workflow), "t/other@/do/3/d;");
  EXPECT_EQ(text(found, Kind::secret), "token;");
  EXPECT_EQ(text(found, Kind::need),
            "database@/do/1/b;files.read@/do/0/a,/do/4/e/do/0/f;files.write@/do/0/a,/do/4/e/do/0/f;mail@/do/2/c;network@/do/1/b,/do/2/c;"
            "workflows@/do/3/d;");
  EXPECT_EQ(json::to_text(to_json(found)).find("hunter2"), std::string::npos);
}

TEST_F(CapabilitiesTest, DestructiveIsWhatMayDestroy) {
  const auto found = of(R"(
do:
  - plan: {call: wipe, with: {path: a}}
  - act: {call: wipe, with: {path: b, allow_destructive: true}}
  - perhaps: {call: wipe, with: {path: c, allow_destructive: '${ .sure }'}}
)");
  EXPECT_EQ(text(found, Kind::destructive), "wipe@/do/1/act,/do/2/perhaps;");
  EXPECT_EQ(text(found, Kind::function), "wipe@/do/0/plan,/do/1/act,/do/2/perhaps;");
  EXPECT_EQ(text(found, Kind::need), "destroy@/do/1/act,/do/2/perhaps;files.write@/do/0/plan,/do/1/act,/do/2/perhaps;");
}

TEST_F(CapabilitiesTest, WhatIsLeftOutIsWhatTheSchemaSaysAndWhatIsOffIsNotReached) {
  using K = Access::Kind;
  Function::Info info;
  info.name = "shoot";
  info.parameters = *json::parse(R"({"type": "object", "properties": {
    "picture": {"type": "boolean", "default": false},
    "operation": {"type": "string", "default": "keep"},
    "file": {"type": "string", "default": "picture.png"}, "old_name": {"type": "string"},
    "folder": {"type": "string", "default": "."}}})");
  info.reach = {{K::write, "/file", {}, "/picture"},
                {K::read, "/folder", {}, "/operation=keep"},
                {K::read, "/old_name", {}, {}},
                {K::process, {}, "tool", "/old_name="}};
  functions_.add(std::make_unique<Reaching>(std::move(info)));
  const auto found = of(R"(
do:
  - off: {call: shoot}
  - on: {call: shoot, with: {picture: true}}
  - perhaps: {call: shoot, with: {picture: '${ .p }', file: b.png, operation: '${ .o }', folder: c}}
  - never: {call: shoot, with: {picture: false, file: c.png, operation: drop, old_name: d}}
)");
  EXPECT_EQ(text(found, Kind::write), "b.png@/do/2/perhaps;picture.png@/do/1/on;");
  EXPECT_EQ(text(found, Kind::read), ".@/do/0/off,/do/1/on;c@/do/2/perhaps;d@/do/3/never;");
  EXPECT_EQ(text(found, Kind::process), "tool@/do/0/off,/do/1/on,/do/2/perhaps;");
}

TEST_F(CapabilitiesTest, AProbeReachesAsWell) {
  const auto found = of(R"(
do:
  - a:
      call: copy
      with: {from: x, to: y}
      metadata: {effect: once, on_unknown: {probe: {call: fetch, with: {endpoint: 'https://probe.example.com/'}}}}
)");
  EXPECT_EQ(text(found, Kind::host), "probe.example.com@/do/0/a;");
}

TEST_F(CapabilitiesTest, TwoVersionsAreCompared) {
  const auto before = of("do: [{a: {call: fetch, with: {endpoint: 'https://a/'}}}, {b: {call: fetch, with: {endpoint: '${ .u }'}}}]");
  const auto after = of(R"(
do:
  - a: {call: fetch, with: {endpoint: 'https://b/'}}
  - b: {call: fetch, with: {endpoint: '${ .u }'}}
  - c: {call: fetch, with: {endpoint: '${ .v }'}}
)");
  const auto change = compare(before, after);
  EXPECT_EQ(text(change.added, Kind::host), "(decided at run time)@/do/2/c;b@/do/0/a;");
  EXPECT_EQ(text(change.removed, Kind::host), "a@/do/0/a;");
  EXPECT_TRUE(compare(after, after).added.empty());
}

TEST_F(CapabilitiesTest, A3AnAgentReachesWhatItsToolsReachAndWhatTheModelMayChoose) {
  add("llm", {{Access::Kind::model, "/model", "(configured provider)"}});
  const auto found = of(R"(
do:
  - ask:
      call: agent
      with:
        model: some/model
        prompt: q
        tools:
          - {function: fetch, with: {endpoint: 'https://crm.example.com/customers'}}
          - {function: fetch, name: anywhere}
          - {workflow: {namespace: t, name: other}}
          - {function: wipe, with: {allow_destructive: true}}
)");
  EXPECT_EQ(text(found, Kind::host), "(decided at run time)@/do/0/ask/agent/tool/anywhere;crm.example.com@/do/0/ask/agent/tool/fetch;");
  EXPECT_EQ(text(found, Kind::model), "some/model@/do/0/ask/agent/turn;");
  EXPECT_EQ(text(found, Kind::workflow), "t/other@/do/0/ask/agent/tool/other;");
  EXPECT_EQ(text(found, Kind::destructive), "wipe@/do/0/ask/agent/tool/wipe;");
}

TEST_F(CapabilitiesTest, A3WhetherAToolActsFollowsFromWhatIsSettledAndTheWorstOfTheRest) {
  const auto acts = [&](std::string_view name, json::Value fixed = json::Value::object()) { return functions_.reach(name, fixed).acts; };
  const auto at = [](const char* parameter) { return json::Value::object({{parameter, "x"}}); };
  EXPECT_TRUE(acts("fetch")) << "to a place that the model chooses";
  EXPECT_FALSE(acts("fetch", at("endpoint")));
  EXPECT_TRUE(acts("query"));
  EXPECT_FALSE(acts("query", at("connection")));
  EXPECT_TRUE(acts("copy", at("to"))) << "it writes, wherever";
  EXPECT_TRUE(acts("send", at("to")));
  EXPECT_TRUE(acts("wipe", at("path")));
  EXPECT_TRUE(acts("not-there"));
  EXPECT_TRUE(functions_.reach("fetch", at("endpoint")).reads_outside);
  EXPECT_TRUE(functions_.reach("fetch:1.0.0@default", {}).acts);
  const auto uri = [](const char* text) { return json::Value::object({{"endpoint", json::Value::object({{"uri", text}})}}); };
  EXPECT_FALSE(acts("fetch", uri("https://x.example/{id}?of={name}"))) << "a template of what is asked for there";
  EXPECT_TRUE(acts("fetch", uri("https://{host}/x"))) << "a template of the place is no settled place";
  EXPECT_TRUE(acts("fetch", uri("{+all}")));
  EXPECT_TRUE(acts("fetch", uri("https://x.example{rest}/")));
  EXPECT_TRUE(acts("fetch", uri("https:/{+x}"))) << "`/evil.example/` makes a place of it";
  EXPECT_TRUE(acts("fetch", uri("https:/{/x}")));
  EXPECT_TRUE(acts("fetch", uri("https:{+x}")));
  EXPECT_FALSE(acts("fetch", uri("x.example/y"))) << "nothing in it is left open";
}

TEST_F(CapabilitiesTest, W6_AWatchedFolderIsReadByNoTask) {
  const auto found = [&](std::string_view metadata) {
    const auto written = "document: {dsl: '1.0.3', namespace: t, name: n, version: '1.0.0', metadata: " + std::string(metadata) +
                         "}\ndo:\n  - say: {set: {a: 1}}\n";
    const auto checked = dsl::compile(std::string_view(written), functions_);
    EXPECT_TRUE(checked.ok());
    return checked.ok() ? text(capabilities_of(**checked.value, functions_), Capabilities::Kind::read) : "";
  };
  EXPECT_EQ(found("{files: {folder: inbox, glob: '*.csv'}}"), "inbox;");
  EXPECT_EQ(found("{files: {}}"), ".;");
  EXPECT_EQ(found("{}"), "");
}

}  // namespace
}  // namespace pawl::engine
