#include <gmock/gmock.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp is POSIX

#include <filesystem>

#include "json/parse.hpp"
#include "net/scripted_outbound.hpp"
#include "notify/dispatcher.hpp"
#include "notify/notifications.hpp"
#include "storage/migrations.hpp"
#include "storage/testing/test_database.hpp"

namespace pawl::notify {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class SettableClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return time; }
  TimePoint time{Millis(1'700'000'000'000)};
};

class CountingRandom final : public Random {
 public:
  [[nodiscard]] std::uint64_t next() override { return ++count_; }

 private:
  std::uint64_t count_ = 0;
};

class KeptMails final : public identity::Mailer {
 public:
  [[nodiscard]] Result<void> send(storage::Transaction& /*transaction*/, const identity::Message& message) override {
    mails.push_back(message);
    return {};
  }
  std::vector<identity::Message> mails;
};

class NotifyTest : public testing::Test {
 protected:
  NotifyTest() {
    auto pattern = (std::filesystem::temp_directory_path() / "pawl-notify-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    storage::DatabaseOptions options;
    options.folder = folder_;
    options.synchronous = false;
    auto opened = storage::testing::open(options);
    EXPECT_TRUE(opened.has_value());
    database_ = std::move(*opened);
    EXPECT_TRUE(storage::migrate_up(*database_, clock_).has_value());
    notifications_ = std::make_unique<Notifications>(*database_);
    channels_ = std::make_unique<Channels>(
        Channels::Dependencies{*database_, seals_, outbound_, clock_, random_, "https://pawl.example.com/notifications"});
    Dispatcher::Dependencies parts{
        .database = *database_, .channels = *channels_, .mailer = &mails_, .clock = clock_, .public_url = "https://pawl.example.com"};
    parts.raise = [this](const OrganizationId&, const NotificationId&, std::string_view, int) { ++raised_; };
    dispatcher_ = std::make_unique<Dispatcher>(std::move(parts));
  }
  ~NotifyTest() override {
    dispatcher_.reset();
    database_.reset();
    std::filesystem::remove_all(folder_);
  }

  void write(const std::function<Result<void>(storage::Transaction&)>& work) {
    const auto written = database_->write_and_wait(work);
    ASSERT_TRUE(written.has_value()) << written.error().message;
  }
  void note(std::string_view kind = "run.failed", std::string subject = "nightly", int least_role = 0) {
    write([&](storage::Transaction& transaction) {
      return store(transaction, {.organization = organization_,
                                 .kind = kind,
                                 .subject = subject,
                                 .title = "The workflow " + subject + " has failed",
                                 .least_role = least_role,
                                 .at = clock_.time});
    });
  }
  void look() {
    const auto looked = dispatcher_->look();
    ASSERT_TRUE(looked.has_value()) << looked.error().message;
  }
  /// Tells, and hears the answers.
  void tell() {
    look();
    outbound_.deliver();
    look();
  }
  std::int64_t unread(const Reader& reader) {
    const auto count = notifications_->unread(organization_, reader);
    EXPECT_TRUE(count.has_value());
    return count.has_value() ? *count : -1;
  }
  ChannelId add_channel(std::string kind, std::vector<std::string> kinds = {}, std::string key = "") {
    const auto made = channels_->create(
        organization_, {}, {kind, kind, "https://hooks.example.com/" + kind + "/secret-part", std::move(key), std::move(kinds)});
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return made->id;
  }
  /// A member with a confirmed address who wants mails about failed runs.
  void add_reader(const UserId& user, std::string_view role) {
    write([&](storage::Transaction& transaction) -> Result<void> {
      const auto mail = user.to_string() + "@example.org";
      PAWL_TRY_VOID(
          transaction.execute("insert into users (id, email, email_key, name, is_active, is_superuser, email_verified_at, totp_last_step, "
                              "created_at, updated_at) values ($1, $2, $2, 'Ada', 1, 0, $3, 0, $3, $3)",
                              {user, mail, clock_.time}));
      PAWL_TRY_VOID(transaction.execute(
          "insert into organizations (id, slug, name, created_at, updated_at) values ($1, $2, 'Home', $3, $3) on conflict (id) do nothing",
          {organization_, organization_.to_string(), clock_.time}));
      PAWL_TRY_VOID(
          transaction.execute("insert into organization_members (organization_id, user_id, role, joined_at) values ($1, $2, $3, $4)",
                              {organization_, user, role, clock_.time}));
      return {};
    });
    const auto set = notifications_->set_preferences(organization_, user, {{"run.failed", true, true}});
    ASSERT_TRUE(set.has_value()) << set.error().message;
  }
  void answer(int status) {
    outbound_.on("POST", "https://hooks.example.com/*", [status](const net::OutboundRequest&) {
      net::OutboundResponse response;
      response.status = status;
      return response;
    });
  }

  SettableClock clock_;
  CountingRandom random_;
  std::string folder_;
  OrganizationId organization_ = OrganizationId::make(clock_.now(), random_);
  std::unique_ptr<storage::Database> database_;
  crypto::KeyRing seals_{"a key for tests that is long enough to be one"};
  net::ScriptedOutbound outbound_;
  KeptMails mails_;
  int raised_ = 0;
  std::unique_ptr<Notifications> notifications_;
  std::unique_ptr<Channels> channels_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

TEST_F(NotifyTest, P10_AStormIsOneNotificationThatCounts) {
  for (int n = 0; n < 1000; ++n) note();
  note("run.failed", "another");
  const auto page = notifications_->list(organization_, {}, {});
  ASSERT_TRUE(page.has_value()) << page.error().message;
  ASSERT_THAT(page->items, SizeIs(2));
  const auto& storm = page->items[0].count > 1 ? page->items[0] : page->items[1];
  EXPECT_EQ(storm.count, 1000);
  clock_.time += std::chrono::hours(1);
  note();
  EXPECT_THAT(notifications_->list(organization_, {}, {})->items, SizeIs(3));
}

TEST_F(NotifyTest, P10_WhatCountsOnIsNewAgain) {
  const Reader reader{UserId::make(clock_.now(), random_), 1};
  note();
  const auto id = notifications_->list(organization_, reader, {})->items.at(0).id;
  EXPECT_EQ(unread(reader), 1);
  ASSERT_TRUE(notifications_->mark_read(organization_, reader, id, true).has_value());
  EXPECT_EQ(unread(reader), 0);
  EXPECT_EQ(unread({}), 1) << "what one has read is new to others";
  note();
  EXPECT_EQ(unread(reader), 1);
  EXPECT_EQ(notifications_->mark_all_read(organization_, reader).value(), 1);
  EXPECT_EQ(unread(reader), 0);
  ASSERT_TRUE(notifications_->mark_read(organization_, reader, id, false).has_value());
  EXPECT_EQ(unread(reader), 1);
}

TEST_F(NotifyTest, P10_NobodyReadsWhatIsForLargerRolesOrOtherOrganizations) {
  note("member.changed", "somebody", 2);
  const Reader member{UserId::make(clock_.now(), random_), 1};
  const Reader admin{UserId::make(clock_.now(), random_), 2};
  EXPECT_EQ(unread(member), 0);
  EXPECT_EQ(unread(admin), 1);
  const auto id = notifications_->list(organization_, admin, {})->items.at(0).id;
  EXPECT_EQ(notifications_->mark_read(organization_, member, id, true).error().code, "notification.not_found");
  const auto other = OrganizationId::make(clock_.now(), random_);
  EXPECT_THAT(notifications_->list(other, admin, {})->items, IsEmpty());
  EXPECT_EQ(notifications_->mark_read(other, admin, id, true).error().code, "notification.not_found");
  EXPECT_EQ(notifications_->mark_all_read(other, admin).value(), 0);
}

TEST_F(NotifyTest, P10_WhatIsSwitchedOffIsNotShown) {
  const Reader reader{UserId::make(clock_.now(), random_), 1};
  note();
  ASSERT_TRUE(notifications_->set_preferences(organization_, reader.user, {{"run.failed", false, false}}).has_value());
  EXPECT_EQ(unread(reader), 0);
  EXPECT_THAT(notifications_->list(organization_, reader, {})->items, IsEmpty());
  EXPECT_EQ(notifications_->preferences(organization_, reader.user)->at(0).in_app, false);
  EXPECT_EQ(notifications_->preferences(organization_, reader.user)->at(1).in_app, true);
}

TEST_F(NotifyTest, P10_PagesHaveNoHoleAndNoDouble) {
  for (int n = 0; n < 25; ++n) {
    note("run.failed", "workflow " + std::to_string(n));
    if (n % 3 == 0) clock_.time += Millis(1);
  }
  NotificationFilter filter;
  filter.limit = 10;
  std::set<std::string> seen;
  for (int pages = 0; pages < 3; ++pages) {
    const auto page = notifications_->list(organization_, {}, filter);
    ASSERT_TRUE(page.has_value());
    for (const auto& item : page->items) EXPECT_TRUE(seen.insert(item.id.to_string()).second);
    EXPECT_EQ(page->next.has_value(), pages < 2);
    if (page->next) filter.before = Place::parse(page->next->to_string());
  }
  EXPECT_THAT(seen, SizeIs(25));
  EXPECT_FALSE(Place::parse("1.x"));
  EXPECT_FALSE(Place::parse("-1.00000000-0000-0000-0000-000000000000"));
}

TEST_F(NotifyTest, P10_AChannelHearsOfAStormInOneDigest) {
  add_channel("slack");
  answer(200);
  note();
  tell();
  ASSERT_THAT(outbound_.requests(), SizeIs(1));
  EXPECT_THAT(outbound_.requests()[0].body, HasSubstr("The workflow nightly has failed"));
  for (int n = 0; n < 100; ++n) note("run.failed", "workflow " + std::to_string(n));
  tell();
  EXPECT_THAT(outbound_.requests(), SizeIs(1)) << "not before the interval is over";
  clock_.time += std::chrono::minutes(5);
  tell();
  ASSERT_THAT(outbound_.requests(), SizeIs(2));
  EXPECT_THAT(outbound_.requests()[1].body, HasSubstr("and 50 more"));
  clock_.time += std::chrono::hours(2);
  tell();
  EXPECT_THAT(outbound_.requests(), SizeIs(2)) << "nothing is told twice";
}

TEST_F(NotifyTest, P10_AWebhookIsSignedAndARepetitionIsKnown) {
  const auto channel = add_channel("webhook", {"run.failed"}, "key-of-the-webhook");
  answer(503);
  note();
  note("dead_letter");
  tell();
  ASSERT_THAT(outbound_.requests(), SizeIs(1));
  EXPECT_EQ(channels_->list(organization_)->at(0).last_error, "The channel answered 503.");
  answer(204);
  clock_.time += Millis(5'000);
  tell();
  ASSERT_THAT(outbound_.requests(), SizeIs(2));
  const auto& request = outbound_.requests()[1];
  const auto body = json::parse(request.body);
  ASSERT_TRUE(body.has_value());
  EXPECT_EQ(body->get("notifications").items().size(), 1U) << "only the kinds that it asked for";
  const auto seconds = std::to_string(clock_.time.time_since_epoch().count() / 1000);
  EXPECT_EQ(net::find_header(request.headers, "X-Pawl-Signature"),
            "t=" + seconds + ",v1=" + crypto::hmac_sha256_hex("key-of-the-webhook", seconds + "." + request.body));
  EXPECT_EQ(net::find_header(request.headers, "X-Pawl-Delivery"), net::find_header(outbound_.requests()[0].headers, "X-Pawl-Delivery"));
  EXPECT_EQ(channels_->list(organization_)->at(0).last_error, "");
  EXPECT_EQ(channels_->owner(channel).value(), organization_);
}

TEST_F(NotifyTest, P10_WhatWasNotToldIsToldByTheNextProcess) {
  add_channel("slack");
  answer(200);
  note();
  look();  // handed out and on its way; the process ends before the answer
  Dispatcher next({.database = *database_, .channels = *channels_, .clock = clock_, .public_url = ""});
  ASSERT_TRUE(next.look().has_value());
  EXPECT_THAT(outbound_.requests(), SizeIs(2));
}

TEST_F(NotifyTest, P10_AnswersThatCannotBeRecordedSilenceNoChannel) {
  add_channel("slack");
  add_channel("webhook");
  answer(200);
  note();
  look();
  outbound_.deliver();
  ASSERT_THAT(outbound_.requests(), SizeIs(2));
  const auto rename = [this](std::string_view statement) {
    write([&](storage::Transaction& transaction) -> Result<void> {
      PAWL_TRY_VOID(transaction.execute(statement, {}));
      return {};
    });
  };
  rename("alter table notification_targets rename to out_of_order");
  EXPECT_TRUE(dispatcher_->look().has_error());
  rename("alter table out_of_order rename to notification_targets");
  look();
  EXPECT_THAT(outbound_.requests(), SizeIs(2)) << "it is not repeated at once";
  clock_.time += std::chrono::seconds(6);
  look();
  EXPECT_THAT(outbound_.requests(), SizeIs(4)) << "both are told again";
}

TEST_F(NotifyTest, P10_AddressesLieSealedAndAreNotShown) {
  add_channel("slack");
  const auto shown = channels_->list(organization_);
  ASSERT_THAT(*shown, SizeIs(1));
  EXPECT_EQ(shown->at(0).host, "hooks.example.com");
  std::string stored;
  ASSERT_TRUE(database_
                  ->read([&](storage::Session& session) {
                    return session.query("select sealed_config from notification_channels", {},
                                         [&](const storage::Row& row) { stored = row.blob(0); });
                  })
                  .has_value());
  EXPECT_THAT(stored, Not(HasSubstr("secret-part")));
  answer(500);
  std::string sentence;
  channels_->test(organization_, shown->at(0).id,
                  [&](Result<void> outcome) { sentence = outcome.has_error() ? outcome.error().message : "worked"; });
  outbound_.deliver();
  EXPECT_EQ(sentence, "The channel answered 500.");
}

TEST_F(NotifyTest, P10_MailsGoInDigestsToThoseWhoWantThemAndMayRead) {
  const auto ada = UserId::make(clock_.now(), random_);
  const auto viewer = UserId::make(clock_.now(), random_);
  add_reader(ada, "admin");
  add_reader(viewer, "viewer");
  note("run.failed", "nightly", 2);
  look();
  ASSERT_THAT(mails_.mails, SizeIs(1));
  EXPECT_EQ(mails_.mails[0].to, ada.to_string() + "@example.org");
  EXPECT_EQ(mails_.mails[0].subject, "The workflow nightly has failed");
  for (int n = 0; n < 30; ++n) note("run.failed", "workflow " + std::to_string(n), 2);
  look();
  EXPECT_THAT(mails_.mails, SizeIs(1));
  clock_.time += std::chrono::minutes(5);
  look();
  ASSERT_THAT(mails_.mails, SizeIs(2));
  EXPECT_EQ(mails_.mails[1].subject, "30 notifications");
}

TEST_F(NotifyTest, P10_WhoeverLooksIsToldOnceForEachCount) {
  note();
  look();
  look();
  EXPECT_EQ(raised_, 1);
  note();
  look();
  EXPECT_EQ(raised_, 2);
}

TEST_F(NotifyTest, P10_WhatIsOldGoes) {
  note();
  clock_.time += std::chrono::hours(91 * 24);
  ASSERT_TRUE(dispatcher_->purge().has_value());
  EXPECT_THAT(notifications_->list(organization_, {}, {})->items, IsEmpty());
}

TEST_F(NotifyTest, P10_AnOrganizationTakesEverythingAlong) {
  add_channel("slack");
  note();
  look();
  write([&](storage::Transaction& transaction) { return remove_organization(transaction, organization_); });
  for (const std::string_view sql : {"select 1 from notifications", "select 1 from notification_channels",
                                     "select 1 from notification_queue", "select 1 from notification_targets"}) {
    bool any = false;
    ASSERT_TRUE(database_->read([&](storage::Session& session) { return session.query(sql, {}, [&](const storage::Row&) { any = true; }); })
                    .has_value());
    EXPECT_FALSE(any) << sql;
  }
}

}  // namespace
}  // namespace pawl::notify
