#include "live/hub.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>

#include "json/parse.hpp"
#include "live/detail/envelope.hpp"
#include "live/relay.hpp"
#include "live/run_events.hpp"
#include "live/topics.hpp"

namespace pawl::live {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class TestClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return now_; }
  void pass(Millis time) { now_ += time; }

 private:
  TimePoint now_{Millis(1'700'000'000'000)};
};

class TestRandom final : public Random {
 public:
  [[nodiscard]] std::uint64_t next() override { return ++last_; }

 private:
  std::uint64_t last_ = 0xABC;
};

template <class Id>
Id id_of(std::uint8_t number) {
  Id id;
  id.uuid.bytes[15] = number;
  return id;
}
const auto kOne = id_of<OrganizationId>(1);
const auto kTwo = id_of<OrganizationId>(2);
const auto kAda = id_of<UserId>(11);
const auto kBob = id_of<UserId>(12);

/// Writes down what it is told, as `+topics@id`, `type#n`, `reset@id`, `end`.
class Notebook final : public Receiver {
 public:
  bool subscribed(const std::vector<std::string>& topics, std::string_view from) override {
    std::string line = "+";
    for (const auto& topic : topics) line += (line == "+" ? "" : ",") + topic;
    return note(line + "@" + number_of(from));
  }
  bool event(const EventPtr& event) override {
    last_json = *event->json;
    last_id = event->id;
    return note(event->type + "#" + std::to_string(event->number));
  }
  bool reset(std::string_view id) override { return note("reset@" + number_of(id)); }
  void end(End why) override { note(why == End::expired ? "expired" : why == End::revoked ? "revoked" : "stopping"); }

  [[nodiscard]] std::vector<std::string> take() { return std::exchange(lines, {}); }

  std::vector<std::string> lines;
  std::string last_json;
  std::string last_id;
  bool keeps_up = true;

 private:
  static std::string number_of(std::string_view id) { return std::string(id.substr(id.rfind('-') + 1)); }
  bool note(std::string line) {
    lines.push_back(std::move(line));
    return keeps_up;
  }
};

/// Hands everything to every hub, the sender too, as Redis does.
class Wire {
 public:
  class End final : public Relay {
   public:
    explicit End(Wire& wire) : wire_(wire) { wire_.ends_.push_back(this); }
    bool publish(std::string message) override {
      if (wire_.cut) return false;
      for (auto* end : wire_.ends_) {
        if (end->receiver_.message) end->receiver_.message(message);
      }
      wire_.last = std::move(message);
      return true;
    }
    void receive(Receiver receiver) override { receiver_ = std::move(receiver); }
    void gap() const { receiver_.gap(); }

   private:
    Wire& wire_;
    Receiver receiver_;
  };
  std::string last;
  bool cut = false;

 private:
  std::vector<End*> ends_;
};

class HubTest : public ::testing::Test {
 protected:
  std::shared_ptr<Notebook> follow(Hub& hub, const OrganizationId& organization, const std::vector<std::string>& topics,
                                   std::string_view last_id = {}, UserId user = kAda) {
    auto notebook = std::make_shared<Notebook>();
    const auto id = hub.open({organization, user, {}, {}, {}, true}, notebook);
    EXPECT_FALSE(id.has_error());
    EXPECT_FALSE(hub.subscribe(*id, topics, last_id).has_error());
    ids_.push_back(*id);
    return notebook;
  }
  static void raise(Hub& hub, const OrganizationId& organization, std::string type, std::vector<std::string> topics = {"runs"}) {
    hub.raise({organization, std::move(type), std::move(topics), json::Value::object({{"n", 1}})});
  }

  TestClock clock_;
  TestRandom random_;
  std::vector<Hub::Id> ids_;
};

const std::string kRun = "run:00000000-0000-0000-0000-000000000001";
const std::string kWorkflow = "workflow:00000000-0000-0000-0000-000000000002";

// proves: P9
TEST_F(HubTest, TellsThoseWhoFollowATopicOnce) {
  Hub hub(clock_, random_, nullptr);
  const auto all = follow(hub, kOne, {"runs", kRun});
  const auto one = follow(hub, kOne, {kRun});
  const auto other = follow(hub, kOne, {"notifications"});
  raise(hub, kOne, "a", {"runs", kRun, kWorkflow});
  raise(hub, kOne, "b", {kRun});
  raise(hub, kOne, "c", {"runs"});
  EXPECT_THAT(all->lines, ElementsAre("+runs," + kRun + "@0", "a#1", "b#2", "c#3"));
  EXPECT_THAT(one->lines, ElementsAre("+" + kRun + "@0", "a#1", "b#2"));
  EXPECT_THAT(other->lines, ElementsAre("+notifications@0"));
  const auto json = json::parse(all->last_json);
  ASSERT_FALSE(json.has_error());
  EXPECT_EQ(json->get("type").as_string(), "event");
  EXPECT_EQ(json->get("event").as_string(), "c");
  EXPECT_EQ(json->get("id").as_string(), all->last_id);
  EXPECT_EQ(json->get("topic").as_string(), "runs");
  EXPECT_EQ(json->get("organization_id").as_string(), kOne.to_string());
  EXPECT_EQ(json->get("time").as_string(), "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(json->get("data").get("n").as_integer(), 1);
}

// proves: N-15, FA-13
TEST_F(HubTest, NeverMixesOrganizations) {
  Hub hub(clock_, random_, nullptr);
  const auto mine = follow(hub, kOne, {"runs", kRun, kWorkflow, "notifications", "audit"});
  const auto theirs = follow(hub, kTwo, {"runs", kRun});
  for (const auto* topic : {"runs", "notifications", "audit"}) raise(hub, kTwo, "secret", {topic, kRun, kWorkflow});
  EXPECT_EQ(mine->lines.size(), 1U);
  EXPECT_EQ(theirs->lines.size(), 4U);
  // An id of the other organization resumes nothing.
  const auto back = follow(hub, kOne, {"runs", kRun}, theirs->last_id);
  EXPECT_THAT(back->lines, ElementsAre("+runs," + kRun + "@0", "reset@0"));
}

TEST_F(HubTest, TellsAUsersOwnEventsToThatUserOnly) {
  Hub hub(clock_, random_, nullptr);
  const auto ada = follow(hub, kOne, {"notifications"}, {}, kAda);
  const auto bob = follow(hub, kOne, {"notifications"}, {}, kBob);
  hub.raise({kOne, "note", {"notifications"}, json::Value::object(), kAda});
  EXPECT_THAT(ada->lines, ElementsAre("+notifications@0", "note#1"));
  EXPECT_THAT(bob->take(), ElementsAre("+notifications@0"));
  const auto again = follow(hub, kOne, {"notifications"}, ada->last_id.substr(0, ada->last_id.rfind('-')) + "-0", kBob);
  EXPECT_THAT(again->lines, ElementsAre("+notifications@0"));  // neither from the ring
}

// proves: P9, S0-R3
TEST_F(HubTest, ResumesWithoutHoleOrDouble) {
  Hub hub(clock_, random_, nullptr);
  const auto first = follow(hub, kOne, {"runs"});
  raise(hub, kOne, "a");
  const auto seen = first->last_id;
  hub.close(ids_[0]);
  raise(hub, kOne, "b");
  raise(hub, kOne, "hidden", {kRun});
  raise(hub, kOne, "c");
  const auto second = follow(hub, kOne, {"runs"}, seen);
  raise(hub, kOne, "d");
  EXPECT_THAT(second->lines, ElementsAre("+runs@1", "b#2", "c#4", "d#5"));
  EXPECT_THAT(first->lines, ElementsAre("+runs@0", "a#1"));
}

TEST_F(HubTest, A2_ATransientEventIsForThoseWhoListenNowAndLeavesTheNumbersAlone) {
  Hub hub(clock_, random_, nullptr);
  const auto now = follow(hub, kOne, {kRun});
  raise(hub, kOne, "run.task", {kRun});
  for (int i = 0; i < 3; ++i) {
    Announcement tokens{.organization = kOne, .type = "run.tokens", .topics = {kRun}, .data = json::Value::object()};
    tokens.transient = true;
    hub.raise(std::move(tokens));
  }
  raise(hub, kOne, "run.task", {kRun});
  EXPECT_THAT(now->take(), ElementsAre("+" + kRun + "@0", "run.task#1", "run.tokens#1", "run.tokens#1", "run.tokens#1", "run.task#2"));
  const auto first = now->last_id.substr(0, now->last_id.rfind('-')) + "-0";
  const auto later = follow(hub, kOne, {kRun}, first);
  EXPECT_THAT(later->take(), ElementsAre("+" + kRun + "@0", "run.task#1", "run.task#2")) << "nothing of it is kept";
}

TEST_F(HubTest, ResetsWhereTheRingNoLongerReaches) {
  Hub hub(clock_, random_, nullptr, {.kept_events = 3});
  const auto first = follow(hub, kOne, {"runs"});
  raise(hub, kOne, "a");
  const auto seen = first->last_id;
  for (int i = 0; i < 3; ++i) raise(hub, kOne, "b");
  EXPECT_THAT(follow(hub, kOne, {"runs"}, seen)->lines, ElementsAre("+runs@1", "b#2", "b#3", "b#4"));
  raise(hub, kOne, "c");
  EXPECT_THAT(follow(hub, kOne, {"runs"}, seen)->lines, ElementsAre("+runs@5", "reset@5"));
}

TEST_F(HubTest, BoundsTheRingInBytes) {
  Hub hub(clock_, random_, nullptr, {.kept_events = 1000, .kept_bytes = 1000});
  const auto first = follow(hub, kOne, {"runs"});
  raise(hub, kOne, "a");
  const auto seen = first->last_id;
  for (int i = 0; i < 20; ++i) raise(hub, kOne, "b");
  EXPECT_THAT(follow(hub, kOne, {"runs"}, seen)->lines, ElementsAre("+runs@21", "reset@21"));
}

TEST_F(HubTest, ResetsForAnIdItDoesNotKnow) {
  Hub hub(clock_, random_, nullptr);
  const auto first = follow(hub, kOne, {"runs"});
  raise(hub, kOne, "a");
  const auto epoch = first->last_id.substr(0, first->last_id.rfind('-'));
  for (const auto& id : {std::string("x"), std::string("-"), std::string("1"), epoch + "-", epoch + "-2", epoch + "-x", epoch + "--1",
                         epoch + "-1x", "0" + epoch + "-1", epoch + "-99999999999999999999", std::string(10'000, '9')}) {
    EXPECT_THAT(follow(hub, kOne, {"runs"}, id)->lines, ElementsAre("+runs@1", "reset@1")) << id;
  }
}

TEST_F(HubTest, LeavesOutDataThatIsTooLarge) {
  Hub hub(clock_, random_, nullptr, {.max_data_bytes = 100});
  const auto notebook = follow(hub, kOne, {"runs"});
  hub.raise({kOne, "a", {"runs"}, json::Value::object({{"text", std::string(101, 'x')}})});
  EXPECT_THAT(notebook->last_json, HasSubstr(R"("data":{},"truncated":true})"));
}

// proves: P9
TEST_F(HubTest, DropsASubscriberThatDoesNotKeepUp) {
  Hub hub(clock_, random_, nullptr);
  const auto slow = follow(hub, kOne, {"runs"});
  const auto quick = follow(hub, kOne, {"runs"});
  slow->keeps_up = false;
  raise(hub, kOne, "a");
  raise(hub, kOne, "b");
  EXPECT_THAT(slow->lines, ElementsAre("+runs@0", "a#1"));
  EXPECT_THAT(quick->lines, ElementsAre("+runs@0", "a#1", "b#2"));
  EXPECT_EQ(hub.statistics().dropped, 1U);
  EXPECT_EQ(hub.statistics().delivered, 2U);
  EXPECT_EQ(hub.subscribe(ids_[0], {"runs"}).error().code, "live.closed");
  hub.close(ids_[0]);
  EXPECT_EQ(hub.statistics().subscribers, 1U);
}

// proves: P9, N-15
TEST_F(HubTest, EndsWhatIsRevokedAndNothingElse) {
  Hub hub(clock_, random_, nullptr);
  const auto open = [&](OrganizationId organization, UserId user, SessionId session, ApiKeyId key) {
    auto notebook = std::make_shared<Notebook>();
    const auto id = hub.open({organization, user, session, key, {}}, notebook);
    EXPECT_FALSE(hub.subscribe(*id, {"runs"}).has_error());
    notebook->lines.clear();
    return notebook;
  };
  const auto session = id_of<SessionId>(1);
  const auto key = id_of<ApiKeyId>(1);
  const auto ada = open(kOne, kAda, session, {});
  const auto ada_elsewhere = open(kTwo, kAda, id_of<SessionId>(2), {});
  const auto by_key = open(kOne, kAda, {}, key);
  const auto bob = open(kOne, kBob, id_of<SessionId>(3), {});
  const auto nobody = open(kOne, {}, {}, {});

  EXPECT_EQ(hub.revoke({.session = session}), 1U);
  EXPECT_THAT(ada->take(), ElementsAre("revoked"));
  EXPECT_EQ(hub.revoke({.api_key = key}), 1U);
  EXPECT_THAT(by_key->take(), ElementsAre("revoked"));
  EXPECT_EQ(hub.revoke({.organization = kOne, .user = kAda}), 0U);
  EXPECT_EQ(hub.revoke({.session = SessionId{}}), 0U);  // a nil id is nobody's
  EXPECT_EQ(hub.revoke({.user = kAda}), 1U);
  EXPECT_THAT(ada_elsewhere->take(), ElementsAre("revoked"));
  EXPECT_THAT(bob->lines, IsEmpty());
  EXPECT_EQ(hub.revoke({.organization = kOne}), 2U);
  EXPECT_THAT(bob->take(), ElementsAre("revoked"));
  EXPECT_THAT(nobody->take(), ElementsAre("revoked"));
  const auto last = open(kTwo, kBob, {}, {});
  EXPECT_EQ(hub.revoke({}), 1U);
  EXPECT_THAT(last->take(), ElementsAre("revoked"));
  raise(hub, kOne, "after");
  EXPECT_THAT(ada->lines, IsEmpty());
  EXPECT_THAT(bob->lines, IsEmpty());
}

TEST_F(HubTest, EndsWhatHasExpired) {
  Hub hub(clock_, random_, nullptr);
  const auto notebook = std::make_shared<Notebook>();
  const Subscriber who{kOne, kAda, {}, {}, clock_.now() + Millis(1000)};
  const auto id = hub.open(who, notebook);
  ASSERT_FALSE(hub.subscribe(*id, {"runs"}).has_error());
  clock_.pass(Millis(999));
  hub.sweep();
  EXPECT_THAT(notebook->lines, ElementsAre("+runs@0"));
  clock_.pass(Millis(1));
  hub.sweep();
  EXPECT_THAT(notebook->lines, ElementsAre("+runs@0", "expired"));
  EXPECT_EQ(hub.open(who, notebook).error().code, "live.expired");
}

TEST_F(HubTest, KeepsEventsForAWhileAfterTheLastOneHasGone) {
  Hub hub(clock_, random_, nullptr, {.linger = Millis(1000)});
  EXPECT_FALSE(hub.wants(kOne));
  raise(hub, kOne, "unheard");
  const auto first = follow(hub, kOne, {"runs"});
  EXPECT_TRUE(hub.wants(kOne));
  EXPECT_FALSE(hub.wants(kTwo));
  raise(hub, kOne, "a");
  hub.close(ids_[0]);
  clock_.pass(Millis(999));
  hub.sweep();
  EXPECT_TRUE(hub.wants(kOne));
  clock_.pass(Millis(1));
  hub.sweep();
  EXPECT_FALSE(hub.wants(kOne));
  EXPECT_THAT(follow(hub, kOne, {"runs"}, first->last_id)->lines, ElementsAre("+runs@0", "reset@0"));  // another epoch
}

TEST_F(HubTest, RefusesTooMuch) {
  Hub hub(clock_, random_, nullptr, {.max_subscribers = 4, .max_subscribers_per_user = 2, .max_topics = 2});
  const auto notebook = std::make_shared<Notebook>();
  const auto first = hub.open({kOne, kAda, {}, {}, {}}, notebook);
  EXPECT_FALSE(hub.open({kTwo, kAda, {}, {}, {}}, notebook).has_error());
  EXPECT_EQ(hub.open({kOne, kAda, {}, {}, {}}, notebook).error().code, "live.too_many");
  const auto bob = hub.open({kOne, kBob, {}, {}, {}}, notebook);
  EXPECT_FALSE(hub.open({kOne, id_of<UserId>(13), {}, {}, {}}, notebook).has_error());
  EXPECT_EQ(hub.open({kOne, id_of<UserId>(14), {}, {}, {}}, notebook).error().code, "live.too_many");
  hub.close(*first);
  EXPECT_FALSE(hub.open({kOne, kAda, {}, {}, {}}, notebook).has_error());

  hub.close(*bob);
  const auto greedy = follow(hub, kOne, {}, {}, kBob);
  EXPECT_FALSE(hub.subscribe(ids_[0], {"runs", "audit", "runs"}).has_error());
  EXPECT_EQ(hub.subscribe(ids_[0], {"notifications"}).error().code, "live.too_many_topics");
  EXPECT_FALSE(hub.subscribe(ids_[0], {"runs"}).has_error());
  EXPECT_FALSE(hub.unsubscribe(ids_[0], {"runs", "notifications"}).has_error());
  EXPECT_FALSE(hub.subscribe(ids_[0], {"notifications"}).has_error());
  EXPECT_EQ(hub.subscribe(ids_[0], {"everything"}).error().code, "live.topic");
  hub.close(ids_[0]);
  const auto viewer = hub.open({kOne, id_of<UserId>(15), {}, {}, {}}, notebook);
  EXPECT_EQ(hub.subscribe(*viewer, {"runs", "audit"}).error().code, "live.forbidden_topic");
  EXPECT_THAT(greedy->lines, ElementsAre("+@0", "+runs,audit,runs@0", "+runs@0", "+notifications@0"));
}

TEST_F(HubTest, EndsEverybodyWhenItStops) {
  Hub hub(clock_, random_, nullptr);
  hub.start();
  const auto notebook = follow(hub, kOne, {"runs"});
  hub.stop();
  EXPECT_THAT(notebook->lines, ElementsAre("+runs@0", "stopping"));
  EXPECT_EQ(hub.open({kOne, kAda, {}, {}, {}}, notebook).error().code, "live.stopping");
}

// proves: S0-R3, P9
TEST_F(HubTest, TellsTheOtherProcessesOnce) {
  Wire wire;
  Wire::End left_end(wire);
  Wire::End right_end(wire);
  Hub left(clock_, random_, &left_end);
  Hub right(clock_, random_, &right_end);
  left.start();
  right.start();
  EXPECT_TRUE(left.wants(kOne));  // somebody over there may listen
  const auto here = follow(left, kOne, {"runs"});
  const auto there = follow(right, kOne, {"runs"});
  const auto other = follow(right, kTwo, {"runs"});
  left.raise({kOne, "a", {"runs"}, json::Value::object({{"ü", "ß"}})});
  EXPECT_THAT(here->lines, ElementsAre("+runs@0", "a#1"));
  EXPECT_THAT(there->lines, ElementsAre("+runs@0", "a#1"));
  EXPECT_THAT(other->lines, ElementsAre("+runs@0"));
  EXPECT_THAT(there->last_json, HasSubstr(R"("data":{"ü":"ß"}})"));
  EXPECT_EQ(left.statistics().received, 0U);
  EXPECT_EQ(right.statistics().received, 1U);

  left.raise({kOne, "mine", {"runs"}, json::Value::object(), kBob});
  EXPECT_EQ(there->lines.size(), 2U);

  EXPECT_EQ(left.revoke({.user = kAda}), 1U);
  EXPECT_EQ(there->lines.back(), "revoked");
  EXPECT_EQ(other->lines.back(), "revoked");
  left.stop();
  right.stop();
}

TEST_F(HubTest, ResetsAfterAGapOfTheRelay) {
  Wire wire;
  Wire::End end(wire);
  Hub hub(clock_, random_, &end);
  hub.start();
  const auto notebook = follow(hub, kOne, {"runs"});
  raise(hub, kOne, "a");
  const auto seen = notebook->last_id;
  end.gap();
  raise(hub, kOne, "b");
  EXPECT_THAT(notebook->lines, ElementsAre("+runs@0", "a#1", "reset@0", "b#1"));
  EXPECT_THAT(follow(hub, kOne, {"runs"}, seen)->lines, ElementsAre("+runs@1", "reset@1"));
  hub.stop();
}

TEST_F(HubTest, TellsTheOthersThatTheyHaveMissedSomething) {
  Wire wire;
  Wire::End left_end(wire);
  Wire::End right_end(wire);
  Hub left(clock_, random_, &left_end);
  Hub right(clock_, random_, &right_end);
  left.start();
  right.start();
  const auto here = follow(left, kOne, {"runs"});
  const auto there = follow(right, kOne, {"runs"});
  wire.cut = true;
  raise(left, kOne, "lost");
  left.sweep();
  EXPECT_THAT(there->lines, ElementsAre("+runs@0"));
  wire.cut = false;
  left.sweep();
  left.sweep();
  EXPECT_THAT(there->lines, ElementsAre("+runs@0", "reset@0"));
  EXPECT_THAT(here->lines, ElementsAre("+runs@0", "lost#1"));
  left.stop();
  right.stop();
}

TEST_F(HubTest, IgnoresWhatIsNoMessageOfAHub) {
  Wire wire;
  Wire::End ours(wire);
  Wire::End theirs(wire);
  Hub hub(clock_, random_, &ours);
  hub.start();
  const auto notebook = follow(hub, kOne, {"runs"});
  const auto organization = kOne.to_string();
  const std::string head = R"({"origin":"x","time":"2026-01-01T00:00:00Z","organization":")" + organization + R"(",)";
  for (const auto& text : {
           std::string(),
           std::string("nonsense"),
           std::string("[]"),
           std::string("{}"),
           std::string(R"({"origin":"x"})"),
           std::string(R"({"origin":"x","revoke":[]})"),
           std::string(R"({"origin":"x","revoke":{"user":"*"}})"),
           std::string(R"({"origin":7,"revoke":{"user":"*"}})"),
           head + R"("event":"","topics":["runs"],"data":{}})",
           head + R"("event":"a","topics":[],"data":{}})",
           head + R"("event":"a","topics":["everything"],"data":{}})",
           head + R"("event":"a","topics":["runs"],"data":[]})",
           head + R"("event":"a","topics":["runs"],"only_for":"me","data":{}})",
           R"({"origin":"x","time":"now","organization":")" + organization + R"(","event":"a","topics":["runs"],"data":{}})",
       }) {
    theirs.publish(text);
  }
  EXPECT_THAT(notebook->lines, ElementsAre("+runs@0"));
  theirs.publish(head + R"("event":"a","topics":["runs"],"data":{}})");
  EXPECT_THAT(notebook->lines, ElementsAre("+runs@0", "a#1"));
  hub.stop();
}

TEST(Topics, AreThoseOfTheTable) {
  for (const auto& topic :
       {std::string("runs"), std::string("notifications"), std::string("approvals"), std::string("audit"), kRun, kWorkflow}) {
    EXPECT_TRUE(is_topic(topic)) << topic;
  }
  for (const auto* topic : {"", "run", "Runs", "runs ", "run:", "run:1", "run:00000000-0000-0000-0000-00000000000A", "user:1", "*"}) {
    EXPECT_FALSE(is_topic(topic)) << topic;
  }
  EXPECT_EQ(run_topic(id_of<RunId>(1)), kRun);
  EXPECT_EQ(workflow_topic(id_of<WorkflowId>(2)), kWorkflow);
}

TEST_F(HubTest, ShowsRunsAsEvents) {
  Hub hub(clock_, random_, nullptr);
  RunEvents runs(hub);
  EXPECT_FALSE(runs.wants(kOne));
  const auto all = follow(hub, kOne, {"runs"});
  const auto one = follow(hub, kOne, {kRun});
  EXPECT_TRUE(runs.wants(kOne));
  engine::RunNotice notice;
  notice.run = id_of<RunId>(1);
  notice.organization = kOne;
  notice.workflow = id_of<WorkflowId>(2);
  notice.workflow_name = "nightly";
  notice.sequence = 1;
  notice.phase = engine::Phase::running;
  runs.changed(notice);
  EXPECT_THAT(all->lines, ElementsAre("+runs@0", "run.status#1"));
  EXPECT_THAT(all->last_json, HasSubstr(R"("workflow_name":"nightly","version":1,"status":"running")"));
  engine::TaskRecord record;
  record.iteration = {3};
  record.input = "large and perhaps secret";
  notice.phase.reset();
  notice.record = &record;
  notice.task_reference = "/do/0/first";
  notice.task_name = "first";
  notice.task_type = "call";
  runs.changed(notice);
  EXPECT_EQ(all->lines.size(), 2U);
  EXPECT_THAT(one->lines, ElementsAre("+" + kRun + "@0", "run.status#1", "run.task#2"));
  EXPECT_THAT(one->last_json, HasSubstr(R"("reference":"/do/0/first","iteration":[3],"name":"first","type":"call","status":"running")"));
  EXPECT_THAT(one->last_json, Not(HasSubstr("secret")));
}

/// Not a test of speed: prints what telling a thousand subscribers costs, for the closing note and docs/live.md.
TEST_F(HubTest, MeasuresTheFanOut) {
  class Counter final : public Receiver {
   public:
    bool subscribed(const std::vector<std::string>&, std::string_view) override { return true; }
    bool event(const EventPtr& event) override {
      queue.push_back(event->json);
      return true;
    }
    bool reset(std::string_view) override { return true; }
    void end(End) override {}
    std::vector<std::shared_ptr<const std::string>> queue;
  };
  constexpr int kSubscribers = 1000;
  constexpr int kEvents = 200;
  Hub hub(clock_, random_, nullptr);
  std::vector<std::shared_ptr<Counter>> counters;
  for (int i = 0; i < kSubscribers; ++i) {
    counters.push_back(std::make_shared<Counter>());
    const auto id = hub.open({kOne, {}, {}, {}, {}}, counters.back());
    ASSERT_FALSE(hub.subscribe(*id, {"runs"}).has_error());
  }
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < kEvents; ++i) raise(hub, kOne, "run.status", {"runs", kRun, kWorkflow});
  const auto micros = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - began).count();
  EXPECT_EQ(hub.statistics().delivered, static_cast<std::uint64_t>(kSubscribers) * kEvents);
  std::printf("fan-out: %.0f us per event to %d subscribers, %.0f ns each\n", micros / kEvents, kSubscribers,
              micros * 1000 / kEvents / kSubscribers);
}

}  // namespace
}  // namespace pawl::live
