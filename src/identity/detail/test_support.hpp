/// What tests of accounts share: a database in a temporary folder, a clock and mails in the test's hand. For tests only.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp is POSIX

#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include "identity/accounts.hpp"
#include "identity/api_keys.hpp"
#include "identity/organizations.hpp"
#include "identity/totp.hpp"
#include "storage/database.hpp"
#include "storage/migrations.hpp"
#include "storage/testing/test_database.hpp"

namespace pawl::identity {

inline constexpr const char* kPassword = "correct horse battery";
inline constexpr const char* kOtherPassword = "staple of another kind";

class SettableClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return time; }
  TimePoint time{Millis(1'700'000'000'000)};
};

class Mailbox final : public Mailer {
 public:
  Result<void> send(storage::Transaction&, const Message& message) override {
    if (broken) return Error(ErrorClass::unavailable, "test.mail", "no mail today");
    messages.push_back(message);
    return {};
  }
  /// What stands behind `#` in the link of the newest message.
  [[nodiscard]] std::string token() const {
    const auto& text = messages.back().text;
    const auto start = text.find('#') + 1;
    return text.substr(start, text.find('\n', start) - start);
  }
  std::vector<Message> messages;
  bool broken = false;
};

template <class T>
std::string code_of(const Result<T>& result) {
  return result.has_error() ? result.error().code : "no error";
}

/// The code of an app that was set up with this secret.
class App {
 public:
  explicit App(std::string_view base32) {
    std::uint32_t held = 0;
    unsigned bits = 0;
    for (const char c : base32) {
      held = (held << 5U) | static_cast<std::uint32_t>(c >= 'A' ? c - 'A' : c - '2' + 26);
      bits += 5;
      if (bits < 8) continue;
      bits -= 8;
      seed_ += static_cast<char>((held >> bits) & 0xFFU);
    }
  }
  [[nodiscard]] std::string code(TimePoint now) const { return totp_code(seed_, totp_step(now)); }
  [[nodiscard]] const std::string& seed() const { return seed_; }

 private:
  std::string seed_;
};

/// A migrated database that goes with the test.
class StoredTest : public testing::Test {
 protected:
  StoredTest() {
    auto pattern = (std::filesystem::temp_directory_path() / "pawl-identity-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    storage::DatabaseOptions options;
    options.folder = folder_;
    options.synchronous = false;
    auto opened = storage::testing::open(options);
    EXPECT_TRUE(opened.has_value());
    database_ = std::move(*opened);
    EXPECT_TRUE(storage::migrate_up(*database_, clock_).has_value());
  }
  ~StoredTest() override {
    database_.reset();
    std::filesystem::remove_all(folder_);
  }

  SettableClock clock_;
  SystemRandom random_;
  std::filesystem::path folder_;
  std::unique_ptr<storage::Database> database_;
};

class AccountsTest : public StoredTest {
 protected:
  AccountsTest() {
    const auto installation = ensure_organization(*database_, clock_, random_);
    EXPECT_TRUE(installation.has_value());
    installation_ = *installation;
    SessionAuthenticatorOptions authenticator_options;
    authenticator_options.installation_keys = {"the key of the installation, for administrators"};
    authenticator_options.installation = *installation;
    authenticator_ = std::make_unique<SessionAuthenticator>(*database_, clock_, keys_, authenticator_options);
    open();
  }
  ~AccountsTest() override {
    accounts_.reset();
    authenticator_.reset();
  }

  void open(AccountsOptions options = {}) {
    options.public_url = "https://pawl.example.org";
    const auto note = [this](const AccountEvent& event) {
      const std::lock_guard lock(events_mutex_);
      events_.push_back(std::string(event.action) + (event.success ? "" : " failed"));
    };
    Accounts::Dependencies parts{*database_, *authenticator_, hasher_, keys_, seals_, mail_, clock_, random_, {{}, note}};
    accounts_ = std::make_unique<Accounts>(std::move(parts), std::move(options));
    api_keys_ = std::make_unique<ApiKeys>(ApiKeys::Dependencies{*database_, *authenticator_, clock_, random_, {{}, note}});
  }

  SignedIn sign_up(const std::string& email = "ada@example.org") {
    auto made = accounts_->register_account({.email = email, .password = kPassword, .name = "Ada"}, client_);
    EXPECT_TRUE(made.has_value()) << made.error().code;
    return *made;
  }
  Result<SignedIn> login(const std::string& email = "ada@example.org", const std::string& password = kPassword,
                         const std::string& otp = "") {
    return accounts_->login(LoginRequest{email, password, otp}, client_);
  }
  Result<Principal> who(std::string_view bearer) { return authenticator_->authenticate({bearer, {}}); }
  /// What the API sees on an io thread, after the cache was filled.
  bool is_accepted(std::string_view bearer) { return who(bearer).has_value(); }
  /// Waits for all writes that were handed over.
  void settle() {
    EXPECT_TRUE(database_->write_and_wait([](storage::Transaction&) -> Result<void> { return {}; }).has_value());
  }
  void execute(std::string_view sql) {
    EXPECT_TRUE(database_->write_and_wait([&](storage::Transaction& transaction) { return transaction.execute_script(sql); }).has_value());
  }
  void advance(Millis time) { clock_.time += time; }
  /// Every byte that the database has written.
  std::string dump() {
    std::string bytes;
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder_)) {
      if (!file.is_regular_file()) continue;
      std::ostringstream text;
      text << std::ifstream(file.path(), std::ios::binary).rdbuf();
      bytes += text.str();
    }
    return bytes;
  }

  TokenKeys keys_{"a secret of this installation, long enough"};
  crypto::KeyRing seals_{"a sealing key of this installation, long enough"};
  PasswordHasher hasher_{{{1, 8192}, 2, 8}};
  Mailbox mail_;
  OrganizationId installation_;
  Client client_{"192.0.2.7", "Firefox"};
  std::unique_ptr<SessionAuthenticator> authenticator_;
  std::unique_ptr<Accounts> accounts_;
  std::unique_ptr<ApiKeys> api_keys_;
  std::mutex events_mutex_;
  std::vector<std::string> events_;
};

}  // namespace pawl::identity
