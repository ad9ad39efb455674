/// The audit trail: who did what to what, when, from where, and how it ended. One chain of records per installation.
///
///     audit::Record record;
///     record.actor = audit::Actor::of_user(user);
///     record.organization = organization;
///     record.action = "organization.deleted";
///     record.resource = {"organization", organization.to_string()};
///     PAWL_TRY_VOID(log.append(transaction, std::move(record)));   // commits together with the deletion, or not at all
///
/// Each record carries the hash of the one before it, and that hash under a key that is not in the database: whoever alters, removes or
/// reorders records is found (verify.hpp). After the commit the same records go into a file, one JSON object a line, in order; a restart
/// goes on where the file ends. docs/audit.md has the whole picture.
///
/// Never put a secret, an e-mail address or a name into a record. `details` go through the redactor (redact.hpp), which is a net and not
/// a licence. A person is a `UserId`, which means nothing once the user's row is gone; the address is kept beside the chain and can be
/// erased. So erasing a person leaves the chain as it is.
///
/// What if a record cannot be written? `append(Transaction&, ...)` answers the error and the caller's transaction ends with it. The queue
/// of `append(Record)` is bounded: beyond the bound, and on a poisoned database, it answers an error, and an act that must be audited is
/// refused with that error (`audit.overloaded`, class `unavailable`). Nothing is dropped silently.
///
/// Threads: all functions may be called from any thread unless said otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "crypto/crypto.hpp"
#include "json/value.hpp"
#include "storage/database.hpp"

namespace pawl::audit {

class Redactor;

struct Actor {
  enum class Kind : std::uint8_t {
    program,        ///< the program itself: schedules, retention
    anonymous,      ///< nobody known, for example a failed login
    user,           ///< a person with a session
    api_key,        ///< a person's API key
    administrator,  ///< the installation's own key, or a command at the console
  };
  Kind kind = Kind::program;
  UserId user{};       ///< nil: none
  ApiKeyId api_key{};  ///< nil: none

  [[nodiscard]] static Actor anonymous() { return {Kind::anonymous, {}, {}}; }
  [[nodiscard]] static Actor administrator() { return {Kind::administrator, {}, {}}; }
  [[nodiscard]] static Actor of_user(const UserId& user) { return {Kind::user, user, {}}; }
  [[nodiscard]] static Actor of_key(const UserId& user, const ApiKeyId& key) { return {Kind::api_key, user, key}; }
};
[[nodiscard]] std::string_view to_text(Actor::Kind kind);
[[nodiscard]] std::optional<Actor::Kind> parse_actor(std::string_view text);

enum class Outcome : std::uint8_t {
  success,
  failure,  ///< tried, and did not work
  dry_run,  ///< planned only
  refused,  ///< not permitted: nothing was tried
};
[[nodiscard]] std::string_view to_text(Outcome outcome);
[[nodiscard]] std::optional<Outcome> parse_outcome(std::string_view text);

/// What it was done to; both may be empty.
struct Resource {
  std::string type;  ///< `workflow`, `user`, `function` ...
  std::string id;    ///< as the API names it
};

/// What a caller tells.
struct Record {
  std::optional<OrganizationId> organization{};  ///< none: concerns the installation
  Actor actor{};
  std::string action{};  ///< dotted, lower case, past or plain: `auth.login`, `function.executed`
  Resource resource{};
  Outcome outcome = Outcome::success;
  std::string address{};     ///< of the client, without port; empty: none
  std::string request_id{};  ///< empty: none
  std::optional<RunId> run{};
  std::string task{};  ///< reference of the task within the run's workflow
  std::optional<Millis> duration{};
  json::Value details{};          ///< an object or null; redacted before it is kept
  std::optional<TimePoint> at{};  ///< none: now
};

/// What is kept.
struct Entry {
  std::uint64_t sequence = 0;  ///< from 1, without gaps
  TimePoint at{};
  std::optional<OrganizationId> organization;
  Actor actor;
  std::string action;
  Resource resource;
  Outcome outcome = Outcome::success;
  std::string network;  ///< the address without its host part (/24, /48)
  std::string address;  ///< empty: none, or erased
  std::string request_id;
  std::optional<RunId> run;
  std::string task;
  std::optional<Millis> duration;
  std::string details;  ///< JSON text of an object
  crypto::Digest previous{};
  crypto::Digest hash{};

  /// Time and sequence in the form of a UUIDv7.
  [[nodiscard]] AuditId id() const;
};
/// The sequence within an id of `Entry::id`; nothing for other ids.
[[nodiscard]] std::optional<std::uint64_t> sequence_of(const AuditId& id);
/// One line of the file, without the line end: a JSON object that a consumer can read without knowing us.
[[nodiscard]] std::string to_line(const Entry& entry);

/// Keys under which the chain is signed: the first signs, all of them are accepted.
using Keys = std::vector<crypto::Key>;
/// The key that belongs to an installation's secret.
[[nodiscard]] crypto::Key key_of(std::string_view installation_secret);

struct LogOptions {
  Keys keys;                                       ///< at least one
  std::filesystem::path file{};                    ///< of the JSON lines; empty: none
  std::uint64_t rotate_bytes = 64U << 20U;         ///< a larger file is put aside as `<file>.<last sequence>`
  std::size_t max_queue = 10'000;                  ///< records of `append(Record)` that wait for the writer
  std::function<void(std::string_view)> report{};  ///< a sentence for the operator's log; may be empty
  /// Asked about every record of this process, on the writer thread and on the file's: is `appended` to be told of it? May be empty.
  std::function<bool(const Entry&)> watched{};
  /// Told on the file's thread once the record is durable and in the file.
  std::function<void(const Entry&)> appended{};
  Millis stop_patience{5000};  ///< how long the end waits for the file to catch up; the next start writes what is left
};

class Log {
 public:
  /// Needs migration 0005. Reads where the chain and the file end, and starts the thread that writes the file. The database, clock and
  /// redactor outlive the log. Error `audit.file`: the file cannot be opened, or others may read it.
  [[nodiscard]] static Result<std::unique_ptr<Log>> open(storage::Database& database, const Clock& clock, const Redactor& redactor,
                                                         LogOptions options);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  /// Writes what is queued. The file gets what was committed, as far as `stop_patience` goes; the database has it all, and the next start
  /// writes the rest.
  ~Log();

  /// Within a transaction of the caller, so that both are kept or none. On the writer thread, as the transaction is.
  [[nodiscard]] Result<void> append(storage::Transaction& transaction, Record record);
  /// Queues it for a group commit some milliseconds later. Error `audit.overloaded`, `storage.poisoned`: it was not taken.
  [[nodiscard]] Result<void> append(Record record);
  /// The same for the next group commit; `done` (on the writer thread, must not block) with success means durable. After an error at once
  /// `done` is not called.
  using Done = std::function<void(Result<void>)>;
  [[nodiscard]] Result<void> append(Record record, Done done);

  /// Whether `append` would take a record now: to be asked before an act that must be audited and cannot be undone.
  [[nodiscard]] bool ready() const;

  /// Records that are written later with `write`, in a transaction of the caller's choice (the journal's group commit). Redacts here, on
  /// the calling thread.
  class Prepared {
   public:
    Prepared();
    Prepared(Prepared&&) noexcept;
    Prepared& operator=(Prepared&&) noexcept;
    ~Prepared();
    [[nodiscard]] std::size_t size() const;
    /// Puts those of `other` behind its own.
    void append(Prepared other);

   private:
    friend class Log;
    struct Items;
    std::unique_ptr<Items> items_;  // none: empty
  };
  void prepare(Prepared& batch, Record record) const;
  /// On the writer thread; may be repeated after a rollback.
  [[nodiscard]] Result<void> write(storage::Transaction& transaction, Prepared& batch);
  /// To be called after the commit of a transaction that `write` or `append(Transaction&, ...)` took part in, where the file should follow
  /// at once; otherwise it follows within a second.
  void committed();

  /// Blocks until the file has every record that is queued or committed now. For tests and for an orderly end.
  void flush_file();
  /// Files put aside whose records are not after `sequence` are deleted soon: retention has removed those records.
  void forget_files(std::uint64_t sequence);
  [[nodiscard]] const Keys& keys() const;
  [[nodiscard]] const std::filesystem::path& file() const;

  struct Statistics {
    std::uint64_t appended = 0;  ///< committed since the start of the process
    std::uint64_t refused = 0;   ///< at the bound
    std::uint64_t queued = 0;
    std::uint64_t file_sequence = 0;
  };
  [[nodiscard]] Statistics statistics() const;

 private:
  struct Impl;
  explicit Log(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::audit
