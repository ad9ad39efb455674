#include "dsl/compile.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dsl/compile_stored.hpp"
#include "dsl/describe.hpp"
#include "dsl/detail/test_catalog.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "yaml/yaml.hpp"

namespace pawl::dsl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const TestCatalog& catalog() {
  static const TestCatalog made;
  return made;
}

/// A whole document around the given text, which begins at line 6.
std::string document(std::string_view rest) {
  return "document:\n  dsl: '1.0.3'\n  namespace: test\n  name: test\n  version: '1.0.0'\n" + std::string(rest);
}

PlanPtr plan_of(const std::string& text) {
  auto result = compile(text, catalog());
  for (const Finding& finding : result.findings) {
    if (finding.severity == Severity::error) ADD_FAILURE() << finding.line << ": " << finding.message << " [" << finding.rule << ']';
  }
  return result.ok() ? *result.value : std::make_shared<const Plan>();
}

/// `line:column rule pointer`, then the suggestion where there is one.
std::vector<std::string> findings_of(const std::string& text) {
  std::vector<std::string> out;
  for (const Finding& finding : compile(text, catalog()).findings) {
    std::string line = std::to_string(finding.line) + ':' + std::to_string(finding.column) + ' ' + finding.rule + ' ' + finding.pointer;
    if (!finding.suggestion.empty()) line += " -> " + finding.suggestion;
    out.push_back(line);
  }
  return out;
}

class NoVariables final : public Scope {
 public:
  [[nodiscard]] json::Value variable(std::string_view) const override { return {}; }
  [[nodiscard]] TimePoint now() const override { return {}; }
};

std::string value_of(const Template& data, std::string_view input = "null") {
  const auto value = data.evaluate(json::parse(input).value(), NoVariables());
  return value.has_value() ? json::to_text(value.value()) : value.error().message;
}

template <class Body>
const Body& body_of(const Plan& plan, std::size_t index = 0) {
  return std::get<Body>(plan.tasks.at(index).body);
}

TEST(Compile, ReadsTheHeadOfTheDocument) {
  const auto plan = plan_of(document("do: []\n"));
  EXPECT_EQ(plan->name, "test");
  EXPECT_EQ(plan->namespace_name, "test");
  EXPECT_EQ(plan->version, "1.0.0");
  EXPECT_FALSE(plan->task_list_form);
}

TEST(Compile, NumbersTasksInDocumentOrderWithPointersAsReferences) {
  const auto plan = plan_of(document("do:\n  - a:\n      do:\n        - b: {set: {x: 1}}\n  - c/d: {set: {x: 2}}\n"));
  ASSERT_EQ(plan->tasks.size(), 3U);
  EXPECT_EQ(plan->tasks[0].reference, "/do/0/a");
  EXPECT_EQ(plan->tasks[1].reference, "/do/0/a/do/0/b");
  EXPECT_EQ(plan->tasks[1].parent, 0U);
  EXPECT_EQ(plan->tasks[2].reference, "/do/1/c~1d");
  EXPECT_THAT(plan->root.tasks, ElementsAre(0, 2));
}

TEST(Compile, ReadsDataWithExpressionsAndInterpolation) {
  const auto plan = plan_of(document(R"(do:
  - a:
      set: {plain: text, whole: "${ .a }", mixed: "a=${ .a }, b=${ .b }!", list: [1, "${ .b }"], nested: {x: "${ {y: .a} }"}}
)"));
  EXPECT_EQ(value_of(body_of<SetTask>(*plan).value, R"({"a": "x", "b": {"c": 1}})"),
            R"({"plain":"text","whole":"x","mixed":"a=x, b={\"c\":1}!","list":[1,{"c":1}],"nested":{"x":{"y":"x"}}})");
  EXPECT_TRUE(body_of<SetTask>(*plan_of(document("do: [{a: {set: {x: [1, {y: z}]}}}]\n"))).value.is_constant());
}

TEST(Compile, TakesExpressionFieldsWithAndWithoutBraces) {
  for (const char* text : {".a", "${ .a }", "'${.a}'"}) {
    const auto plan = plan_of(document("do:\n  - a:\n      if: " + std::string(text) + "\n      set: {x: 1}\n"));
    EXPECT_TRUE(plan->tasks.at(0).condition->test(json::parse(R"({"a": 1})").value(), NoVariables()).value()) << text;
  }
  const auto plan = plan_of(document("do: [{a: {set: '{x: .a}', output: {as: .x}}}]\n"));
  EXPECT_EQ(value_of(body_of<SetTask>(*plan).value, R"({"a": 1})"), R"({"x":1})");
}

TEST(Compile, TriesEveryTextInLooseMode) {
  const auto plan = plan_of(document("evaluate: {mode: loose}\ndo: [{a: {set: {x: .a, y: plain text, z: '.a | error'}}}]\n"));
  EXPECT_EQ(value_of(body_of<SetTask>(*plan).value, R"({"a": 1})"), R"({"x":1,"y":"plain text","z":".a | error"})");
}

TEST(Compile, WarnsOfTextThatLooksLikeAnExpression) {
  EXPECT_THAT(findings_of(document("do: [{a: {set: {x: .user.name}}}]\n")),
              ElementsAre("6:20 looks-like-expression /do/0/a/set/x -> ${ .user.name }"));
}

TEST(Compile, PointsIntoTheExpressionWhereverItStands) {
  EXPECT_THAT(findings_of(document("do:\n  - a:\n      if: ${ .a | nosuch }\n      set: {x: 1}\n")),
              ElementsAre(HasSubstr("8:19 unknown-name")));
  EXPECT_THAT(findings_of(document("do:\n  - a:\n      if: \"\\\"x\\\" | nosuch\"\n      set: {x: 1}\n")),
              ElementsAre(HasSubstr("8:20 unknown-name")));
  EXPECT_THAT(findings_of(document("do:\n  - a:\n      set:\n        x: |\n          one\n          ${ nosuch }\n")),
              ElementsAre(HasSubstr("11:14 unknown-name")));
  EXPECT_THAT(findings_of(document("do:\n  - a:\n      set:\n        x: >-\n          one\n          two ${ nosuch }\n")),
              ElementsAre(HasSubstr("11:18 unknown-name")));
  EXPECT_THAT(findings_of(document("do:\n  - a:\n      if: .a\n        | nosuch\n      set: {x: 1}\n")),
              ElementsAre(HasSubstr("9:11 unknown-name")));
}

TEST(Compile, ReportsEverythingAtOnceInDocumentOrder) {
  EXPECT_THAT(findings_of(document(R"(do:
  - a:
      if: $nope
      sett: {x: 1}
  - b:
      set: {x: "${ .a + }"}
      then: c
extra: 1
)")),
              ElementsAre(HasSubstr("8:11 unknown-variable /do/0/a/if"), "9:7 unknown-task-type /do/0/a/sett -> set",
                          HasSubstr("expression-syntax /do/1/b/set/x"), HasSubstr("12:13 unknown-then-target"),
                          HasSubstr("13:1 unknown-property /extra")));
}

TEST(Compile, ResolvesThenWithinTheList) {
  const auto plan = plan_of(document("do: [{a: {set: {x: 1}, then: c}}, {b: {set: {x: 1}, then: exit}}, {c: {set: {x: 1}, then: end}}]\n"));
  EXPECT_EQ(plan->tasks[0].then.kind, Flow::Kind::jump);
  EXPECT_EQ(plan->tasks[0].then.target, 2U);
  EXPECT_EQ(plan->tasks[1].then.kind, Flow::Kind::exit);
  EXPECT_EQ(plan->tasks[2].then.kind, Flow::Kind::end);
  EXPECT_TRUE(plan->tasks[2].has_then);
}

TEST(Compile, SeesLoopAndCatchVariablesWhereTheyAreBound) {
  (void)plan_of(document(R"(do:
  - loop:
      for: {each: color, in: .colors, at: i}
      while: $i < 3 and $color != null
      do:
        - attempt:
            try: [{a: {set: {x: "${ $color }"}}}]
            catch:
              as: problem
              when: $problem.status == 503
              retry: {when: $problem.status > $i, delay: {seconds: 1}}
              do: [{b: {set: {x: "${ $problem.title + $color }"}}}]
  - heard:
      listen: {to: {any: [], until: '. | length > 3'}}
      foreach: {item: event, at: n, do: [{c: {set: {x: "${ $event.data + $n }"}}}], output: {as: $output + $event}}
)"));
}

TEST(Compile, CopiesRetriesErrorsAndTimeoutsFromUse) {
  const auto plan = plan_of(document(R"(use:
  errors: {gone: {type: https://example.org/gone, status: 410, detail: "${ .why }"}}
  retries:
    patient:
      delay: PT2S
      backoff: {exponential: {multiplier: 3}}
      limit: {attempt: {count: 4}, duration: {minutes: 1}}
      jitter: {from: PT0S, to: PT1S}
  timeouts: {short: {after: {seconds: 5}}}
do:
  - a:
      timeout: short
      try: [{b: {raise: {error: gone}}}]
      catch: {retry: patient, errors: {with: {status: 410}}}
timeout: short
)"));
  EXPECT_EQ(value_of(*plan->tasks[0].timeout), R"({"seconds":5})");
  EXPECT_EQ(value_of(*plan->timeout), R"({"seconds":5})");
  EXPECT_EQ(value_of(body_of<RaiseTask>(*plan, 1).error, R"({"why": "x"})"),
            R"({"type":"https://example.org/gone","status":410,"detail":"x"})");
  const RetryPolicy& policy = *body_of<TryTask>(*plan).handler.retry;
  EXPECT_EQ(policy.backoff, RetryPolicy::Backoff::exponential);
  EXPECT_EQ(policy.multiplier, 3);
  EXPECT_EQ(policy.max_retries, 4U);
  EXPECT_EQ(value_of(policy.delay), R"("PT2S")");
  EXPECT_TRUE(policy.jitter_to.has_value());
}

TEST(Compile, ReplacesReferencesToAuthenticationsButNotInPayloads) {
  const auto plan = plan_of(document(R"(use:
  secrets: [token]
  authentications: {shop: {bearer: {token: "${ $secrets.token }"}}}
do:
  - a:
      call: http
      with:
        method: post
        endpoint: {uri: https://example.org, authentication: {use: shop}}
        body: {authentication: {use: mine}}
)"));
  EXPECT_EQ(value_of(body_of<CallTask>(*plan).arguments),
            R"({"method":"post","endpoint":{"uri":"https://example.org","authentication":{"bearer":{"token":null}}},)"
            R"("body":{"authentication":{"use":"mine"}}})");
}

TEST(Compile, AnHttpCallMayHaveATimeoutAsItsFunctionDeclares) {
  for (const std::string_view timeout : {"5", "PT5S", "{seconds: 5}", "'${ .patience }'"}) {
    plan_of(
        document("do:\n  - a: {call: http, with: {method: get, endpoint: https://example.org, timeout: " + std::string(timeout) + "}}\n"));
  }
}

TEST(Compile, GivesEachCallItsOwnCopyOfAFunction) {
  const auto plan = plan_of(document(R"(use:
  functions:
    greet:
      do:
        - say: {set: {text: "${ .name }"}}
do:
  - one: {call: greet, with: {name: Ann}}
  - two: {call: greet}
)"));
  ASSERT_EQ(plan->tasks.size(), 6U);
  const auto& one = body_of<InvokeTask>(*plan, 0);
  EXPECT_EQ(one.callee, 1U);
  EXPECT_FALSE(one.pass_input);
  EXPECT_EQ(plan->tasks[1].reference, "/do/0/one/call/greet");
  EXPECT_EQ(plan->tasks[2].reference, "/do/0/one/call/greet/do/0/say");
  EXPECT_TRUE(body_of<InvokeTask>(*plan, 3).pass_input);
  EXPECT_EQ(plan->tasks[5].reference, "/do/1/two/call/greet/do/0/say");
}

TEST(Compile, ReportsMistakesInFunctionsOnceHoweverOftenTheyAreCalled) {
  EXPECT_THAT(findings_of(document(R"(use:
  functions:
    greet: {set: {text: "${ $nme }"}}
do: [{one: {call: greet}}, {two: {call: greet}}]
)")),
              ElementsAre(HasSubstr("8:29 unknown-variable /use/functions/greet/set/text")));
}

TEST(Compile, StopsFunctionsThatMultiply) {
  std::string text = document("use:\n  functions:\n    f0: {set: {x: 1}}\n");
  for (int i = 1; i <= 5; ++i) {
    text += "    f" + std::to_string(i) + ":\n      do:\n";
    for (int n = 0; n < 8; ++n) text += "        - t" + std::to_string(n) + ": {call: f" + std::to_string(i - 1) + "}\n";
  }
  text += "do: [{a: {call: f5}}]\n";
  EXPECT_THAT(findings_of(text), ElementsAre(HasSubstr("too-many-tasks")));
}

TEST(Compile, NamesTheCircleOfFunctionsThatCallEachOther) {
  const auto result = compile(document("use:\n  functions:\n    a: {call: b}\n    b: {call: c}\n    c: {call: a}\ndo: []\n"), catalog());
  ASSERT_EQ(result.findings.size(), 1U);
  EXPECT_THAT(result.findings[0].message, HasSubstr("a -> b -> c -> a"));
  EXPECT_EQ(result.findings[0].line, 10U);
}

TEST(Compile, PutsExtensionsBelowTheTasksThatTheyExtend) {
  const auto plan = plan_of(document(R"(use:
  extensions:
    - mock: {extend: call, when: $task.with.method == "get", before: [{answer: {set: {x: 1}, then: exit}}]}
    - count: {extend: all, after: [{add: {set: {n: "${ $output.n }"}}}]}
do:
  - a: {call: log, with: {message: hello}}
  - b: {set: {x: 1}}
)"));
  ASSERT_EQ(plan->tasks[0].extensions.size(), 2U);
  EXPECT_TRUE(plan->tasks[0].extensions[0].when.has_value());
  const TaskIndex answer = plan->tasks[0].extensions[0].before->tasks.at(0);
  EXPECT_EQ(plan->tasks[answer].reference, "/do/0/a/extensions/0/mock/before/0/answer");
  EXPECT_TRUE(plan->tasks[answer].extensions.empty());
  EXPECT_EQ(plan->tasks[3].reference, "/do/1/b");
  EXPECT_EQ(plan->tasks[3].extensions.size(), 1U);
}

TEST(Compile, FindsFunctionsByNameVersionAndCatalog) {
  for (const char* name : {"file-organizer", "file_organizer", "file-organizer:1.0.0", "file_organizer:1.0.0@default"}) {
    const auto plan = plan_of(document("do: [{a: {call: '" + std::string(name) + "', with: {target: x}, metadata: {effect: read}}}]\n"));
    EXPECT_EQ(body_of<CallTask>(*plan).function, "file-organizer");
    EXPECT_EQ(body_of<CallTask>(*plan).effect, EffectClass::read);
  }
  EXPECT_THAT(findings_of(document("do: [{a: {call: file-organizr, with: {target: x}}}]\n")), ElementsAre(HasSubstr("-> file-organizer")));
}

TEST(Compile, ChecksOnlyTheConstantArgumentsOfAFunction) {
  (void)plan_of(document("do: [{a: {call: file-organizer, with: {target: '${ .t }', by: '${ .b }', recursive: '${ .r }'}}}]\n"));
  EXPECT_THAT(findings_of(document("do: [{a: {call: file-organizer, with: {target: '${ .t }', recursive: 1, dry_rnu: true}}}]\n")),
              ElementsAre(HasSubstr("wrong-type /do/0/a/with/recursive"), HasSubstr("unknown-property /do/0/a/with/dry_rnu -> dry_run")));
  EXPECT_THAT(findings_of(document("do: [{a: {call: file-organizer}}]\n")), ElementsAre(HasSubstr("missing-property /do/0/a")));
}

TEST(Compile, F1_AMemberOfMcpThatNobodyKnowsIsAnErrorInWhatIsWrittenAndAWarningInWhatIsStored) {
  const auto text = [](std::string_view more) {
    return document("do: [{a: {call: mcp, with: {method: tools/list, transport: {server: files}, " + std::string(more) + "}}}]\n");
  };
  for (const bool as_data : {false, true}) {
    const auto compiled = [&](std::string_view more, Source source) {
      const auto written = text(more);
      if (!as_data) return compile(written, catalog(), source);
      return compile_data(yaml::parse(written).value->value, catalog(), source);
    };
    const auto refused = compiled("tol: search", Source::written);
    EXPECT_FALSE(refused.ok());
    const auto kept = compiled("tol: search", Source::stored);
    ASSERT_TRUE(kept.ok());
    for (const auto* const findings : {&refused.findings, &kept.findings}) {
      ASSERT_EQ(findings->size(), 1U);
      EXPECT_EQ(findings->front().rule, "unknown-property");
      EXPECT_EQ(findings->front().pointer, "/do/0/a/with/tol");
    }
    EXPECT_EQ(kept.findings.front().severity, Severity::warning);
    // What was an error always is one still.
    EXPECT_FALSE(compiled("timeout: [1]", Source::stored).ok());
    EXPECT_FALSE(compiled("protocolVersion: 5", Source::stored).ok());
  }
}

TEST(Compile, MakesFunctionsOfRunTasks) {
  const auto plan = plan_of(document(R"(do:
  - a: {run: {shell: {command: "echo ${HOME} ${1} ${ .x }", arguments: {a: 1}}, return: all}}
  - b: {run: {script: {language: js, code: "const a = `${x}`"}, await: false}}
  - c: {run: {workflow: {namespace: n, name: w, input: {a: "${ .a }"}}, return: none}}
  - d: {run: {script: {language: python, code: "${ .code }", arguments: [a, b]}}}
)"));
  EXPECT_EQ(body_of<CallTask>(*plan, 0).function, "run.shell");
  EXPECT_EQ(value_of(body_of<CallTask>(*plan, 0).arguments, R"({"x": "y"})"),
            R"({"command":"echo ${HOME} ${1} y","arguments":{"a":1},"return":"all"})");
  EXPECT_EQ(value_of(body_of<CallTask>(*plan, 1).arguments), R"({"language":"js","code":"const a = `${x}`","await":false})");
  EXPECT_FALSE(body_of<CallTask>(*plan, 1).await);
  EXPECT_TRUE(body_of<CallTask>(*plan, 2).keep_input);
  EXPECT_EQ(value_of(body_of<CallTask>(*plan, 3).arguments, R"({"code": "1"})"),
            R"({"language":"python","code":"1","arguments":["a","b"]})");
}

TEST(Compile, ReadsEventStrategies) {
  const auto plan = plan_of(document(R"(do:
  - a:
      listen:
        to:
          any:
            - with: {type: /^a\..*/, data: "${ .t > 38 }"}
              correlate: {order: {from: .data.id, expect: $context.id}, fixed: {from: .x, expect: order 42}}
          until: {one: {with: {type: stop}}}
        read: envelope
)"));
  const auto& listen = body_of<ListenTask>(*plan);
  EXPECT_EQ(listen.to.kind, EventStrategy::Kind::any);
  EXPECT_EQ(listen.read, ReadAs::envelope);
  ASSERT_TRUE(listen.to.until_consumed);
  EXPECT_FALSE(listen.to.filters[0].with[1].second.is_constant());
  EXPECT_FALSE(listen.to.filters[0].correlate[0].expect->is_constant());
  EXPECT_EQ(value_of(*listen.to.filters[0].correlate[1].expect), R"("order 42")");
}

TEST(Compile, KeepsSubscriptionsAsWrittenAndTheirTasksApart) {
  const auto plan = plan_of(document(R"(do:
  - a:
      call: asyncapi
      with:
        document: {endpoint: https://example.org/api.json}
        operation: receive
        subscription:
          filter: ${ .x == 1 }
          consume: {amount: 5}
          foreach: {item: message, do: [{b: {set: {x: "${ $message }"}}}]}
)"));
  const auto& call = body_of<CallTask>(*plan);
  ASSERT_TRUE(call.foreach.has_value());
  EXPECT_EQ(call.foreach->item, "message");
  EXPECT_EQ(plan->tasks[1].reference, "/do/0/a/with/subscription/foreach/do/0/b");
  EXPECT_THAT(value_of(call.arguments), HasSubstr(R"("subscription":{"filter":"${ .x == 1 }","consume":{"amount":5}})"));
}

TEST(Compile, ReadsSchedulesWithTheirPolicies) {
  const auto plan = plan_of(R"(document:
  dsl: '1.0.0'
  namespace: test
  name: test
  version: '1.0.0'
  metadata: {timezone: Europe/Berlin, misfire: catch-up, overlap: cancel-other}
schedule: {cron: '*/5 * * * *', every: {minutes: 5}, on: {one: {with: {type: x}}}}
do: [{a: {set: {x: "${ $workflow.input[0].data.y }"}}}]
)");
  ASSERT_TRUE(plan->schedule.has_value());
  EXPECT_EQ(plan->schedule->timezone, "Europe/Berlin");
  EXPECT_EQ(plan->schedule->misfire, Schedule::Misfire::catch_up);
  EXPECT_EQ(plan->schedule->overlap, Schedule::Overlap::cancel_other);
  EXPECT_EQ(plan->schedule->cron, "*/5 * * * *");
}

TEST(Compile, WarnsOfDataPathsIntoEventsThatAreReadAsData) {
  EXPECT_THAT(findings_of(document("schedule: {on: {one: {with: {type: x}}}}\ndo: [{a: {set: {x: '${ $workflow.input[0].data.y }'}}}]\n")),
              ElementsAre(HasSubstr("event-data-path")));
  EXPECT_THAT(findings_of(document(
                  "schedule: {on: {one: {with: {type: x}}}, read: envelope}\ndo: [{a: {set: {x: '${ $workflow.input[0].data.y }'}}}]\n")),
              ::testing::IsEmpty());
}

TEST(Compile, WarnsOfSecretsThatAreNotListed) {
  EXPECT_THAT(findings_of(document("use: {secrets: [token]}\ndo: [{a: {set: {x: '${ $secrets.tokn }'}}}]\n")),
              ElementsAre("7:20 undeclared-secret /do/0/a/set/x -> token"));
}

TEST(TaskList, W2_N_19_CompilesToAGraphWithGatesAndRetries) {
  const auto plan = plan_of(R"(name: nightly-tidy
max_parallel: 4
tasks:
  - id: sort
    type: file_organizer
    params: {target: ./inbox}
  - id: report
    type: http_task
    depends_on: [sort]
    run_if: ${ .sort.files_moved > 0 }
    max_retries: 3
    timeout: 30s
    params: {url: "https://example.org/hook", method: POST, body: "${ .sort }"}
  - id: note
    type: set
    depends_on: [{id: report, status: completed}, sort]
    params: {done: "${ .report.ok }"}
  - id: rest
    type: wait
    params: {seconds: 1}
  - id: each
    type: for
    params: {for: {in: .input.files}, do: [{say: {call: log, with: {message: "${ $item }"}}}]}
)");
  EXPECT_TRUE(plan->task_list_form);
  EXPECT_EQ(plan->name, "nightly-tidy");
  const auto& graph_task = body_of<GraphTask>(*plan);
  EXPECT_EQ(graph_task.max_parallel, 4U);
  ASSERT_EQ(graph_task.nodes.size(), 5U);
  EXPECT_EQ(plan->tasks[1].reference, "/tasks/0");
  EXPECT_EQ(plan->tasks[1].name, "sort");
  EXPECT_EQ(plan->tasks[1].type, "file-organizer");
  EXPECT_TRUE(graph_task.nodes[1].run_if.has_value());
  EXPECT_EQ(graph_task.nodes[1].retry->max_retries, 3U);
  EXPECT_EQ(value_of(*plan->tasks[2].timeout), R"("30s")");
  EXPECT_TRUE(graph_task.nodes[2].depends_on[0].must_complete);
  EXPECT_FALSE(graph_task.nodes[2].depends_on[1].must_complete);
  EXPECT_TRUE(std::holds_alternative<ForTask>(plan->tasks[5].body));
  EXPECT_EQ(plan->tasks[6].reference, "/tasks/4/params/do/0/say");
}

TEST(TaskList, TakesProtocolsAndProcessesAsTypes) {
  const auto plan = plan_of(R"(name: x
tasks:
  - {id: a, type: run_shell, params: {command: 'echo ${ .input.x }', return: code}}
  - {id: b, type: http, params: {method: get, endpoint: 'https://example.org/{id}'}}
)");
  EXPECT_EQ(body_of<CallTask>(*plan, 1).function, "run.shell");
  EXPECT_EQ(value_of(body_of<CallTask>(*plan, 1).arguments, R"({"input": {"x": 1}})"), R"({"command":"echo 1","return":"code"})");
  EXPECT_EQ(body_of<CallTask>(*plan, 2).function, "http");
  EXPECT_THAT(findings_of("name: x\ntasks:\n  - {id: b, type: http, params: {method: get}}\n"),
              ElementsAre(HasSubstr("missing-property /tasks/0/params")));
}

TEST(TaskList, S4_M1_NamesTheCircleOfDependencies) {
  const auto result = compile(
      "name: x\ntasks:\n  - {id: a, type: log, depends_on: b, params: {message: m}}\n"
      "  - {id: b, type: log, depends_on: [a], params: {message: m}}\n",
      catalog());
  ASSERT_EQ(result.findings.size(), 1U);
  EXPECT_EQ(result.findings[0].rule, "dependency-cycle");
  EXPECT_THAT(result.findings[0].message, HasSubstr("`a` -> `b` -> `a`"));
}

TEST(TaskList, N_20_RefusesDuplicateIds) {
  EXPECT_THAT(findings_of("name: x\ntasks:\n  - {id: a, type: log, params: {message: m}}\n  - {id: a, type: log, params: {message: m}}\n"),
              ElementsAre(HasSubstr("4:10 duplicate-task /tasks/1/id")));
}

TEST(Compile, S4_M1_HoldsItsLimits) {
  CompileLimits limits;
  limits.max_tasks = 2;
  const auto result = compile(document("do: [{a: {set: {x: 1}}}, {b: {set: {x: 1}}}, {c: {set: {x: 1}}}]\n"), catalog(), limits);
  ASSERT_EQ(result.findings.size(), 1U);
  EXPECT_EQ(result.findings[0].rule, "too-many-tasks");
  limits = {};
  limits.max_findings = 3;
  EXPECT_EQ(compile(document("do: [1, 2, 3, 4, 5]\n"), catalog(), limits).findings.size(), 3U);
  json::Value deep;
  for (int i = 0; i < 100; ++i) deep = json::Value::array({deep});
  EXPECT_EQ(compile_data(deep, catalog()).findings.at(0).rule, "document-limit");
}

TEST(Compile, NeverTakesAFaultyDocumentWhenWarningsFillTheList) {
  std::string text = document("do:\n");
  for (int i = 0; i < 10; ++i) text += "  - t" + std::to_string(i) + ": {set: {x: .user}}\n";
  text += "  - last: {set: {x: '${ $nope }'}}\n";
  CompileLimits limits;
  limits.max_findings = 3;
  const auto result = compile(text, catalog(), limits);
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.findings.size(), 3U);
  EXPECT_EQ(result.findings.back().rule, "unknown-variable");
}

TEST(Compile, TakesTheDeepestDocumentsAndFunctionsWithoutOverflow) {
  std::string text = document("use:\n  functions:\n");
  for (int i = 0; i <= 12; ++i) {
    std::string body = i == 0 ? "{set: {x: 1}}" : "{call: f" + std::to_string(i - 1) + "}";
    for (int n = 0; n < 18; ++n) body = "{for: {in: .x}, do: [{a: " + body + "}]}";
    text += "    f" + std::to_string(i) + ": " + body + "\n";
  }
  (void)plan_of(text + "do: [{a: {call: f9}}]\n");
  EXPECT_THAT(findings_of(text + "do: [{a: {call: f12}}]\n"), ElementsAre(HasSubstr("function-depth")));
}

TEST(Compile, GivesFindingsOfDataPointersInDocumentOrder) {
  const auto value = json::parse(R"({"do": [{"a": {"set": {"x": 1}, "then": "b"}}, {"c": {"sett": 1}}], "extra": 1})").value();
  const auto result = compile_data(value, catalog());
  std::vector<std::string> rules;
  for (const Finding& finding : result.findings) {
    rules.push_back(finding.rule + ' ' + finding.pointer);
    EXPECT_EQ(finding.line, 0U);
  }
  EXPECT_THAT(rules, ElementsAre("missing-property ", "unknown-then-target /do/0/a/then", "unknown-task-type /do/1/c/sett",
                                 "unknown-property /extra"));
}

TEST(Compile, IsDeterministic) {
  const std::string text =
      document("use: {functions: {b: {set: {x: 1}}, a: {do: [{y: {call: b}}]}}}\ndo: [{p: {call: a}}, {q: {call: b}}]\n");
  const auto first = plan_of(text);
  const auto second = plan_of(text);
  ASSERT_EQ(first->tasks.size(), second->tasks.size());
  for (std::size_t i = 0; i < first->tasks.size(); ++i) EXPECT_EQ(first->tasks[i].reference, second->tasks[i].reference);
}

TEST(Describe, DrawsListsSwitchesAndGraphs) {
  const auto plan = plan_of(
      document("do: [{a: {switch: [{x: {when: .x, then: c}}, {y: {then: end}}]}}, {b: {set: {x: 1}}}, {c: {do: [{d: {set: {x: 1}}}]}}]\n"));
  EXPECT_EQ(json::to_text(graph(*plan)),
            R"({"nodes":[{"id":"/do/0/a","name":"a","type":"switch"},{"id":"/do/1/b","name":"b","type":"set"},)"
            R"({"id":"/do/2/c","name":"c","type":"do"},)"
            R"({"id":"/do/2/c/do/0/d","name":"d","type":"set","parent":"/do/2/c"}],"edges":[{"from":"/do/0/a","to":"/do/2/c","label":"x"},)"
            R"({"from":"/do/0/a","to":"end","label":"y"},{"from":"/do/1/b","to":"/do/2/c"}]})");
}

}  // namespace
}  // namespace pawl::dsl
